// The architectures of the zoo; each builds its whole network, inputs and outputs included.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tilth {

class Network;

// He et al. 2015, as in torchvision (stride in the 3x3 convolution): blocks per stage, with bottlenecks or plain.
void BuildResNet(Network* network, const std::vector<int>& blocks, bool bottleneck);

// Sandler et al. 2018, width 1.0, 224x224.
void BuildMobileNetV2(Network* network);

// Iandola et al. 2016, version 1.1.
void BuildSqueezeNet(Network* network);

// Devlin et al. 2018, the base encoder with pooler, as PyTorch exports it: decomposed layer normalisations and GELU.
void BuildBert(Network* network, int64_t sequence, int64_t layers);

struct LayerInput {
  std::string name;
  std::vector<int64_t> shape;
};

// `count` layers of random kinds and shapes, convolutions, matrix products and the like, that share nothing; returns
// their inputs.
std::vector<LayerInput> BuildLayers(Network* network, uint64_t seed, int count);

// Of BERT-base.
inline constexpr int64_t kBertVocabulary = 30522;

}  // namespace tilth
