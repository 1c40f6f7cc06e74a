"""How long we search until a kernel is as good as what TVM 0.14 found, on one core.

TVM's figures were measured on a Sapphire Rapids core with a peak of 257 GFLOP/s; cores differ, so what is compared is
the share of the peak of the core that measures. Each kernel is tuned from an empty log; the clock runs from the start
of the process to the moment that the log has a verified record of that quality, start-up and copies of layout
included.
"""
import argparse
import json
import pathlib
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

from side_by_side import PeerError, print_table

FOLDER = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER / "peers"))

TVM_PEAK_GFLOPS = 257
NEEDED = 30  # times as fast as TVM
# What TVM's tuners reached (GFLOP/s) and after how long.
KERNELS = (
    ("sgemm 1024x1024x1024", "MetaSchedule", 185, 252, {"kind": "matmul", "m": 1024, "k": 1024, "n": 1024}),
    ("sgemm 1024x1024x1024", "Ansor", 135, 459, {"kind": "matmul", "m": 1024, "k": 1024, "n": 1024}),
    ("conv 3x3 64x56x56->64", "MetaSchedule", 209, 93,
     {"kind": "conv2d", "h": 56, "w": 56, "c": 64, "o": 64, "kh": 3, "kw": 3, "pad": 1}),
    ("matmul 128x768x3072", "MetaSchedule", 171, 53, {"kind": "matmul", "m": 128, "k": 768, "n": 3072}),
    ("conv 3x3 512x7x7->512", "MetaSchedule", 151, 115,
     {"kind": "conv2d", "h": 7, "w": 7, "c": 512, "o": 512, "kh": 3, "kw": 3, "pad": 1}),
)


def flops_of(shape):
    if shape["kind"] == "matmul":
        return 2 * shape["m"] * shape["k"] * shape["n"]
    return 2 * shape["h"] * shape["w"] * shape["c"] * shape["o"] * shape["kh"] * shape["kw"]


def write_model(shape, path):
    import single_operator  # needs onnx, which `--help` must not
    model, _ = single_operator.make(shape)
    path.write_bytes(model)


def tune(options, model, log, seed):
    """Seconds since 1970 at which the process was started."""
    begun = time.time()
    command = [str(options.programs / "tilth"), "tune", str(model), "--log", str(log), "--trials", str(options.trials),
               "--seed", str(seed), "--json"]
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if run.returncode != 0:
        raise PeerError("tilth tune: status %d: %s" % (run.returncode, run.stderr.strip()[-300:]))
    return begun


def read_log(log, shape):
    """(seconds since 1970, time in ns) of every measured candidate of the kernel itself, as they came in; the peak."""
    kind = "conv" if shape["kind"] == "conv2d" else "matmul"
    with sqlite3.connect("file:%s?mode=ro" % log, uri=True) as connection:
        peak_gflops = json.loads(connection.execute("SELECT attributes FROM device").fetchone()[0])["peak_gflops"]
        records = [(time_ns * 1e-9, median_ns) for time_ns, median_ns in connection.execute(
            "SELECT r.time_unix_ns, r.median_ns FROM record r JOIN workload w ON w.hash = r.workload_hash "
            "WHERE w.name LIKE ? AND r.status = 'ok' ORDER BY r.time_unix_ns", (kind + "%",))]
    if not records:
        raise PeerError("no candidate could be measured")
    return records, peak_gflops


def search_once(options, shape, wanted_share, seed):
    with tempfile.TemporaryDirectory() as folder:
        model, log = pathlib.Path(folder) / "model.onnx", pathlib.Path(folder) / "tuning.db"
        write_model(shape, model)
        begun = tune(options, model, log, seed)
        records, peak_gflops = read_log(log, shape)
    wanted = wanted_share * peak_gflops
    gflops = [flops_of(shape) / median_ns for _, median_ns in records]
    reached = next((i for i, rate in enumerate(gflops) if rate >= wanted), None)
    return {"wanted_gflops": wanted, "peak_gflops": peak_gflops, "best_gflops": max(gflops),
            "seconds": None if reached is None else records[reached][0] - begun,
            "trials": None if reached is None else reached + 1}


def measure(kernel, options):
    """The median over seeds."""
    name, tuner, tvm_gflops, tvm_seconds, shape = kernel
    runs = [search_once(options, shape, tvm_gflops / TVM_PEAK_GFLOPS, seed) for seed in range(1, options.seeds + 1)]
    row = {"kernel": name, "tvm_tuner": tuner, "tvm_share_of_peak": tvm_gflops / TVM_PEAK_GFLOPS,
           "tvm_seconds": tvm_seconds, "runs": runs,
           "best_share_of_peak": statistics.median(run["best_gflops"] / run["peak_gflops"] for run in runs)}
    if all(run["seconds"] is not None for run in runs):
        row["seconds"] = statistics.median(run["seconds"] for run in runs)
        row["trials"] = statistics.median(run["trials"] for run in runs)
        row["ratio"] = tvm_seconds / row["seconds"]
    return row


def parse_arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench search", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter,
                                     epilog="Example:\n  scripts/bench search --seeds 5 --kernels sgemm --json")
    parser.add_argument("--kernels", default="", help="only those whose name contains this text")
    parser.add_argument("--trials", type=int, default=64, help="of each search, which goes on after it has got there")
    parser.add_argument("--seeds", type=int, default=3, help="searches of each kernel; their median counts")
    parser.add_argument("--programs", type=pathlib.Path, default=pathlib.Path("build/release/bin"))
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    return parser.parse_args()


def print_result(result):
    rows = []
    for row in result["rows"]:
        reached = ["never", "-", "-"]
        if "ratio" in row:
            reached = ["%.2f" % row["seconds"], "%d" % row["trials"], "%.0f" % row["ratio"]]
        rows.append([row["kernel"], row["tvm_tuner"], "%.2f" % row["tvm_share_of_peak"], "%d" % row["tvm_seconds"],
                     *reached, "%.2f" % row["best_share_of_peak"]])
    print_table(["from an empty log", "TVM's tuner", "of peak", "TVM s", "our s", "trials", "ratio", "our best"],
                rows)
    print("needed: %d times as fast as TVM" % NEEDED)


def main():
    options = parse_arguments()
    kernels = [kernel for kernel in KERNELS if options.kernels in kernel[0]]
    if not kernels:
        sys.exit("scripts/bench search: error: no kernel's name contains '%s'" % options.kernels)
    rows = []
    try:
        for kernel in kernels:
            print("searching %s (%s)" % (kernel[0], kernel[1]), file=sys.stderr)
            rows.append(measure(kernel, options))
    except PeerError as error:
        sys.exit("scripts/bench search: error: %s" % error)
    result = {"rows": rows, "needed_ratio": NEEDED, "min_ratio": min((row.get("ratio", 0) for row in rows))}
    if options.json:
        print(json.dumps(result, indent=2))
    else:
        print_result(result)


if __name__ == "__main__":
    main()
