"""Kills, pauses and cuts off the processes of a farm at random while it tunes, and counts what that costs.

A tracker, agents and a tuner run as they would in a lab; each talks through a link that can be reset, held back and
delayed. SIGKILL, SIGSTOP and SIGCONT and failures of links hit tracker, agents, runners and tuner, one about every
second; what died is started again with the same command line. A witness on the links keeps what was promised:

    lost      results that the tracker has acknowledged to an agent, or the tuner to the tracker, and that are not in
              the tuning log
    doubled   trials with two different results, or two records
    repeated  trials of candidates that had been measured: no fault, but wasted
    stuck     processes that are left over or do not end, devices that are not idle and trials that are not done a
              minute after the last fault, jobs that do not end
    records   verified records of all jobs; an undisturbed job has undisturbed_records / jobs of them

Exits 1 if anything is lost, doubled or stuck, or a job has fewer records than one that nobody disturbed.
"""
import argparse
import json
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

from faults import Faults
from fleet import Farm, adopt_orphans, children_of, descendants_of, is_alive, name_of
from network import Network
from witness import Witness

MODEL, TASKS = "squeezenet1.1", "3x3"
IDLE_S = 60       # from the last fault to a farm at rest
POLL_S = 0.02
SEARCH_ROWS = "origin NOT IN ('final', 'duplicate')"


class ChaosError(Exception):
    """The run itself cannot go on."""


class Run:
    """Jobs, one after another, on one farm."""

    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.witness = Witness()
        self.network = Network(self.witness)
        self.farm = Farm(options.programs, folder, self.network, options.agents)
        self.faults = Faults(self.farm, options.seed)
        self.jobs = []           # verified records of each job
        self.undisturbed = 0
        self.stuck, self.unexpected = [], []
        self.begun = time.monotonic()

    def say(self, text):
        print("%6.1f s  %4d faults  %s" % (time.monotonic() - self.begun, self.faults.total, text), file=sys.stderr,
              flush=True)

    def start(self):
        model = self.folder / "model"
        subprocess.run([str(self.options.programs / "tilth"), "zoo", "make", MODEL, "-o", str(model)], check=True,
                       stdout=subprocess.DEVNULL)
        self.model = model / "model.onnx"
        self.farm.start()
        # Only so that they are calibrated: agents and tuners wait for each other by themselves.
        busy = self.farm.wait_idle(IDLE_S)
        if busy:
            raise ChaosError("the farm does not come up: %s; logs are in %s" % ("; ".join(busy), self.folder))

    def verified(self, job):
        return self._query(job, "SELECT count(*) FROM record WHERE status = 'ok' AND " + SEARCH_ROWS)[0][0]

    def _query(self, job, sql):
        with sqlite3.connect("file:%s?mode=ro" % self.farm.log_of(job), uri=True) as log:
            return log.execute(sql).fetchall()

    def _keep_alive(self, process, now):
        """Starts what died and wakes what was paused; true if it has ended by itself and well."""
        if process.resume_at is not None and now >= process.resume_at:
            process.resume()
        if process.running:
            return False
        if process.restart_at is None:
            if not process.killed:
                if process.child.returncode == 0:
                    return True
                self.unexpected.append("%s ended with status %d" % (process.name, process.child.returncode))
                self.say(self.unexpected[-1])
            process.restart_at = now + self.faults.delay_before_restart()
        if now >= process.restart_at:
            process.start()
        return False

    def tune(self, job, disturb):
        """One job, to its end; false if it does not end."""
        tuner = self.farm.tuner(job, self.model, TASKS, self.options.trials)
        tuner.start()
        now = time.monotonic()
        strike_at, deadline = now + self.faults.interval(self.options.interval), now + self.options.job_minutes * 60
        while True:
            now = time.monotonic()
            self.faults.end_due(now)
            for process in [self.farm.tracker, *self.farm.agents]:
                if self._keep_alive(process, now):
                    raise ChaosError("%s ended by itself" % process.name)
            if self._keep_alive(tuner, now):
                break
            if now > deadline:
                self.stuck.append("job %d did not end" % job)
                tuner.end(1)
                return False
            if disturb and now >= strike_at and self.faults.total < self.options.kills:
                strike_at = now + self.faults.interval(self.options.interval)
                # Its victim may be dead, or done: another one.
                for _ in range(8):
                    if self.faults.strike(tuner, now) is not None:
                        break
            time.sleep(POLL_S)
        return True

    def at_rest(self):
        """Ends every fault and waits for the farm to come to rest."""
        self.faults.end_all()
        deadline = time.monotonic() + IDLE_S
        waiting = [self.farm.tracker, *self.farm.agents]
        while waiting and time.monotonic() < deadline:
            for process in waiting:
                if process.resume_at is not None:
                    process.resume()
                self._keep_alive(process, float("inf"))
            waiting = [process for process in waiting if not process.running]
        self.stuck += self.farm.wait_idle(IDLE_S)

    def chaos(self):
        """Undisturbed once; then jobs until there were enough faults."""
        if not self.tune(0, disturb=False):
            raise ChaosError("an undisturbed job does not end")
        self.undisturbed = self.verified(0)
        self.say("undisturbed: %d verified records" % self.undisturbed)
        end = self.begun + self.options.minutes * 60 if self.options.minutes else float("inf")
        job = 0
        while self.faults.total < self.options.kills and time.monotonic() < end and not self.stuck:
            job += 1
            if self.tune(job, disturb=True):
                self.jobs.append(self.verified(job))
                self.say("job %d: %d verified records" % (job, self.jobs[-1]))
        self.at_rest()

    def stop(self):
        """Whatever has happened: nobody is left behind. Those that would have been are stuck."""
        self.faults.end_all()
        self.stuck += ["%s did not end" % name for name in self.farm.end()]
        self.network.stop()
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            left = [pid for pid in descendants_of(os.getpid()) if is_alive(pid)]
            if not left:
                return
            time.sleep(0.1)
        for pid in left:
            self.stuck.append("process %d (%s) was left behind" % (pid, name_of(pid)))
            os.kill(pid, signal.SIGKILL)

    def judge(self):
        """The document that --json prints."""
        rows, doubled, repeated = {}, set(), 0
        for job in range(len(self.jobs) + 1):
            for trial, in self._query(job, "SELECT trial_id FROM record"):
                rows[trial] = rows.get(trial, 0) + 1
            # The successor of a tuner that was killed may measure what that one's trials have not told it yet.
            repeated += self._query(job, "SELECT count(*) - count(DISTINCT workload_hash || decisions) FROM record "
                                    "WHERE " + SEARCH_ROWS)[0][0]
        witness = self.witness
        doubled |= {trial for trial, count in rows.items() if count > 1}
        doubled |= {trial for trial, digests in witness.delivered.items() if len(digests) > 1}
        # The comparison at a job's end keeps one record for several trials, which have a seed of their own.
        seeds = {job + 1 for job in range(len(self.jobs) + 1)}
        acknowledged = {trial for trial in witness.recorded | witness.taken
                        if witness.seeds.get(trial) in seeds and trial not in witness.given_up}
        lost = sorted(acknowledged - rows.keys())
        return {"kills": self.faults.total, "lost": len(lost), "doubled": len(doubled), "stuck": len(self.stuck),
                "records": sum(self.jobs), "undisturbed_records": self.undisturbed * len(self.jobs),
                "jobs": len(self.jobs), "acknowledged": len(acknowledged), "given_up": len(witness.given_up),
                "repeated": repeated, "unexpected_exits": self.unexpected, "by_kind": self.faults.counts,
                "seconds": round(time.monotonic() - self.begun, 1),
                "details": (lost + sorted(doubled) + self.stuck)[:20]}

    def failed(self, result):
        return (result["lost"] + result["doubled"] + result["stuck"] > 0 or
                any(records < self.undisturbed for records in self.jobs))


def parse_arguments():
    parser = argparse.ArgumentParser(prog="scripts/chaos", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter,
                                     epilog="Example:\n  scripts/chaos --kills 1000 --seed 7 --json")
    parser.add_argument("--kills", type=int, default=100, help="faults in all (default: 100)")
    parser.add_argument("--seed", type=int, default=1, help="of the faults (default: 1)")
    parser.add_argument("--minutes", type=float, default=0, help="begin no further job after this long")
    parser.add_argument("--trials", type=int, default=300, help="of each job (default: 300)")
    parser.add_argument("--agents", type=int, default=3)
    parser.add_argument("--interval", type=float, default=1.0, help="mean seconds between faults (default: 1)")
    parser.add_argument("--job-minutes", type=float, default=10, help="a job that takes longer is stuck (default: 10)")
    parser.add_argument("--programs", type=pathlib.Path, default=pathlib.Path("build/release/bin"))
    parser.add_argument("--keep", type=pathlib.Path, help="leave logs and states of all processes in this new folder")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    return parser.parse_args()


def print_result(result):
    print("%d faults in %.0f s (%s)" % (result["kills"], result["seconds"], ", ".join(
        "%d x %s" % (count, kind) for kind, count in result["by_kind"].items())))
    print("%d jobs: %d verified records (undisturbed: %d); %d lost of %d acknowledged, %d doubled, %d stuck" % (
        result["jobs"], result["records"], result["undisturbed_records"], result["lost"], result["acknowledged"],
        result["doubled"], result["stuck"]))
    for detail in result["details"] + result["unexpected_exits"]:
        print("  " + detail)


def main():
    options = parse_arguments()
    options.programs = options.programs.resolve()
    folder = options.keep.resolve() if options.keep else pathlib.Path(tempfile.mkdtemp(prefix="tilth-chaos-"))
    folder.mkdir(parents=True, exist_ok=True)
    adopt_orphans()
    # Nobody is left behind then, either.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("scripts/chaos: ended"))
    run = Run(options, folder)
    try:
        try:
            run.start()
            run.chaos()
        finally:
            run.stop()
        result = run.judge()
    except (ChaosError, OSError, subprocess.CalledProcessError, sqlite3.Error) as error:
        sys.exit("scripts/chaos: error: %s" % error)
    except KeyboardInterrupt:
        sys.exit("scripts/chaos: interrupted")
    finally:
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)
    if options.json:
        print(json.dumps(result, indent=2))
    else:
        print_result(result)
    sys.exit(1 if run.failed(result) else 0)


if __name__ == "__main__":
    main()
