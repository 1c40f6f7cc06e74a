"""What can go wrong, one thing at a time: chosen and timed by a seeded generator."""
import os
import random
import signal

# The share of each kind. Tuners take a second to be of use again, so they are hit less.
KINDS = (("kill tracker", 16), ("kill agent", 16), ("kill runner", 14), ("kill tuner", 5),
         ("pause tracker", 6), ("pause agent", 8), ("pause runner", 6), ("pause tuner", 4),
         ("reset link", 13), ("hold link", 8), ("delay link", 4))


class Faults:
    """Applies faults to a farm and its tuner and ends those that last. `now` is a monotonic time."""

    def __init__(self, farm, seed):
        self.farm = farm
        self.counts = {kind: 0 for kind, _ in KINDS}
        self._random = random.Random(seed)
        self._ending = []  # (time, function) of faults that last

    @property
    def total(self):
        return sum(self.counts.values())

    def interval(self, mean_s):
        return min(self._random.expovariate(1 / mean_s), 4 * mean_s)

    def strike(self, tuner, now):
        """One fault; its kind, or None if its victim is not there at the moment."""
        kind = self._random.choices([kind for kind, _ in KINDS], [share for _, share in KINDS])[0]
        action, victim = kind.split()
        if victim == "link":
            self._strike_link(action, self._random.choice(self.farm.links), now)
        elif victim == "runner":
            if not self._strike_runner(action, now):
                return None
        else:
            process = {"tracker": self.farm.tracker, "tuner": tuner}.get(victim) or self._random.choice(self.farm.agents)
            if not process.running or process.resume_at is not None:
                return None
            if action == "kill":
                process.kill()
            else:
                process.pause(now + self._duration())
        self.counts[kind] += 1
        return kind

    def delay_before_restart(self):
        return self._random.uniform(0, 0.5)

    def end_due(self, now):
        """Ends what has lasted long enough."""
        due = [end for at, end in self._ending if at <= now]
        self._ending = [(at, end) for at, end in self._ending if at > now]
        for end in due:
            end()

    def end_all(self):
        self.end_due(float("inf"))

    def _duration(self):
        # Mostly shorter than a lease, sometimes longer.
        return self._random.choice((0.1, 0.3, 1.0, 1.0, 2 * self.farm.LEASE_MS / 1000))

    def _strike_runner(self, action, now):
        runners = self.farm.runners()
        if not runners:
            return False
        pid = self._random.choice(runners)
        if action == "kill":
            return _signal(pid, signal.SIGKILL)
        self._ending.append((now + self._random.choice((0.1, 0.5, 1.0)), lambda: _signal(pid, signal.SIGCONT)))
        return _signal(pid, signal.SIGSTOP)

    def _strike_link(self, action, link, now):
        network = self.farm.network
        if action == "reset":
            network.call(link.reset)
        elif action == "delay":
            network.call(link.delay, self._random.uniform(0.01, 0.2))
            self._ending.append((now + 2, lambda: network.call(link.delay, 0.0)))
        else:
            directions = self._random.choice(((True,), (False,), (True, False)))
            network.call(link.hold, directions)
            whole_again = self._random.random() < 0.5

            def end():
                if not whole_again:
                    network.call(link.reset)
                network.call(link.release)
            self._ending.append((now + self._duration(), end))


def _signal(pid, what):
    try:
        os.kill(pid, what)
        return True
    except ProcessLookupError:
        return False
