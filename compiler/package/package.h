// The package of a model: what `tilth build` writes. Compiles the chosen kernels, packs the weights, plans the memory
// and links it all into one library that needs no toolchain and no Tilth to run.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "compiler/graph/partition.h"
#include "compiler/package/model_description.h"
#include "ir/loop_program.h"
#include "ir/target.h"

namespace tilth {

// How one workload of the partition is computed: its lowered program, and where that came from.
struct KernelChoice {
  LoopProgram program;
  Decisions decisions;
  bool tuned = false;
  double median_ns = 0;       // of the tuning record; 0 when not tuned
  double predicted_gain = 0;  // over the default, of a schedule that a cost model chose; 0: it did not
};

class ArtifactCache;

struct PackageOptions {
  std::string name;                         // a C identifier, see CheckModelName
  std::string model_hash;                   // ContentHash of the ONNX file, for the manifest
  int default_threads = 0;                  // 0: every CPU that the process may run on
  ArtifactCache* artifact_cache = nullptr;  // of compiled kernels; null: none
};

struct Package {
  ModelDescription description;
  std::string library;  // bytes of libNAME.so
};

// `choices` has one entry per workload of the partition. Deterministic. Errors name the kernel that could not be built.
StatusOr<Package> BuildPackage(const Partition& partition, const std::vector<KernelChoice>& choices,
                               const Target& target, const PackageOptions& options);

// Writes libNAME.so, NAME.h, manifest.json and example.c into `directory`, which is made if need be. Each file appears
// whole or not at all.
Status WritePackage(const Package& package, const std::string& directory);

}  // namespace tilth
