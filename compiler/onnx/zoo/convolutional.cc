// ResNet, MobileNetV2 and SqueezeNet.
#include "compiler/onnx/zoo/architectures.h"
#include "compiler/onnx/zoo/network.h"

namespace tilth {
namespace {

using Ints = std::vector<int64_t>;

std::string MaxPool(Network* net, const std::string& x, int64_t padding, bool ceil_mode) {
  return net->Node("MaxPool", {x},
                   {{"kernel_shape", Ints{3, 3}},
                    {"strides", Ints{2, 2}},
                    {"pads", Ints(4, padding)},
                    {"ceil_mode", static_cast<int64_t>(ceil_mode)}});
}

std::string Relu(Network* net, const std::string& x) { return net->Node("Relu", {x}); }

std::string Pooled(Network* net, const std::string& x) {
  return net->Node("Flatten", {net->Node("GlobalAveragePool", {x})}, {{"axis", int64_t{1}}});
}

// The branch's last normalisation is scaled down, so that sums over many blocks stay small.
constexpr float kBranchScale = 0.25f;

std::string ResNetBlock(Network* net, const std::string& x, int64_t in, int64_t width, int64_t out, int64_t stride,
                        bool bottleneck) {
  std::string y;
  if (bottleneck) {
    y = Relu(net, net->BatchNorm(net->Conv(x, in, width, 1), width));
    y = Relu(net, net->BatchNorm(net->Conv(y, width, width, 3, stride), width));
    y = net->BatchNorm(net->Conv(y, width, out, 1), out, kBranchScale);
  } else {
    y = Relu(net, net->BatchNorm(net->Conv(x, in, width, 3, stride), width));
    y = net->BatchNorm(net->Conv(y, width, out, 3), out, kBranchScale);
  }
  const bool projects = stride != 1 || in != out;
  const std::string shortcut = projects ? net->BatchNorm(net->Conv(x, in, out, 1, stride), out) : x;
  return Relu(net, net->Node("Add", {y, shortcut}));
}

}  // namespace

void BuildResNet(Network* net, const std::vector<int>& blocks, bool bottleneck) {
  std::string x = net->Input("input", DType::kF32, {1, 3, 224, 224});
  x = MaxPool(net, Relu(net, net->BatchNorm(net->Conv(x, 3, 64, 7, 2), 64)), 1, false);
  int64_t in = 64, width = 64;
  for (size_t stage = 0; stage < blocks.size(); ++stage, width *= 2) {
    const int64_t out = bottleneck ? 4 * width : width;
    for (int block = 0; block < blocks[stage]; ++block) {
      x = ResNetBlock(net, x, in, width, out, stage > 0 && block == 0 ? 2 : 1, bottleneck);
      in = out;
    }
  }
  net->Output(net->Classifier(Pooled(net, x), in, 1000), "output");
}

void BuildMobileNetV2(Network* net) {
  struct Stage {
    int64_t expansion, filters, blocks, stride;
  };
  constexpr Stage kStages[] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                               {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
  const std::string zero = net->Scalar(0), six = net->Scalar(6);
  const auto relu6 = [&](const std::string& x) { return net->Node("Clip", {x, zero, six}); };
  std::string x = net->Input("input", DType::kF32, {1, 3, 224, 224});
  x = relu6(net->BatchNorm(net->Conv(x, 3, 32, 3, 2), 32));
  int64_t in = 32;
  for (const Stage& stage : kStages) {
    for (int64_t block = 0; block < stage.blocks; ++block) {
      const int64_t stride = block == 0 ? stage.stride : 1, hidden = in * stage.expansion;
      std::string y = x;
      if (stage.expansion != 1) y = relu6(net->BatchNorm(net->Conv(y, in, hidden, 1), hidden));
      y = relu6(net->BatchNorm(net->Conv(y, hidden, hidden, 3, stride, hidden), hidden));
      y = net->BatchNorm(net->Conv(y, hidden, stage.filters, 1), stage.filters);
      x = stride == 1 && in == stage.filters ? net->Node("Add", {x, y}) : y;
      in = stage.filters;
    }
  }
  x = relu6(net->BatchNorm(net->Conv(x, in, 1280, 1), 1280));
  net->Output(net->Classifier(Pooled(net, x), 1280, 1000), "output");
}

void BuildSqueezeNet(Network* net) {
  const auto conv_relu = [&](const std::string& x, int64_t in, int64_t out, int64_t kernel, int64_t stride = 1,
                             bool pad = true) {
    return Relu(net, net->Conv(x, in, out, kernel, stride, 1, true, pad));
  };
  const auto fire = [&](const std::string& x, int64_t in, int64_t squeeze, int64_t expand) {
    const std::string narrow = conv_relu(x, in, squeeze, 1);
    const std::string left = conv_relu(narrow, squeeze, expand, 1), right = conv_relu(narrow, squeeze, expand, 3);
    return net->Node("Concat", {left, right}, {{"axis", int64_t{1}}});
  };
  std::string x = net->Input("input", DType::kF32, {1, 3, 224, 224});
  x = MaxPool(net, conv_relu(x, 3, 64, 3, 2, false), 0, true);
  x = fire(fire(x, 64, 16, 64), 128, 16, 64);
  x = MaxPool(net, x, 0, true);
  x = fire(fire(x, 128, 32, 128), 256, 32, 128);
  x = MaxPool(net, x, 0, true);
  x = fire(fire(x, 256, 48, 192), 384, 48, 192);
  x = fire(fire(x, 384, 64, 256), 512, 64, 256);
  x = conv_relu(x, 512, 1000, 1);
  net->Output(Pooled(net, x), "output");
}

}  // namespace tilth
