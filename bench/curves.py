"""How fast a model is after so many trials: from scratch, and with the cost model that Tilth ships.

The same search goes on from one number of trials to the next, and a library is built after each. In the end all
libraries are timed in turns, on one thread, so that the clock of the machine favours none.
"""
import argparse
import json
import pathlib
import statistics
import sys
import tempfile

from line_chart import draw
from models import Ours
from side_by_side import PeerError, print_table

VARIANTS = {"from scratch": ["--model", "none"], "pre-trained": []}
CLOSE = 1.05  # a latency within 5 % counts as the same


def search(ours, name, arguments, folder, work, options):
    """[(trials, package)] of one search."""
    packages = []
    log = work / (name.replace(" ", "-") + ".db")
    for trials in options.trials:
        print("%s: %d trials" % (name, trials), file=sys.stderr)
        package = work / ("%s-%d" % (name.replace(" ", "-"), trials))
        ours.call(["tune", folder / "model.onnx", "--log", log, "--trials", trials, "--seed", options.seed, "--json",
                   *arguments])
        ours.call(["build", folder / "model.onnx", "--log", log, "-o", package])
        packages.append((trials, package))
    return packages


def time_in_turns(ours, packages, inputs, options):
    """The median latency of each package in ns, from rounds in which all take turns."""
    rounds = {package: [] for package in packages}
    for _ in range(options.rounds):
        for package in packages:
            rounds[package].append(ours.median_ns(package, inputs, 1))
    return {package: statistics.median(medians) for package, medians in rounds.items()}


def fewest_trials(rows, name, wanted_ns):
    return next((row["trials"] for row in rows if row["variant"] == name and row["latency_ns"] <= wanted_ns), None)


def measure(ours, options):
    folder = pathlib.Path("build/bench-models") / options.model
    ours.make(options.model, folder)
    inputs = sorted((folder / "test_data_set_0").glob("input_*.pb"))
    with tempfile.TemporaryDirectory(dir="build") as work:
        work = pathlib.Path(work)
        found = {name: search(ours, name, arguments, folder, work, options) for name, arguments in VARIANTS.items()}
        untuned = {}
        for name, arguments in VARIANTS.items():
            untuned[name] = work / ("untuned-" + name.replace(" ", "-"))
            ours.call(["build", folder / "model.onnx", "-o", untuned[name], *arguments])
        packages = [package for each in found.values() for _, package in each] + list(untuned.values())
        times = time_in_turns(ours, packages, inputs, options)
    rows = [{"variant": name, "trials": trials, "latency_ns": times[package]}
            for name, each in found.items() for trials, package in [(0, untuned[name]), *each]]
    final_ns = times[found["from scratch"][-1][1]]
    return {"model": options.model, "rows": rows, "final_ns": final_ns,
            "trials_to_final": {name: fewest_trials(rows, name, CLOSE * final_ns) for name in VARIANTS}}


def parse_arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench curves", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter,
                                     epilog="Example:\n  scripts/bench curves --model resnet50 --picture curves.svg")
    parser.add_argument("--model", default="resnet50", help="a model of the zoo (default: resnet50)")
    parser.add_argument("--trials", type=lambda text: sorted(int(each) for each in text.split(",")),
                        default=[50, 100, 150, 200, 400, 1000, 4000], help="numbers of trials, such as 100,400,4000")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7, help="how often the libraries take turns")
    parser.add_argument("--samples", type=int, default=7, help="runs of each library in a round")
    parser.add_argument("--programs", type=pathlib.Path, default=pathlib.Path("build/release/bin"))
    parser.add_argument("--picture", type=pathlib.Path, help="also draw the curves into this SVG file")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    return parser.parse_args()


def main():
    options = parse_arguments()
    try:
        result = measure(Ours(options.programs.resolve(), options), options)
    except PeerError as error:
        sys.exit("scripts/bench curves: error: %s" % error)
    if options.picture:
        curves = {name: [(row["trials"], row["latency_ns"] / 1e6) for row in result["rows"]
                         if row["variant"] == name and row["trials"] > 0] for name in VARIANTS}
        lines = [(result["final_ns"] / 1e6, "%d trials from scratch" % options.trials[-1])]
        options.picture.write_text(draw("%s on one thread" % result["model"], "trials", "ms", curves, lines))
    if options.json:
        print(json.dumps(result, indent=2))
        return
    by_trials = {(row["variant"], row["trials"]): "%.2f ms" % (row["latency_ns"] / 1e6) for row in result["rows"]}
    print_table(["trials", *VARIANTS], [[str(trials), *(by_trials[name, trials] for name in VARIANTS)]
                                        for trials in [0, *options.trials]])
    for name, trials in result["trials_to_final"].items():
        reached = "not reached" if trials is None else "%d trials" % trials
        print("%s, within 5%% of what %d trials from scratch give: %s" % (name, options.trials[-1], reached))


if __name__ == "__main__":
    main()
