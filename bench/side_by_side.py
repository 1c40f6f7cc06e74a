"""Keeps several programs that speak the line protocol of bench/peers/peer_loop.h alive and times them in turn.

The clock of a machine wanders by tens of percent within minutes, so only ratios of interleaved runs mean anything: in
each round every program takes a few samples on the same core, and a ratio is the median of the rounds' ratios.
"""
import json
import math
import os
import select
import statistics
import subprocess
import sys


def last_cores(count):
    """The cores to measure on: the last ones, as interrupts prefer the first."""
    return set(sorted(os.sched_getaffinity(0))[-count:])


def pin_to(cores):
    """What a child must call to stay on these cores."""
    return (lambda: os.sched_setaffinity(0, cores)) if cores else None


class PeerError(Exception):
    """A program that does not start, ends, or does not answer."""


class Peer:
    """One program that measures what it is asked for, on the cores given (all that this process may use: None)."""

    def __init__(self, name, command, cores=None):
        self.name = name
        try:
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0,
                                            preexec_fn=pin_to(cores))
        except OSError as error:
            raise PeerError("%s: cannot start %s: %s" % (name, command[0], error)) from error
        self.pending = b""

    def ask(self, line, timeout_s):
        """Sends one line and returns the answer, parsed."""
        try:
            self.process.stdin.write(line.encode() + b"\n")
        except BrokenPipeError:
            raise PeerError("%s: ended with status %s" % (self.name, self.process.wait())) from None
        while b"\n" not in self.pending:
            if not select.select([self.process.stdout], [], [], timeout_s)[0]:
                raise PeerError("%s: no answer to '%s' within %d s" % (self.name, line[:60], timeout_s))
            received = os.read(self.process.stdout.fileno(), 1 << 16)
            if not received:
                raise PeerError("%s: ended with status %s" % (self.name, self.process.wait()))
            self.pending += received
        answer, _, self.pending = self.pending.partition(b"\n")
        return json.loads(answer)

    def prepare(self, request, timeout_s=1800):
        """None if the program is ready to run `request`, else its reason."""
        answer = self.ask(json.dumps(request), timeout_s)
        return None if answer["ready"] else answer.get("reason", "not ready")

    def run(self, samples, timeout_s=300):
        """Nanoseconds of one execution, once for each sample."""
        return self.ask("run %d" % samples, timeout_s)

    def close(self):
        """Ends the program by ending its input."""
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def interleave(peers, rounds, samples):
    """peer -> the median of each round, of programs that are ready for the same thing."""
    medians = {peer: [] for peer in peers}
    for _ in range(rounds):
        for peer in peers:
            medians[peer].append(statistics.median(peer.run(samples)))
    return medians


def ratio(theirs, ours):
    """How many times as fast as they we are, from the medians of the same rounds."""
    return statistics.median(their / our for their, our in zip(theirs, ours))


def geometric_mean(values):
    """Of positive numbers; None of none."""
    return math.exp(statistics.fmean(map(math.log, values))) if values else None


def print_table(header, rows, stream=sys.stdout):
    """The first column to the left, the others to the right."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    for row in [header, *rows]:
        cells = [cell.ljust(width) if i == 0 else cell.rjust(width) for i, (cell, width) in enumerate(zip(row, widths))]
        print("  ".join(cells).rstrip(), file=stream)
