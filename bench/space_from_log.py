"""Writes an exhaustively measured kernel of a tuning log as a search space for `tilth replay`.

    python3 bench/space_from_log.py LOG.db KERNEL OUT.json.gz

KERNEL is a part of the kernel's name. The format is that of Kernel Tuner's cache files. A knob whose options are lists
becomes a parameter for each of their elements.
"""
import gzip
import json
import sqlite3
import sys


def parameters_of(decisions):
    """{"tile.register": [1, 12, 2]} as {"tile.register.0": 1, ...}; what a sketch lacks is 0 elsewhere."""
    flat = {}
    for name, value in decisions.items():
        if isinstance(value, list) and len(value) > 1:
            flat |= {"%s.%d" % (name, i): element for i, element in enumerate(value)}
        else:
            flat[name] = value[0] if isinstance(value, list) else value
    return flat


def read_records(path, kernel):
    """(name, [(parameters, samples in ms or None for a failure)]), each candidate once, in the order of measuring."""
    with sqlite3.connect("file:%s?mode=ro" % path, uri=True) as connection:
        names = [name for name, in connection.execute("SELECT DISTINCT name FROM workload WHERE instr(name, ?)",
                                                      (kernel,))]
        if len(names) != 1:
            sys.exit("space_from_log: error: '%s' names %d kernels of %s%s" % (kernel, len(names), path,
                                                                              "".join("\n  " + n for n in names)))
        rows = connection.execute(
            "SELECT r.decisions, r.status, r.samples_ns FROM record r JOIN workload w ON w.hash = r.workload_hash "
            "WHERE w.name = ? AND r.origin NOT IN ('final', 'duplicate') ORDER BY r.time_unix_ns", (names[0],))
        seen = {}
        for decisions, status, samples in rows:
            times = [round(ns / 1e6, 7) for ns in json.loads(samples)] if status == "ok" else None
            seen.setdefault(decisions, (parameters_of(json.loads(decisions)), times))
    return names[0], list(seen.values())


def space_of(name, records):
    keys = sorted({key for parameters, _ in records for key in parameters})
    keys = [key for key in keys if len({parameters.get(key, 0) for parameters, _ in records}) > 1]
    cache = {}
    for parameters, times in records:
        values = {key: parameters.get(key, 0) for key in keys}
        entry = dict(values)
        if times is None:
            entry["time"] = "RuntimeFailedConfig"
        else:
            entry |= {"time": sum(times) / len(times), "times": times}
        cache[",".join(str(value) for value in values.values())] = entry
    options = {key: sorted({entry[key] for entry in cache.values()}, key=lambda v: (isinstance(v, str), v))
               for key in keys}
    return {"device_name": "CPU", "kernel_name": name, "problem_size": [], "tune_params_keys": keys,
            "tune_params": options, "objective": "time", "cache": cache}


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__.strip())
    name, records = read_records(sys.argv[1], sys.argv[2])
    with gzip.GzipFile(sys.argv[3], "wb", mtime=0) as out:
        out.write(json.dumps(space_of(name, records)).encode())
    print("%s: %d candidates of %s" % (sys.argv[3], len(records), name))


if __name__ == "__main__":
    main()
