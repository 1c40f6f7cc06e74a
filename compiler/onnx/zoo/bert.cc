#include <cmath>

#include "compiler/onnx/zoo/architectures.h"
#include "compiler/onnx/zoo/network.h"

namespace tilth {
namespace {

constexpr int64_t kHidden = 768, kHeads = 12, kFeedForward = 3072, kPositions = 512;

using Ints = std::vector<int64_t>;

class Bert {
 public:
  Bert(Network* net, int64_t sequence) : net_(*net), sequence_(sequence) {}

  void Build(int64_t layers) {
    const std::string ids = net_.Input("input_ids", DType::kI64, {1, sequence_});
    const std::string mask = net_.Input("attention_mask", DType::kI64, {1, sequence_});
    const std::string bias = MaskBias(mask);
    std::string x = Embeddings(ids);
    for (int64_t layer = 0; layer < layers; ++layer) x = Layer(x, bias);
    const std::string first = net_.Node("Gather", {x, net_.Ints({0})}, {{"axis", int64_t{1}}});
    const std::string pooled =
        net_.Node("Tanh", {net_.Linear(net_.Node("Squeeze", {first, net_.Ints({1})}), kHidden, kHidden)});
    net_.Output(x, "last_hidden_state");
    net_.Output(pooled, "pooler_output");
  }

 private:
  // 0 where the mask is 1, -10000 where it is 0, as (1, 1, 1, sequence).
  std::string MaskBias(const std::string& mask) {
    const std::string wide = net_.Node("Unsqueeze", {mask, net_.Ints({1, 2})});
    const std::string number = net_.Node("Cast", {wide}, {{"to", int64_t{1}}});
    return net_.Node("Mul", {net_.Node("Sub", {net_.Scalar(1), number}), net_.Scalar(-10000)});
  }

  std::string Embeddings(const std::string& ids) {
    const std::string words = net_.Node("Gather", {net_.Weight("words", {kBertVocabulary, kHidden}, 0, 0.05f), ids});
    const std::string positions = net_.Node("Slice", {net_.Weight("positions", {1, kPositions, kHidden}, 0, 0.05f),
                                                      net_.Ints({0}), net_.Ints({sequence_}), net_.Ints({1})});
    const std::string types = net_.Weight("token_type", {1, 1, kHidden}, 0, 0.05f);
    return net_.LayerNorm(net_.Node("Add", {net_.Node("Add", {words, types}), positions}), kHidden);
  }

  // (1, sequence, hidden) to (1, heads, sequence, hidden / heads), or with the last two exchanged.
  std::string SplitHeads(const std::string& x, bool transposed) {
    const std::string split = net_.Node("Reshape", {x, net_.Ints({1, sequence_, kHeads, kHidden / kHeads})});
    return net_.Node("Transpose", {split}, {{"perm", transposed ? Ints{0, 2, 3, 1} : Ints{0, 2, 1, 3}}});
  }

  std::string Attention(const std::string& x, const std::string& bias) {
    const std::string query = SplitHeads(net_.Linear(x, kHidden, kHidden), false);
    const std::string key = SplitHeads(net_.Linear(x, kHidden, kHidden), true);
    const std::string value = SplitHeads(net_.Linear(x, kHidden, kHidden), false);
    const std::string scores = net_.Node("Div", {net_.Node("MatMul", {query, key}), net_.Scalar(8)});
    const std::string weights = net_.Node("Softmax", {net_.Node("Add", {scores, bias})}, {{"axis", int64_t{-1}}});
    const std::string mixed =
        net_.Node("Transpose", {net_.Node("MatMul", {weights, value})}, {{"perm", Ints{0, 2, 1, 3}}});
    return net_.Linear(net_.Node("Reshape", {mixed, net_.Ints({1, sequence_, kHidden})}), kHidden, kHidden);
  }

  std::string Gelu(const std::string& x) {
    const std::string erf = net_.Node("Erf", {net_.Node("Div", {x, net_.Scalar(std::sqrt(2.0f))})});
    const std::string product = net_.Node("Mul", {x, net_.Node("Add", {erf, net_.Scalar(1)})});
    return net_.Node("Mul", {product, net_.Scalar(0.5f)});
  }

  std::string Layer(const std::string& x, const std::string& bias) {
    const std::string attended = net_.LayerNorm(net_.Node("Add", {Attention(x, bias), x}), kHidden);
    const std::string wide = Gelu(net_.Linear(attended, kHidden, kFeedForward));
    return net_.LayerNorm(net_.Node("Add", {net_.Linear(wide, kFeedForward, kHidden), attended}), kHidden);
  }

  Network& net_;
  int64_t sequence_;
};

}  // namespace

void BuildBert(Network* net, int64_t sequence, int64_t layers) { Bert(net, sequence).Build(layers); }

}  // namespace tilth
