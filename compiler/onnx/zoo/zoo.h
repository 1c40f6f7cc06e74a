// The model zoo: exact architectures of well-known networks with seeded random weights, because a fresh machine has no
// models to try. Weights are scaled so that activations stay finite; the results mean nothing.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "ir/interpreter.h"

namespace tilth {

struct ZooModel {
  std::string name;         // "resnet50"
  std::string description;  // for people
};

std::vector<ZooModel> ListZoo();

struct ZooTestCase {
  std::string model;  // a serialised ModelProto
  std::vector<std::string> input_names;
  std::vector<TensorValue> inputs;
};

// Equal seeds give equal bytes. An unknown name is an error that lists the known ones.
StatusOr<ZooTestCase> MakeZooModel(std::string_view name, uint64_t seed);

}  // namespace tilth
