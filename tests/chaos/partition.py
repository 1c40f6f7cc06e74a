"""Real partitions: an agent in a network namespace of its own, whose cable is pulled in the middle of trials.

Two agents work for one tuner; one of them, behind a pair of virtual cables, is cut off for less than a lease, for
longer than a lease, and for so long that both ends give the connection up. No packet and no reset tells anybody. In the
end every trial must have its one record, and the agent that was away must be back at work.

Exits 0 if so, 1 if not, and 77 where namespaces cannot be made (that needs root).
"""
import argparse
import os
import pathlib
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time

from fleet import Farm, Process, adopt_orphans
from network import Network
from witness import Witness

SKIPPED = 77
TRACKER_IP, FAR_IP, PORT = "10.77.0.1", "10.77.0.2", 9190
CUTS_S = (0.5, 1.2 * Farm.LEASE_MS / 1000, 3 * Farm.LEASE_MS / 1000, 20)
UNSHARED = "TILTH_PARTITION_UNSHARED"


class PartitionError(Exception):
    pass


def enter_namespace():
    """Runs this program again in a network of its own; ends the test with SKIPPED if that is not allowed."""
    if UNSHARED in os.environ:
        return
    for tool in ("unshare", "nsenter", "ip"):
        if shutil.which(tool) is None:
            print("skipped: there is no program '%s' (packages util-linux and iproute2)" % tool)
            sys.exit(SKIPPED)
    probe = subprocess.run(["unshare", "--net", "ip", "link", "add", "near", "type", "veth", "peer", "name",
                            "far"],
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if probe.returncode != 0:
        print("skipped: network namespaces cannot be made here, which needs root: %s" % probe.stdout.strip())
        sys.exit(SKIPPED)
    os.environ[UNSHARED] = "1"
    os.environ["TILTH_INSECURE"] = "1"  # there is nobody else on this network
    os.execvp("unshare", ["unshare", "--net", sys.executable, *sys.argv])


def ip(*words, inside=None):
    enter = ["nsenter", "--target", str(inside), "--net"] if inside else []
    subprocess.run([*enter, "ip", *words], check=True)


class Cable:
    """Between the tracker's network, which is ours, and another, which lives as long as a process in it."""

    def __init__(self):
        self.holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        ours = os.readlink("/proc/self/ns/net")
        while os.readlink("/proc/%d/ns/net" % self.holder.pid) == ours:
            time.sleep(0.01)
        ip("link", "set", "lo", "up")
        ip("link", "add", "near", "type", "veth", "peer", "name", "far")
        ip("link", "set", "far", "netns", str(self.holder.pid))
        ip("address", "add", TRACKER_IP + "/24", "dev", "near")
        ip("link", "set", "near", "up")
        ip("address", "add", FAR_IP + "/24", "dev", "far", inside=self.holder.pid)
        for device in ("lo", "far"):
            ip("link", "set", device, "up", inside=self.holder.pid)

    def pull(self):
        ip("link", "set", "far", "down", inside=self.holder.pid)

    def plug(self):
        ip("link", "set", "far", "up", inside=self.holder.pid)

    def run_beyond(self, command):
        return ["nsenter", "--target", str(self.holder.pid), "--net", *command]

    def remove(self):
        self.holder.kill()
        self.holder.wait()


class Run:
    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.cable = Cable()
        self.network = Network(Witness())
        self.farm = Farm(options.programs, folder, self.network, agents=2)
        tracker = "%s:%d" % (TRACKER_IP, PORT)
        self.farm.address = tracker
        self.farm.tracker.command[self.farm.tracker.command.index("--listen") + 1] = tracker
        self.farm.tracker.command += ["--verbose", "--insecure", "--yes-in-the-clear"]
        for agent in self.farm.agents:
            agent.command[agent.command.index("--tracker") + 1] = tracker
        self.far = self.farm.agents[1]
        self.far.command = self.cable.run_beyond(self.far.command)

    def start_job(self, job):
        tuner = self.farm.tuner(job, self.model, "3x3", self.options.trials)
        tuner.command[tuner.command.index("--farm") + 1] = self.farm.address
        tuner.start()
        return tuner

    def wait_busy(self):
        """Until the agent beyond the cable has a trial."""
        far_id = (self.folder / "agent-1" / "agent_id").read_text(encoding="ascii")
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if any(device["agent_id"] == far_id and device["state"] == "busy" for device in self.farm.ask("devices") or []):
                return
            time.sleep(0.02)
        raise PartitionError("the agent beyond the cable has had no trial for a minute; logs are in %s" % self.folder)

    def tune(self):
        """Jobs, one after another, as long as there are cuts to make; their number."""
        subprocess.run([str(self.options.programs / "tilth"), "zoo", "make", "squeezenet1.1", "-o",
                        str(self.folder / "model")], check=True, stdout=subprocess.DEVNULL)
        self.model = self.folder / "model" / "model.onnx"
        self.farm.start()
        busy = self.farm.wait_idle(60)
        if busy:
            raise PartitionError("the farm does not come up: " + "; ".join(busy))
        job, tuner = 0, self.start_job(0)
        for seconds in CUTS_S:
            if not tuner.running:
                job += 1
                tuner = self.start_job(job)
            self.wait_busy()
            print("cut off for %.1f s" % seconds, flush=True)
            self.cable.pull()
            time.sleep(seconds)
            self.cable.plug()
        if tuner.child.wait(300) != 0:
            raise PartitionError("the tuner ended with status %d" % tuner.child.returncode)
        busy = self.farm.wait_idle(60)
        if busy:
            raise PartitionError("not at rest a minute after: " + "; ".join(busy))
        return job + 1

    def check(self, jobs):
        for job in range(jobs):
            with sqlite3.connect("file:%s?mode=ro" % self.farm.log_of(job), uri=True) as log:
                verified, trials = log.execute(
                    "SELECT count(*), count(DISTINCT workload_hash || decisions) FROM record "
                    "WHERE status = 'ok' AND origin NOT IN ('final', 'duplicate')").fetchone()
            if verified != self.options.trials or trials != verified:
                raise PartitionError("job %d has %d verified records of %d candidates, not %d" % (
                    job, verified, trials, self.options.trials))
        expired = self.farm.tracker.log.read_text(encoding="utf-8").count("has not been heard of")
        if expired == 0:
            raise PartitionError("no lease has expired: the cable was not cut")
        print("%d jobs of %d trials: nothing lost, nothing doubled; %d leases expired" % (
            jobs, self.options.trials, expired))

    def stop(self):
        left = self.farm.end()
        self.network.stop()
        self.cable.remove()
        if left:
            raise PartitionError("did not end: " + ", ".join(left))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=300, help="of each job (default: 300)")
    parser.add_argument("--programs", type=pathlib.Path, default=pathlib.Path("build/release/bin"))
    options = parser.parse_args()
    options.programs = options.programs.resolve()
    enter_namespace()
    adopt_orphans()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tilth-partition-"))
    run = Run(options, folder)
    try:
        try:
            run.check(run.tune())
        finally:
            run.stop()
    except (PartitionError, subprocess.SubprocessError, OSError, sqlite3.Error) as error:
        sys.exit("partition: %s" % error)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
