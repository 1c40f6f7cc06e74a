"""The kernels of well-known networks at batch 1, as shapes of bench/peers/peer_loop.h: every distinct one that computes
more than an elementwise function, which peers as we ourselves fuse into the kernel before.
"""


def convolution(size, c, o, kernel=1, stride=1, groups=1):
    """A square convolution that keeps the size up to its stride."""
    shape = {"kind": "conv2d", "h": size, "w": size, "c": c, "o": o}
    if kernel > 1:
        shape |= {"kh": kernel, "kw": kernel, "pad": kernel // 2}
    if stride > 1:
        shape["stride"] = stride
    if groups > 1:
        shape["groups"] = groups
    return shape


def matmul(m, k, n, **more):
    """c[m, n] = a[m, k] * b[k, n] with b as weights."""
    return {"kind": "matmul", "m": m, "k": k, "n": n, **more}


def resnet50():
    """ResNet-50 with the stride in the 3x3 convolution, as exported by torchvision."""
    yield convolution(224, 3, 64, 7, 2)
    yield {"kind": "max_pool", "h": 112, "w": 112, "c": 64, "kh": 3, "kw": 3, "stride": 2, "pad": 1}
    size, channels = 56, 64
    for stage, (width, blocks) in enumerate([(64, 3), (128, 4), (256, 6), (512, 3)]):
        for block in range(blocks):
            stride = 2 if block == 0 and stage > 0 else 1
            if block == 0:
                yield convolution(size, channels, 4 * width, 1, stride)
            yield convolution(size, channels, width)
            yield convolution(size, width, width, 3, stride)
            size, channels = size // stride, 4 * width
            yield convolution(size, width, channels)
    yield {"kind": "average_pool", "h": 7, "w": 7, "c": 2048, "kh": 7, "kw": 7}
    yield matmul(1, 2048, 1000)


def mobilenetv2():
    """MobileNetV2 of width 1."""
    yield convolution(224, 3, 32, 3, 2)
    size, channels = 112, 32
    stages = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
    for expansion, width, blocks, first_stride in stages:
        for block in range(blocks):
            stride, hidden = first_stride if block == 0 else 1, channels * expansion
            if expansion > 1:
                yield convolution(size, channels, hidden)
            yield convolution(size, hidden, hidden, 3, stride, hidden)
            size, channels = size // stride, width
            yield convolution(size, hidden, channels)
    yield convolution(size, channels, 1280)
    yield {"kind": "average_pool", "h": size, "w": size, "c": 1280, "kh": size, "kw": size}
    yield matmul(1, 1280, 1000)


def bert_base(sequence=128, hidden=768, heads=12):
    """The encoder of BERT-base."""
    yield matmul(sequence, hidden, hidden)
    yield matmul(sequence, hidden // heads, sequence, b=heads, weights=False, transposed=True)
    yield {"kind": "softmax", "m": heads * sequence, "n": sequence}
    yield matmul(sequence, sequence, hidden // heads, b=heads, weights=False)
    yield {"kind": "layer_norm", "m": sequence, "n": hidden}
    yield matmul(sequence, hidden, 4 * hidden)
    yield matmul(sequence, 4 * hidden, hidden)
    yield matmul(1, hidden, hidden)


def name_of(shape):
    """What a shape is called in tables."""
    get = shape.get
    if shape["kind"] == "matmul":
        batch = "%dx" % get("b") if "b" in shape else ""
        return "matmul %s%dx%dx%d" % (batch, shape["m"], shape["k"], shape["n"]) + (" t" if get("transposed") else "")
    if "m" in shape:
        return "%s %dx%d" % (shape["kind"].replace("_", " "), shape["m"], shape["n"])
    kind = "depthwise" if get("groups", 1) > 1 else shape["kind"].removesuffix("2d").replace("_", " ")
    stride = "/%d" % get("stride") if "stride" in shape else ""
    output = "->%d" % shape["o"] if kind == "conv" else ""
    return "%s %dx%d%s %dx%dx%d%s" % (kind, get("kh", 1), get("kw", 1), stride, shape["c"], shape["h"], shape["w"],
                                      output)


def all_shapes():
    """Every distinct shape of the three networks, with its name and the networks that have it."""
    distinct = {}
    for network in (resnet50, mobilenetv2, bert_base):
        for shape in network():
            entry = distinct.setdefault(name_of(shape), {"name": name_of(shape), "networks": [], **shape})
            if network.__name__ not in entry["networks"]:
                entry["networks"].append(network.__name__)
    return list(distinct.values())
