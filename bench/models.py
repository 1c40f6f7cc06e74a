"""Whole models beside ONNX Runtime, in one run, at one and at two threads.

Each model is tuned, built and run by us, and run by ONNX Runtime on the same inputs, in turns. The ratio of a row is
their time over ours: above 1 we are faster.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys

from side_by_side import Peer, PeerError, geometric_mean, last_cores, pin_to, print_table, ratio

FOLDER = pathlib.Path(__file__).resolve().parent
ZOO_MODELS = ("resnet50", "mobilenetv2", "bert-base", "squeezenet1.1")
# Real networks shared between checkouts; measured where they are there.
SHARED_MODELS = ("ultraface_rfb_320",)


class Ours:
    """Our side: a model tuned and built once, then run again for every round."""

    def __init__(self, programs, options):
        self.tilth = str(programs / "tilth")
        self.options = options

    def call(self, arguments, cores=None):
        """Runs a command of ours and returns what it printed."""
        run = subprocess.run([self.tilth, *map(str, arguments)], stdout=subprocess.PIPE, text=True, check=False,
                             preexec_fn=pin_to(cores))
        if run.returncode != 0:
            raise PeerError("tilth %s: ended with status %d" % (arguments[0], run.returncode))
        return run.stdout

    def make(self, name, folder):
        """Writes a model of the zoo, unless it is there."""
        if not (folder / "model.onnx").exists():
            self.call(["zoo", "make", name, "-o", folder])

    def tune_and_build(self, model, package):
        """The package of a tuned model. A log that has enough trials already costs nothing."""
        self.call(["tune", model, "--log", self.options.log, "--trials", self.options.trials, "--json"])
        self.call(["build", model, "--log", self.options.log, "-o", package])

    def median_ns(self, package, inputs, threads):
        """One round."""
        printed = self.call(["run", package, "--inputs", ",".join(map(str, inputs)), "--repeat", self.options.samples,
                             "--threads", threads, "--json"], last_cores(threads))
        return json.loads(printed)["median_ns"]


def default_models(ours):
    """The folders of the models measured when none is named."""
    folders = []
    for name in ZOO_MODELS:
        folders.append(pathlib.Path("build/bench-models") / name)
        ours.make(name, folders[-1])
    shared = pathlib.Path(os.environ.get("TILTH_SHARED", FOLDER.parent.parent / "shared")) / "models"
    return folders + [shared / name for name in SHARED_MODELS if (shared / name).is_dir()]


def measure_model(folder, ours, peer, options):
    """The rows of one model, one for each number of threads."""
    package = pathlib.Path("build/bench-models") / (folder.name + ".package")
    inputs = sorted((folder / "test_data_set_0").glob("input_*.pb"))
    if not inputs:
        raise PeerError("%s: no test_data_set_0/input_*.pb in it" % folder)
    print("tuning and building %s" % folder.name, file=sys.stderr)
    ours.tune_and_build(folder / "model.onnx", package)
    rows = []
    for threads in options.threads:
        print("measuring %s on %d threads" % (folder.name, threads), file=sys.stderr)
        theirs = peer(threads)
        try:
            reason = theirs.prepare({"model": str(folder / "model.onnx"), "inputs": list(map(str, inputs)),
                                     "threads": threads})
            if reason:
                raise PeerError("%s: %s" % (theirs.name, reason))
            our_medians, their_medians = [], []
            for _ in range(options.rounds):
                our_medians.append(ours.median_ns(package, inputs, threads))
                their_medians.append(statistics.median(theirs.run(options.samples)))
        finally:
            theirs.close()
        rows.append({"model": folder.name, "threads": threads, "ours_ns": statistics.median(our_medians),
                     "peer": theirs.name, "peer_ns": statistics.median(their_medians),
                     "ratio": ratio(their_medians, our_medians)})
    return rows


def parse_arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench models", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter,
                                     epilog="Example:\n  scripts/bench models --trials 1000 --threads 1 --json")
    parser.add_argument("--model", type=pathlib.Path, action="append", default=[],
                        help="a folder with model.onnx and test_data_set_0; may be repeated (default: %s of the zoo, "
                        "%s of $TILTH_SHARED)" % (", ".join(ZOO_MODELS), ", ".join(SHARED_MODELS)))
    parser.add_argument("--trials", type=int, default=1000, help="trials for each model, those in the log included")
    parser.add_argument("--threads", type=lambda text: [int(each) for each in text.split(",")], default=[1, 2],
                        help="numbers of threads, such as 1,2")
    parser.add_argument("--log", default="build/bench-models.db", help="the tuning log; made if it is not there")
    parser.add_argument("--rounds", type=int, default=7, help="how often the programs take turns")
    parser.add_argument("--samples", type=int, default=15, help="runs of each program in a round")
    parser.add_argument("--python", default="build/bench-venv/bin/python", help="the Python that has onnxruntime")
    parser.add_argument("--programs", type=pathlib.Path, default=pathlib.Path("build/release/bin"))
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    return parser.parse_args()


def main():
    options = parse_arguments()
    ours = Ours(options.programs.resolve(), options)
    rows = []
    try:
        for folder in options.model or default_models(ours):
            rows += measure_model(folder, ours, lambda threads: Peer(
                "ONNX Runtime", [options.python, str(FOLDER / "peers" / "ort_peer.py")], last_cores(threads)), options)
    except PeerError as error:
        sys.exit("scripts/bench models: error: %s" % error)
    ratios = [row["ratio"] for row in rows]
    result = {"rows": rows, "geomean_ratio": geometric_mean(ratios), "min_ratio": min(ratios)}
    if options.json:
        print(json.dumps(result, indent=2))
        return
    print_table(["model", "threads", "ours", "ONNX Runtime", "ratio"],
                [[row["model"], str(row["threads"]), "%.2f ms" % (row["ours_ns"] / 1e6),
                  "%.2f ms" % (row["peer_ns"] / 1e6), "%.2f" % row["ratio"]] for row in rows])
    print("geometric mean of the ratios %.3f, smallest %.3f" % (result["geomean_ratio"], result["min_ratio"]))


if __name__ == "__main__":
    main()
