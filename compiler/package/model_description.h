// What is known about a model library apart from its code: the facts that its manifest, its C header and its descriptor
// all tell.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "ir/workload.h"
#include "search_space/candidate.h"

namespace tilth {

struct KernelDescription {
  std::string name;      // for people
  std::string workload;  // structural hash
  int uses = 0;          // calls in the model
  bool tuned = false;
  double median_ns = 0;       // of the tuning record; 0 when not tuned
  double predicted_gain = 0;  // over the default, of a schedule that a cost model chose; 0: it did not
  Decisions decisions;
};

struct ModelDescription {
  std::string name;         // a C identifier; the library is libNAME.so
  std::string model_hash;   // ContentHash of the ONNX file
  std::string target;       // Target::name
  std::string target_text;  // ToText of the target
  std::vector<Tensor> inputs;
  std::vector<Tensor> outputs;
  std::vector<KernelDescription> kernels;  // each once, in order of first use
  std::vector<int> calls;                  // index into kernels, in order of execution
  int64_t weight_bytes = 0;
  int64_t arena_bytes = 0;
  int default_threads = 0;  // 0: every CPU that the process may run on
};

// "squeezenet_random" from "../models/squeezenet_random/model.onnx"; "face_net" from "face-net.onnx". A C identifier.
std::string ModelNameFromPath(const std::string& onnx_path);

// INVALID_ARGUMENT, with the remedy, when `name` is not a C identifier of at most 100 characters.
Status CheckModelName(const std::string& name);

// manifest.json: the description, and the versions that made it. Ends with a newline; the same description gives the
// same bytes.
std::string ManifestJson(const ModelDescription& description);
// The part of a manifest that running a library needs (all but decisions and target text). Errors name what is missing.
StatusOr<ModelDescription> ParseManifest(const std::string& json);

// NAME.h, the C interface of the library.
std::string HeaderText(const ModelDescription& description);
// A C program that runs the library once.
std::string ExampleText(const ModelDescription& description);

}  // namespace tilth
