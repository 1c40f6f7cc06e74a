"""ONNX Runtime as a peer for whole models: the line protocol of bench/peers/peer_loop.h, where a request is

    {"model":"model.onnx","inputs":["input_0.pb",…],"threads":N}

Inputs are TensorProto files as in ONNX test cases. Needs the packages onnxruntime and numpy.
"""
import json
import os
import sys
import time

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import numpy  # noqa: E402
import onnxruntime  # noqa: E402

# TensorProto.DataType
DTYPES = {1: numpy.float32, 2: numpy.uint8, 3: numpy.int8, 6: numpy.int32, 7: numpy.int64, 9: numpy.bool_,
          10: numpy.float16, 11: numpy.float64}
WARM_UP_S = 0.2


def read_varint(data, at):
    """A base-128 number and the position after it."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def fields(data):
    """(field number, value) of a serialized message: an int for a varint, bytes for the rest."""
    at = 0
    while at < len(data):
        key, at = read_varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = read_varint(data, at)
        else:
            size, at = read_varint(data, at) if kind == 2 else ({1: 8, 5: 4}[kind], at)
            value = data[at:at + size]
            at += size
        yield key >> 3, value


def packed_varints(value):
    """The numbers of a repeated integer field, packed or not."""
    if isinstance(value, int):
        return [value]
    numbers, at = [], 0
    while at < len(value):
        number, at = read_varint(value, at)
        numbers.append(number)
    return numbers


def read_tensor(path):
    """The array in a TensorProto file."""
    dims, dtype, raw = [], numpy.float32, b""
    integers = []
    with open(path, "rb") as file:
        data = file.read()
    for number, value in fields(data):
        if number == 1:
            dims += packed_varints(value)
        elif number == 2:
            dtype = DTYPES[value]
        elif number in (4, 9):  # float_data, raw_data: little-endian either way
            raw += value
        elif number in (5, 7):  # int32_data, int64_data
            integers += [n - (1 << 64) if n >= 1 << 63 else n for n in packed_varints(value)]
    array = numpy.array(integers, dtype) if integers else numpy.frombuffer(raw, dtype)
    return array.reshape(dims)


class Model:
    """A session with its inputs."""

    def __init__(self, request):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = request["threads"]
        options.inter_op_num_threads = 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(request["model"], options, providers=["CPUExecutionProvider"])
        names = [each.name for each in self.session.get_inputs()]
        self.inputs = dict(zip(names, map(read_tensor, request["inputs"])))
        until = time.perf_counter() + WARM_UP_S
        while time.perf_counter() < until:
            self.session.run(None, self.inputs)

    def samples(self, count):
        """Nanoseconds of `count` runs, after one that warms the caches."""
        self.session.run(None, self.inputs)
        result = []
        for _ in range(count):
            begin = time.perf_counter_ns()
            self.session.run(None, self.inputs)
            result.append(time.perf_counter_ns() - begin)
        return result


def main():
    model = None
    for line in sys.stdin:
        if line.startswith("run ") and model:
            answer = model.samples(int(line[4:]))
        else:
            answer = {"ready": True, "peer": "ONNX Runtime " + onnxruntime.__version__}
            try:
                model = Model(json.loads(line))
            except Exception as error:  # the driver decides what a model that does not run means
                answer = {"ready": False, "peer": answer["peer"], "reason": str(error)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
