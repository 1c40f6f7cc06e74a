"""ONNX Runtime as a peer, with the line protocol of bench/peers/peer_loop.h. A request is a shape as there, run as a
model of that operator alone on one thread, or a whole model:

    {"model":"model.onnx","inputs":["input_0.pb",…],"threads":N}

Inputs are TensorProto files as in ONNX test cases. Needs the packages of bench/requirements.txt.
"""
import json
import os
import sys
import time

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import onnx  # noqa: E402
import onnxruntime  # noqa: E402

import single_operator  # noqa: E402

WARM_UP_S = 0.1
SHORTEST_SAMPLE_NS = 100_000


def read_tensor(path):
    """The array in a TensorProto file."""
    with open(path, "rb") as file:
        return onnx.numpy_helper.to_array(onnx.TensorProto.FromString(file.read()))


class Model:
    """A session with its inputs bound."""

    def __init__(self, model, threads, inputs):
        """`model` is a path or a serialized model, `inputs` arrays by name or in the model's order."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.log_severity_level = 3
        # One thread's CPU time leaves out what others do on the core; several are timed by the wall clock.
        self.clock_ns = time.thread_time_ns if threads == 1 and isinstance(inputs, dict) else time.perf_counter_ns
        self.session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        if not isinstance(inputs, dict):
            inputs = dict(zip([each.name for each in self.session.get_inputs()], inputs))
        # Bound once, so that a run copies nothing in Python.
        self.binding = self.session.io_binding()
        for name, array in inputs.items():
            self.binding.bind_cpu_input(name, array)
        for output in self.session.get_outputs():
            self.binding.bind_output(output.name)
        runs, begin = 0, time.perf_counter_ns()
        while time.perf_counter_ns() - begin < WARM_UP_S * 1e9:
            self.run()
            runs += 1
        one_run_ns = (time.perf_counter_ns() - begin) / runs
        self.runs_per_sample = max(1, int(SHORTEST_SAMPLE_NS / one_run_ns))

    def run(self):
        self.session.run_with_iobinding(self.binding)

    def samples(self, count):
        """Nanoseconds of one run, `count` times, after one that warms the caches."""
        self.run()
        result = []
        for _ in range(count):
            begin = self.clock_ns()
            for _ in range(self.runs_per_sample):
                self.run()
            result.append((self.clock_ns() - begin) / self.runs_per_sample)
        return result


def prepare(request):
    """The model that a request asks for."""
    if "model" in request:
        return Model(request["model"], request["threads"], list(map(read_tensor, request["inputs"])))
    model, inputs = single_operator.make(request)
    return Model(model, 1, inputs)


def main():
    model = None
    for line in sys.stdin:
        if line.startswith("run ") and model:
            answer = model.samples(int(line[4:]))
        else:
            answer = {"ready": True, "peer": "ONNX Runtime " + onnxruntime.__version__}
            try:
                model = prepare(json.loads(line))
            except Exception as error:  # the driver decides what a model that does not run means
                answer = {"ready": False, "peer": answer["peer"], "reason": str(error)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
