"""The processes of a farm under chaos: started, killed, paused, and started again with the same command line."""
import ctypes
import json
import os
import pathlib
import signal
import socket
import subprocess
import time

PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans():
    """Whatever our children leave behind becomes ours, so that it can be found."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def children_of(pid):
    """Of all threads of a process; none if it has gone."""
    children = []
    try:
        for task in os.listdir("/proc/%d/task" % pid):
            text = pathlib.Path("/proc/%d/task/%s/children" % (pid, task)).read_text(encoding="ascii")
            children += [int(child) for child in text.split()]
    except OSError:
        pass
    return children


def descendants_of(pid):
    found = []
    for child in children_of(pid):
        found += [child] + descendants_of(child)
    return found


def name_of(pid):
    try:
        return pathlib.Path("/proc/%d/comm" % pid).read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def is_alive(pid):
    """Neither gone nor waiting to be reaped."""
    try:
        return pathlib.Path("/proc/%d/stat" % pid).read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Process:
    """One command line, crash-only."""

    def __init__(self, name, command, folder):
        self.name, self.command = name, [str(word) for word in command]
        self.log = folder / (name + ".log")
        self.child = None
        self.restart_at = None  # when it is dead: the time to start it again
        self.resume_at = None   # when it is paused
        self.killed = False     # by us, since it was started

    def start(self):
        with self.log.open("ab") as log:
            self.child = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.restart_at = self.resume_at = None
        self.killed = False

    @property
    def running(self):
        return self.child is not None and self.child.poll() is None

    def kill(self):
        self.killed = True
        self.child.kill()
        self.child.wait()
        self.resume_at = None

    def pause(self, until):
        self.child.send_signal(signal.SIGSTOP)
        self.resume_at = until

    def resume(self):
        self.resume_at = None
        if self.running:
            self.child.send_signal(signal.SIGCONT)

    def end(self, timeout_s):
        """Asks it to end; whether it did in time."""
        if not self.running:
            return True
        self.child.send_signal(signal.SIGCONT)
        self.child.terminate()
        try:
            self.child.wait(timeout_s)
            return True
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            return False


class Farm:
    """A tracker and its agents, which reach it through links."""

    LEASE_MS = 2000
    DEVICE_CLASS = "chaos"

    def __init__(self, programs, folder, network, agents):
        self.programs, self.folder, self.network = programs, folder, network
        network.tracker_port = free_port()
        self.address = "127.0.0.1:%d" % network.tracker_port
        self.tracker = Process("tracker", [
            programs / "tilth", "farm", "serve", "--no-quarantine", "--listen", self.address, "--state", folder / "tracker",
            "--lease-ms", self.LEASE_MS], folder)
        self.agents, self.links = [], []
        for i in range(agents):
            link = network.add_link("agent-%d" % i, "agent")
            self.links.append(link)
            self.agents.append(Process("agent-%d" % i, [
                programs / "tilth-agent", "--tracker", "127.0.0.1:%d" % link.port, "--device-class", self.DEVICE_CLASS,
                "--work-dir", folder / ("agent-%d" % i)], folder))
        self.tuner_link = network.add_link("tuner", "tuner")
        self.links.append(self.tuner_link)

    def start(self):
        for process in [self.tracker, *self.agents]:
            process.start()

    def tuner(self, job, model, tasks, trials):
        """The command that tunes the model into a log of its own."""
        return Process("job-%d" % job, [
            self.programs / "tilth", "tune", model, "--log", self.log_of(job), "--trials", trials, "--seed", job + 1,
            "--tasks", tasks, "--farm", "127.0.0.1:%d" % self.tuner_link.port, "--device", self.DEVICE_CLASS,
            "--artifact-cache", "none"], self.folder)

    def log_of(self, job):
        return self.folder / ("job-%d.db" % job)

    def runners(self):
        """The processes below the agents that carry a candidate."""
        return [pid for agent in self.agents if agent.running for pid in descendants_of(agent.child.pid)
                if name_of(pid) == "tilth-runner"]

    def ask(self, what):
        """`tilth farm WHAT --json`, or None while the tracker does not answer."""
        run = subprocess.run([str(self.programs / "tilth"), "farm", what, "--farm", self.address, "--json"],
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
        return json.loads(run.stdout)[what] if run.returncode == 0 else None

    def wait_idle(self, timeout_s):
        """Whether in time every device is idle and nothing is queued or running; else what is not."""
        deadline = time.monotonic() + timeout_s
        while True:
            devices, jobs = self.ask("devices"), self.ask("jobs")
            busy = ["no answer"] if devices is None or jobs is None else [
                "device %s is %s" % (device["agent_id"][:8], device["state"]) for device in devices
                if device["state"] != "idle"] + [
                "session %s has %d queued, %d running" % (job["session"][:8], job["queued"], job["running"])
                for job in jobs if job["queued"] + job["running"] > 0]
            if devices is not None and len(devices) != len(self.agents):
                busy.append("%d devices, not %d" % (len(devices), len(self.agents)))
            if not busy or time.monotonic() > deadline:
                return busy
            time.sleep(0.2)

    def end(self):
        """Ends the processes that run; names those that did not end when asked to."""
        return [process.name for process in [*self.agents, self.tracker] if not process.end(10)]
