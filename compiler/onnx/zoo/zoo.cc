#include "compiler/onnx/zoo/zoo.h"

#include "base/strings.h"
#include "compiler/onnx/zoo/architectures.h"
#include "compiler/onnx/zoo/network.h"

namespace tilth {
namespace {

constexpr int64_t kBertSequence = 128, kBertLayers = 12;
constexpr int kRandomLayers = 24;

struct Entry {
  std::string_view name, description;
  ZooTestCase (*make)(Network* network, uint64_t seed);
};

Tensor InputTensor(DType dtype, std::vector<int64_t> shape, int64_t value_bound) {
  Tensor tensor;
  tensor.dtype = dtype;
  tensor.shape = std::move(shape);
  tensor.value_bound = value_bound;
  return tensor;
}

void AddInput(const std::string& name, const std::vector<int64_t>& shape, uint64_t seed, ZooTestCase* made) {
  const auto number = static_cast<int>(made->inputs.size());
  made->input_names.push_back(name);
  made->inputs.push_back(RandomValue(InputTensor(DType::kF32, shape, 0), seed, number));
}

ZooTestCase ImageCase(const Network& network, uint64_t seed) {
  ZooTestCase made;
  made.model = network.Serialize();
  AddInput("input", {1, 3, 224, 224}, seed, &made);
  return made;
}

ZooTestCase BertCase(Network* network, uint64_t seed) {
  BuildBert(network, kBertSequence, kBertLayers);
  ZooTestCase made;
  made.model = network->Serialize();
  made.input_names = {"input_ids", "attention_mask"};
  made.inputs = {RandomValue(InputTensor(DType::kI64, {1, kBertSequence}, kBertVocabulary), seed, 0),
                 ZeroValue(DType::kI64, {1, kBertSequence})};
  // The last eighth is padding.
  for (int64_t i = 0; i < kBertSequence * 7 / 8; ++i) made.inputs[1].Set(i, 1);
  return made;
}

ZooTestCase LayersCase(Network* network, uint64_t seed) {
  const std::vector<LayerInput> inputs = BuildLayers(network, seed, kRandomLayers);
  ZooTestCase made;
  made.model = network->Serialize();
  for (const LayerInput& input : inputs) AddInput(input.name, input.shape, seed, &made);
  return made;
}

constexpr Entry kEntries[] = {
    {"resnet18", "ResNet-18, 1x3x224x224, 1.8 GMACs, 45 MiB",
     [](Network* n, uint64_t seed) {
       BuildResNet(n, {2, 2, 2, 2}, false);
       return ImageCase(*n, seed);
     }},
    {"resnet50", "ResNet-50, 1x3x224x224, 4.1 GMACs, 98 MiB",
     [](Network* n, uint64_t seed) {
       BuildResNet(n, {3, 4, 6, 3}, true);
       return ImageCase(*n, seed);
     }},
    {"mobilenetv2", "MobileNetV2 1.0, 1x3x224x224, 0.3 GMACs, 14 MiB",
     [](Network* n, uint64_t seed) {
       BuildMobileNetV2(n);
       return ImageCase(*n, seed);
     }},
    {"squeezenet1.1", "SqueezeNet 1.1, 1x3x224x224, 0.35 GMACs, 5 MiB",
     [](Network* n, uint64_t seed) {
       BuildSqueezeNet(n);
       return ImageCase(*n, seed);
     }},
    {"bert-base", "BERT-base encoder, sequence 128, 11 GMACs, 420 MiB", BertCase},
    {"layers", "24 layers of random kinds and shapes, another choice for every --seed", LayersCase},
};

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
    return entry.make(&network, seed);
  }
  return absl::NotFoundError(StrCat("the zoo has no model '", name, "'; it has ", known));
}

}  // namespace tilth
