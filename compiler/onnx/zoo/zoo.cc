#include "compiler/onnx/zoo/zoo.h"

#include "base/strings.h"
#include "compiler/onnx/zoo/architectures.h"
#include "compiler/onnx/zoo/network.h"

namespace tilth {
namespace {

constexpr int64_t kBertSequence = 128, kBertLayers = 12;

struct Entry {
  std::string_view name, description;
  void (*build)(Network* network);
  bool is_text;  // token ids and a mask; otherwise an image
};

constexpr Entry kEntries[] = {
    {"resnet18", "ResNet-18, 1x3x224x224, 1.8 GMACs, 45 MiB", [](Network* n) { BuildResNet(n, {2, 2, 2, 2}, false); },
     false},
    {"resnet50", "ResNet-50, 1x3x224x224, 4.1 GMACs, 98 MiB", [](Network* n) { BuildResNet(n, {3, 4, 6, 3}, true); },
     false},
    {"mobilenetv2", "MobileNetV2 1.0, 1x3x224x224, 0.3 GMACs, 14 MiB", BuildMobileNetV2, false},
    {"squeezenet1.1", "SqueezeNet 1.1, 1x3x224x224, 0.35 GMACs, 5 MiB", BuildSqueezeNet, false},
    {"bert-base", "BERT-base encoder, sequence 128, 11 GMACs, 420 MiB",
     [](Network* n) { BuildBert(n, kBertSequence, kBertLayers); }, true},
};

Tensor InputTensor(DType dtype, std::vector<int64_t> shape, int64_t value_bound) {
  Tensor tensor;
  tensor.dtype = dtype;
  tensor.shape = std::move(shape);
  tensor.value_bound = value_bound;
  return tensor;
}

}  // namespace

std::vector<ZooModel> ListZoo() {
  std::vector<ZooModel> models;
  for (const Entry& entry : kEntries) models.push_back({std::string(entry.name), std::string(entry.description)});
  return models;
}

StatusOr<ZooTestCase> MakeZooModel(std::string_view name, uint64_t seed) {
  std::string known;
  for (const Entry& entry : kEntries) {
    StrAppend(&known, known.empty() ? "" : ", ", entry.name);
    if (entry.name != name) continue;
    Network network(std::string(entry.name), seed);
    entry.build(&network);
    ZooTestCase made;
    made.model = network.Serialize();
    if (!entry.is_text) {
      made.input_names = {"input"};
      made.inputs = {RandomValue(InputTensor(DType::kF32, {1, 3, 224, 224}, 0), seed, 0)};
      return made;
    }
    made.input_names = {"input_ids", "attention_mask"};
    made.inputs = {RandomValue(InputTensor(DType::kI64, {1, kBertSequence}, kBertVocabulary), seed, 0),
                   ZeroValue(DType::kI64, {1, kBertSequence})};
    // The last eighth is padding.
    for (int64_t i = 0; i < kBertSequence * 7 / 8; ++i) made.inputs[1].Set(i, 1);
    return made;
  }
  return absl::NotFoundError(StrCat("the zoo has no model '", name, "'; it has ", known));
}

}  // namespace tilth
