// Opens a model library and runs it on tensors that lie in files.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "compiler/runtime/model_abi.h"

namespace tilth::runner {

// The model of the shared object at `path`, which stays open for the life of the process. Null, with the reason in
// *error, if it cannot be loaded or is of another ABI.
const TilthModel* OpenModel(const std::string& path, std::string* error);

// The inputs and outputs of one model, in memory aligned to 64 bytes.
class ModelTensors {
 public:
  explicit ModelTensors(const TilthModel& model);

  // Fills input i from the raw bytes of file paths[i]. False, with the reason in *error, if a file is not exactly as
  // long as the input.
  bool ReadInputs(const std::vector<std::string>& paths, std::string* error);
  // Writes output i to paths[i] as raw bytes.
  bool WriteOutputs(const std::vector<std::string>& paths, std::string* error) const;

  const void* const* inputs() const { return input_pointers_.data(); }
  void* const* outputs() const { return output_pointers_.data(); }

 private:
  struct alignas(64) Block {
    unsigned char bytes[64];
  };

  const TilthModel& model_;
  std::vector<std::vector<Block>> storage_;
  std::vector<void*> writable_inputs_;
  std::vector<const void*> input_pointers_;
  std::vector<void*> output_pointers_;
};

}  // namespace tilth::runner
