"""Search strategies on spaces that were measured completely: how near the optimum they are after so many evaluations.

The spaces are those of bench/spaces (kernels of ours, every candidate measured) and, where they are there, those of
$TILTH_SHARED/spaces (kernels of GPUs in Kernel Tuner's cache format). Every evaluation draws one of the stored
repeats, and what counts is the mean time of the candidate that the search returns. All strategies get the same seeds.
"""
import argparse
import gzip
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys

from line_chart import draw
from side_by_side import PeerError, print_table

FOLDER = pathlib.Path(__file__).resolve().parent
POLICIES = ("evolutionary", "climb", "portfolio", "random")
# What the best public strategies reach at 100 evaluations, from the worst of their spaces to the best.
PUBLISHED = {"convolution": (0.83, 0.95), "gemm": (0.90, 0.96), "dedispersion": (0.93, 0.98)}


def default_spaces():
    shared = pathlib.Path(os.environ.get("TILTH_SHARED", FOLDER.parent.parent / "shared")) / "spaces"
    if not shared.is_dir():
        print("scripts/bench scoreboard: no %s, only our own spaces" % shared, file=sys.stderr)
    return sorted((FOLDER / "spaces").glob("*.json.gz")) + sorted(shared.glob("*.json.gz"))


def replay(policy, spaces, options):
    """Space -> the mean fraction of the optimum after 1, 2, … evaluations, and the interval at the end."""
    command = [str(options.programs / "tilth"), "replay", *map(str, spaces), "--policy", policy, "--budget",
               str(options.budget), "--seeds", str(options.seeds), "--json"]
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if run.returncode != 0:
        raise PeerError("tilth replay: ended with status %d" % run.returncode)
    results = json.loads(run.stdout)["spaces"]
    return {path: {"mean_after": result["mean_after"], "ci95": [result["ci95_low"], result["ci95_high"]]}
            for path, result in zip(spaces, results)}


def grid_search(path, options):
    """The same for n points at even distances in the order of the parameters."""
    with gzip.open(path) as file:
        space = json.load(file)
    options_of = space["tune_params"]
    rows = [[options_of[key].index(entry[key]) for key in space["tune_params_keys"]]
            for entry in space["cache"].values()]
    entries = [entry for _, entry in sorted(zip(rows, space["cache"].values()), key=lambda pair: pair[0])]
    means = [statistics.fmean(entry["times"]) if entry.get("times") else None for entry in entries]
    best = min(mean for mean in means if mean is not None)
    curve = []
    for count in range(1, options.budget + 1):
        fractions = []
        for seed in range(options.seeds):
            draws = random.Random(seed)
            offset = draws.random()
            chosen = [int((i + offset) * len(entries) / count) for i in range(count)]
            measured = [(draws.choice(entries[i]["times"]), means[i]) for i in chosen if means[i] is not None]
            fractions.append(best / min(measured)[1] if measured else 0)
        curve.append(statistics.fmean(fractions))
    return {"mean_after": curve, "ci95": None}


def parse_arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench scoreboard", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter,
                                     epilog="Example:\n  scripts/bench scoreboard --budget 200 --pictures build")
    parser.add_argument("spaces", nargs="*", type=pathlib.Path, help="spaces (default: all that are there)")
    parser.add_argument("--budget", type=int, default=100, help="evaluations of a search")
    parser.add_argument("--seeds", type=int, default=32)
    parser.add_argument("--programs", type=pathlib.Path, default=pathlib.Path("build/release/bin"))
    parser.add_argument("--pictures", type=pathlib.Path, help="also draw scoreboard-SPACE.svg into this folder")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    return parser.parse_args()


def published(name):
    """The line of a picture for what is published, if anything is."""
    return [(most, "best public at 100") for kernel, (_, most) in PUBLISHED.items() if name.startswith(kernel)]


def main():
    options = parse_arguments()
    spaces = options.spaces or default_spaces()
    names = [space.name.removesuffix(".gz").removesuffix(".json") for space in spaces]
    try:
        scores = {}
        for policy in POLICIES:
            print("replaying %s" % policy, file=sys.stderr)
            scores[policy] = replay(policy, spaces, options)
        scores["grid"] = {space: grid_search(space, options) for space in spaces}
    except PeerError as error:
        sys.exit("scripts/bench scoreboard: error: %s" % error)
    rows = [{"space": name, "policy": policy, "at_end": score[space]["mean_after"][-1], **score[space]}
            for name, space in zip(names, spaces) for policy, score in scores.items()]
    if options.pictures:
        for name in names:
            curves = {row["policy"]: list(enumerate(row["mean_after"], 1))[4:] for row in rows if row["space"] == name}
            picture = draw("%s: fraction of the optimum, mean of %d seeds" % (name, options.seeds), "evaluations",
                           "fraction of the optimum", curves, published(name))
            (options.pictures / ("scoreboard-%s.svg" % name)).write_text(picture)
    if options.json:
        print(json.dumps({"budget": options.budget, "seeds": options.seeds, "rows": rows}, indent=2))
        return
    table = {(row["space"], row["policy"]): "%.3f" % row["at_end"] for row in rows}
    means = {policy: statistics.fmean(row["at_end"] for row in rows if row["policy"] == policy) for policy in scores}
    print_table(["after %d evaluations" % options.budget, *scores],
                [[name, *(table[name, policy] for policy in scores)] for name in names] +
                [["mean", *("%.3f" % means[policy] for policy in scores)]])


if __name__ == "__main__":
    main()
