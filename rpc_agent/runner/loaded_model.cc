#include "rpc_agent/runner/loaded_model.h"

#include <dlfcn.h>

#include <fstream>
#include <ios>

namespace tilth::runner {
namespace {

bool WrongCount(const char* what, size_t given, uint32_t wanted, std::string* error) {
  if (given == wanted) return false;
  *error = "the model has " + std::to_string(wanted) + " " + what + ", not " + std::to_string(given);
  return true;
}

}  // namespace

const TilthModel* OpenModel(const std::string& path, std::string* error) {
  void* const library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    *error = std::string("the library cannot be loaded: ") + dlerror();
    return nullptr;
  }
  const auto* const model = static_cast<const TilthModel*>(dlsym(library, TILTH_MODEL_SYMBOL));
  if (model == nullptr) {
    *error = path + " exports no symbol " TILTH_MODEL_SYMBOL;
  } else if (model->magic != TILTH_MODEL_MAGIC) {
    *error = path + " is not a Tilth model library (wrong magic)";
  } else if (model->abi_version != TILTH_MODEL_ABI_VERSION) {
    *error = path + " has model ABI version " + std::to_string(model->abi_version) +
             ", this runner understands version " + std::to_string(TILTH_MODEL_ABI_VERSION) +
             "; build the model with the same release";
  } else {
    return model;
  }
  return nullptr;
}

ModelTensors::ModelTensors(const TilthModel& model) : model_(model) {
  const auto allocate = [this](int64_t bytes) {
    return static_cast<void*>(storage_.emplace_back(static_cast<size_t>(bytes) / sizeof(Block) + 1).data());
  };
  for (uint32_t i = 0; i < model.num_inputs; ++i) writable_inputs_.push_back(allocate(model.inputs[i].size_bytes));
  for (uint32_t i = 0; i < model.num_outputs; ++i) output_pointers_.push_back(allocate(model.outputs[i].size_bytes));
  input_pointers_.assign(writable_inputs_.begin(), writable_inputs_.end());
}

bool ModelTensors::ReadInputs(const std::vector<std::string>& paths, std::string* error) {
  if (WrongCount("inputs", paths.size(), model_.num_inputs, error)) return false;
  for (size_t i = 0; i < paths.size(); ++i) {
    const std::streamsize size = model_.inputs[i].size_bytes;
    std::ifstream file(paths[i], std::ios::binary | std::ios::ate);
    if (!file || file.tellg() != size || !file.seekg(0).read(static_cast<char*>(writable_inputs_[i]), size)) {
      *error = paths[i] + " does not hold the " + std::to_string(size) + " bytes of input " + model_.inputs[i].name;
      return false;
    }
  }
  return true;
}

bool ModelTensors::WriteOutputs(const std::vector<std::string>& paths, std::string* error) const {
  if (WrongCount("outputs", paths.size(), model_.num_outputs, error)) return false;
  for (size_t i = 0; i < paths.size(); ++i) {
    std::ofstream file(paths[i], std::ios::binary | std::ios::trunc);
    file.write(static_cast<const char*>(output_pointers_[i]), model_.outputs[i].size_bytes).flush();
    if (!file) {
      *error = "cannot write output " + std::string(model_.outputs[i].name) + " to " + paths[i];
      return false;
    }
  }
  return true;
}

}  // namespace tilth::runner
