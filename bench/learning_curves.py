"""Draws what `tilth model eval LOG.db --curves --json` printed: pairs in the right order after so many records.

    python3 bench/learning_curves.py EVALUATION.json PICTURE.svg
"""
import json
import pathlib
import sys

from line_chart import draw


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__.strip())
    evaluation = json.loads(pathlib.Path(sys.argv[1]).read_text())
    curves = {}
    for result in evaluation["results"]:
        if "without" in result:
            continue
        curves.setdefault(result["model"], []).append((result["training_records"], result["pairwise_accuracy"]))
    curves = {name: sorted(set(points)) for name, points in curves.items() if len(points) > 1}
    picture = draw("pairs of held-out candidates in the right order, %d records of %d kernels"
                   % (evaluation["records"], evaluation["tasks"]), "records to learn from", "share of the pairs", curves)
    pathlib.Path(sys.argv[2]).write_text(picture)


if __name__ == "__main__":
    main()
