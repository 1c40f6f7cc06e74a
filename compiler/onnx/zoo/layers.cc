// Layers of random shapes, side by side: what a cost model is trained on that shall know no network by heart.
#include <algorithm>

#include "base/rng.h"
#include "compiler/onnx/zoo/architectures.h"
#include "compiler/onnx/zoo/network.h"

namespace tilth {
namespace {

using Ints = std::vector<int64_t>;

// Limits the time of a layer to some milliseconds, and its memory.
constexpr int64_t kMostMacs = 300'000'000, kMostElements = 4'000'000;

const Ints kSizes = {7, 8, 10, 13, 14, 16, 20, 24, 26, 28, 32, 40, 48, 52, 56, 64, 80, 96, 112, 160, 224};
const Ints kChannels = {3,   8,   16,  20,  24,  32,  40,  48,  64,  72,  80,  96,   112,  128, 144,
                        160, 192, 240, 256, 320, 384, 480, 512, 640, 768, 960, 1024, 1280, 2048};

class Layers {
 public:
  Layers(Network* net, uint64_t seed) : net_(*net), rng_(seed) {}

  std::vector<LayerInput> Build(int count) {
    while (layers_ < count) {
      const double kind = rng_.Uniform();
      if (kind < 0.30) {
        Convolution(1);
      } else if (kind < 0.55) {
        Convolution(Choose({3, 3, 3, 5, 7}));
      } else if (kind < 0.72) {
        Depthwise(Choose({3, 3, 3, 5, 7}));
      } else if (kind < 0.86) {
        Linear();
      } else if (kind < 0.91) {
        Attention();
      } else if (kind < 0.95) {
        Pooling();
      } else {
        Normalisation();
      }
    }
    return std::move(inputs_);
  }

 private:
  int64_t Choose(const Ints& options) { return options[rng_.Below(options.size())]; }
  int64_t Between(int64_t least, int64_t most) {
    return least + static_cast<int64_t>(rng_.Below(static_cast<uint64_t>(most - least + 1)));
  }

  std::string Input(const Ints& shape) {
    inputs_.push_back({"input_" + std::to_string(inputs_.size()), shape});
    return net_.Input(inputs_.back().name, DType::kF32, shape);
  }

  // An image with channels last, as inside a network, so that a layer has no copies around it.
  std::string Image(int64_t height, int64_t width, int64_t channels) {
    return net_.Node("Transpose", {Input({1, height, width, channels})}, {{"perm", Ints{0, 3, 1, 2}}});
  }
  void ImageOutput(const std::string& x) { Output(net_.Node("Transpose", {x}, {{"perm", Ints{0, 2, 3, 1}}})); }
  void Output(const std::string& x) { net_.Output(x, "output_" + std::to_string(layers_++)); }

  std::string Activation(const std::string& x) {
    const uint64_t kind = rng_.Below(4);
    if (kind == 0) return x;
    return kind == 1 ? net_.Node("Clip", {x, net_.Scalar(0), net_.Scalar(6)}) : net_.Node("Relu", {x});
  }

  void Convolution(int64_t kernel) {
    const int64_t height = Choose(kSizes), width = rng_.Below(4) > 0 ? height : Choose(kSizes);
    const int64_t channels = Choose(kChannels), filters = Choose(kChannels), stride = rng_.Below(4) == 0 ? 2 : 1;
    const int64_t outputs = height * width / (stride * stride) * filters;
    if (kernel > height || kernel > width || outputs * channels * kernel * kernel > kMostMacs ||
        std::max(height * width * channels, std::max(outputs, channels * filters * kernel * kernel)) > kMostElements) {
      return;
    }
    std::string y = net_.Conv(Image(height, width, channels), channels, filters, kernel, stride, 1, /*bias=*/true);
    if (stride == 1 && rng_.Below(5) == 0) y = net_.Node("Add", {y, Image(height, width, filters)});
    ImageOutput(Activation(y));
  }

  void Depthwise(int64_t kernel) {
    const int64_t size = Choose(kSizes), channels = Choose(kChannels), stride = rng_.Below(3) == 0 ? 2 : 1;
    if (kernel > size || size * size * channels > kMostElements) return;
    ImageOutput(Activation(
        net_.Conv(Image(size, size, channels), channels, channels, kernel, stride, channels, /*bias=*/true)));
  }

  void Linear() {
    const int64_t rows = rng_.Below(3) == 0 ? 1 : Between(2, 512), inputs = Choose(kChannels),
                  outputs = Choose(kChannels);
    if (rows * inputs * outputs > kMostMacs || inputs * outputs > kMostElements) return;
    Output(Activation(net_.Linear(Input({rows, inputs}), inputs, outputs)));
  }

  // One of the two products of attention: by keys, whose rows run along the sum, or by values.
  void Attention() {
    const int64_t heads = Choose({1, 2, 3, 4, 6, 8, 12, 16}), sequence = Between(16, 256),
                  width = Choose({32, 48, 64, 80, 128});
    if (rng_.Below(2) == 0) {
      const std::string keys =
          net_.Node("Transpose", {Input({1, heads, sequence, width})}, {{"perm", Ints{0, 1, 3, 2}}});
      Output(net_.Node("MatMul", {Input({1, heads, sequence, width}), keys}));
    } else {
      Output(net_.Node("MatMul", {Input({1, heads, sequence, sequence}), Input({1, heads, sequence, width})}));
    }
  }

  void Pooling() {
    const int64_t size = Choose(kSizes), channels = Choose(kChannels);
    if (size * size * channels > kMostElements) return;
    const std::string x = Image(size, size, channels);
    if (rng_.Below(3) == 0) return Output(net_.Node("GlobalAveragePool", {x}));
    const int64_t kernel = Choose({2, 3});
    const Ints pads(4, kernel == 3 ? 1 : 0);
    ImageOutput(net_.Node(rng_.Below(3) == 0 ? "AveragePool" : "MaxPool", {x},
                          {{"kernel_shape", Ints{kernel, kernel}}, {"strides", Ints{2, 2}}, {"pads", pads}}));
  }

  void Normalisation() {
    const int64_t rows = Between(16, 1536), width = Choose(kChannels);
    const std::string x = Input({rows, width});
    Output(rng_.Below(2) == 0 ? net_.Node("Softmax", {x}, {{"axis", int64_t{1}}}) : net_.LayerNorm(x, width));
  }

  Network& net_;
  Rng rng_;
  int layers_ = 0;
  std::vector<LayerInput> inputs_;
};

}  // namespace

std::vector<LayerInput> BuildLayers(Network* network, uint64_t seed, int count) {
  return Layers(network, seed).Build(count);
}

}  // namespace tilth
