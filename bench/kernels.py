"""Tuned kernels beside oneDNN, OpenBLAS and ONNX Runtime, one thread each, in one run on one core: every distinct
shape of ResNet-50, MobileNetV2 and BERT-base (bench/networks.py), and odd ones (bench/shapes.json).

The log is kept: a second run measures without tuning again. The ratio of a row is the time of the fastest peer over
ours: above 1 we are faster.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys

import networks
from side_by_side import Peer, PeerError, geometric_mean, interleave, last_cores, pin_to, print_table, ratio

FOLDER = pathlib.Path(__file__).resolve().parent


def flops(shape):
    """Floating-point operations of one execution, a multiply-add counts as two; None where they say nothing."""
    if shape["kind"] == "matmul":
        return 2 * shape.get("b", 1) * shape["m"] * shape["k"] * shape["n"]
    if shape["kind"] != "conv2d":
        return None
    stride, pad = shape.get("stride", 1), shape.get("pad", 0)
    height = (shape["h"] + 2 * pad - shape.get("kh", 1)) // stride + 1
    width = (shape["w"] + 2 * pad - shape.get("kw", 1)) // stride + 1
    taps = shape.get("kh", 1) * shape.get("kw", 1) * shape["c"] // shape.get("groups", 1)
    return 2 * shape.get("b", 1) * height * width * shape["o"] * taps


def chosen_shapes(wanted):
    """The shapes whose name or network contains `wanted`: those of the networks, then the odd ones."""
    shapes = networks.all_shapes() + json.loads((FOLDER / "shapes.json").read_text())
    return [shape for shape in shapes if wanted in shape["name"] or wanted in shape.get("networks", ["odd"])]


def fma_peak_gflops(programs):
    """What one core can do at best."""
    run = subprocess.run([programs / "fma_peak"], capture_output=True, text=True, check=True,
                         preexec_fn=pin_to(last_cores(1)))
    return float(run.stdout)


def measure_shape(shape, ours, peers, options):
    """One row of the result: what each program needs for one execution of the shape."""
    request = {key: value for key, value in shape.items() if key not in ("name", "networks")}
    ready = []
    for peer in ([ours] if ours else []) + peers:
        reason = peer.prepare(request)
        if reason is None:
            ready.append(peer)
        elif peer is ours:
            raise PeerError("%s: %s: %s" % (peer.name, shape["name"], reason))
    medians = interleave(ready, options.rounds, options.samples)
    fastest = min((peer for peer in ready if peer is not ours), key=lambda peer: statistics.median(medians[peer]))
    row = {"shape": shape["name"], "flops": flops(shape), "peer": fastest.name,
           "peer_ns": statistics.median(medians[fastest]),
           "peers": {peer.name: statistics.median(medians[peer]) for peer in ready if peer is not ours}}
    if ours:
        row["ours_ns"] = statistics.median(medians[ours])
        row["ratio"] = ratio(medians[fastest], medians[ours])
    return row


def parse_arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench kernels", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter,
                                     epilog="Example:\n  scripts/bench kernels --trials 200 --shapes 'conv 3x3' --json")
    parser.add_argument("--shapes", default="", help="only shapes whose name contains this text, or those of a network "
                        "(resnet50, mobilenetv2, bert_base, odd)")
    parser.add_argument("--trials", type=int, default=64, help="trials for each shape that the log does not know yet")
    parser.add_argument("--log", default="build/bench-kernels.db", help="the tuning log; made if it is not there")
    parser.add_argument("--rounds", type=int, default=9, help="how often the programs take turns")
    parser.add_argument("--samples", type=int, default=7, help="samples of each program in a round")
    parser.add_argument("--python", default="build/bench-venv/bin/python", help="the Python that has onnxruntime")
    parser.add_argument("--peers-only", action="store_true", help="measure the peers without us")
    parser.add_argument("--programs", type=pathlib.Path, default=pathlib.Path("build/release/bin"))
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    return parser.parse_args()


def gflops(row, key):
    return "%.1f" % (row["flops"] / row[key]) if row["flops"] else "-"


def microseconds(row, key):
    return "%.1f" % (row[key] / 1e3)


def print_result(result):
    """The table for people."""
    rows = []
    for row in result["rows"]:
        ours = ["-"] * 3
        if "ratio" in row:
            ours = [gflops(row, "ours_ns"), microseconds(row, "ours_ns"), "%.2f" % row["ratio"]]
        rows.append([row["shape"], ours[0], gflops(row, "peer_ns"), ours[1], microseconds(row, "peer_ns"), row["peer"],
                     ours[2]])
    print_table(["one thread", "GFLOP/s", "peer", "us", "peer", "best peer", "ratio"], rows)
    if result["geomean_ratio"] is not None:
        print("geometric mean of the ratios %.3f, smallest %.3f" % (result["geomean_ratio"], result["min_ratio"]))
    print("peak of one core %.0f GFLOP/s" % result["fma_peak_gflops"])


def main():
    options = parse_arguments()
    shapes = chosen_shapes(options.shapes)
    if not shapes:
        sys.exit("scripts/bench kernels: error: no shape's name contains '%s'; see bench/networks.py and "
                 "bench/shapes.json" % options.shapes)
    programs = options.programs.resolve()
    peers, ours = [], None
    try:
        peers.append(Peer("oneDNN", [str(programs / "onednn_peer")], last_cores(1)))
        peers.append(Peer("OpenBLAS", [str(programs / "openblas_peer")], last_cores(1)))
        peers.append(Peer("ONNX Runtime", [options.python, str(FOLDER / "peers" / "ort_peer.py")], last_cores(1)))
        if not options.peers_only:
            # Tuning may use every core; the server pins what it times to the last one, as the peers are.
            ours = Peer("tilth", [str(programs / "tilth_peer"), options.log, str(options.trials)])
        rows = []
        for shape in shapes:
            print("measuring %s" % shape["name"], file=sys.stderr)
            rows.append(measure_shape(shape, ours, peers, options))
        ratios = [row["ratio"] for row in rows if "ratio" in row]
        result = {"rows": rows, "geomean_ratio": geometric_mean(ratios), "min_ratio": min(ratios, default=None),
                  "fma_peak_gflops": fma_peak_gflops(programs)}
    except PeerError as error:
        sys.exit("scripts/bench kernels: error: %s" % error)
    finally:
        for peer in peers + ([ours] if ours else []):
            peer.close()
    if options.json:
        print(json.dumps(result, indent=2))
    else:
        print_result(result)


if __name__ == "__main__":
    main()
