// From a model and a tuning log to a package: what `tilth build` and `tilth check` share.
#pragma once

#include <string>

#include "base/status.h"
#include "cli/model_arguments.h"
#include "compiler/package/package.h"

namespace CLI {
class App;
}

namespace tilth {

struct BuildArguments {
  ModelArguments model;
  std::string log;                  // path of a tuning log; empty: no kernel has a record
  std::string name;                 // of the library; empty: from the model's path
  std::string cost_model = "none";  // for kernels without a record, as OpenCostModel takes it
  bool strict = false;              // an untuned kernel is an error
  std::string artifact_cache;       // as OpenArtifactCache takes it
  int threads = 0;  // default number of threads of the library; 0: every CPU that the process may run on
};

// Selects, lowers and compiles every kernel, and links the library. Errors name the kernel.
StatusOr<Package> BuildModel(const BuildArguments& arguments);

}  // namespace tilth
