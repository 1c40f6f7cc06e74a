"""ONNX models of one operator each, for the shapes of bench/peers/peer_loop.h; images are channels-first as in ONNX."""
import numpy
import onnx
from onnx import TensorProto, helper

OPSET = 17


def random_array(shape):
    """Numbers in [-1, 1) that repeat over runs."""
    return numpy.random.default_rng(1).uniform(-1, 1, shape).astype(numpy.float32)


def matmul(shape):
    """The right operand is an initializer where it is weights; a transposed one is transposed by the model."""
    batch = [shape["b"]] if "b" in shape else []
    left, right = batch + [shape["m"], shape["k"]], batch + [shape["k"], shape["n"]]
    if not shape.get("transposed"):
        return [helper.make_node("MatMul", ["x", "w"], ["y"])], left, {"w": right}, shape.get("weights", True)
    order = [0, 2, 1] if batch else [1, 0]
    nodes = [helper.make_node("Transpose", ["w"], ["t"], perm=order), helper.make_node("MatMul", ["x", "t"], ["y"])]
    return nodes, left, {"w": batch + [shape["n"], shape["k"]]}, shape.get("weights", True)


def window(shape):
    """The attributes of a convolution or pooling."""
    return {"kernel_shape": [shape.get("kh", 1), shape.get("kw", 1)], "strides": [shape.get("stride", 1)] * 2,
            "pads": [shape.get("pad", 0)] * 4}


def convolution(shape):
    groups = shape.get("groups", 1)
    filters = [shape["o"], shape["c"] // groups, shape.get("kh", 1), shape.get("kw", 1)]
    node = helper.make_node("Conv", ["x", "w"], ["y"], group=groups, **window(shape))
    return [node], image(shape), {"w": filters}, True


def image(shape):
    return [shape.get("b", 1), shape["c"], shape["h"], shape["w"]]


def pool(operator):
    return lambda shape: ([helper.make_node(operator, ["x"], ["y"], **window(shape))], image(shape), {}, True)


def softmax(shape):
    return [helper.make_node("Softmax", ["x"], ["y"], axis=-1)], [shape["m"], shape["n"]], {}, True


def layer_norm(shape):
    node = helper.make_node("LayerNormalization", ["x", "scale", "bias"], ["y"], axis=-1)
    return [node], [shape["m"], shape["n"]], {"scale": [shape["n"]], "bias": [shape["n"]]}, True


# shape -> nodes, dimensions of the input x, of the other operands, and whether those are known beforehand
KINDS = {"matmul": matmul, "conv2d": convolution, "max_pool": pool("MaxPool"), "average_pool": pool("AveragePool"),
         "softmax": softmax, "layer_norm": layer_norm}


def make(shape):
    """(serialized model, its inputs by name); KeyError for a kind that is not known."""
    nodes, input_dims, others, constant = KINDS[shape["kind"]](shape)
    arrays = {name: random_array(dims) for name, dims in others.items()}
    inputs = {"x": random_array(input_dims)} | ({} if constant else arrays)
    graph = helper.make_graph(
        nodes, shape["kind"],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, array.shape) for name, array in inputs.items()],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(array, name) for name, array in arrays.items()] if constant else [])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    return model.SerializeToString(), inputs
