// A cost model that was trained on the logs of earlier sessions, and the file that it lives in.
//
// File: one JSON object, compressed by zstd or plain:
//   {"tilth_model":1, "feature_version":…, "trained_on":{…ModelInfo…}, "forest":{…XGBoost's own JSON…}}
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cost_model/cost_model.h"
#include "ir/target.h"

namespace tilth {

class XgbModel;

inline constexpr int kModelFileVersion = 1;

// A kind of machine: what a model has to have seen in order to be trusted without a measurement.
struct MachineClass {
  std::string arch;      // "x86_64", "aarch64"
  int vector_bytes = 0;  // widest register
  bool operator==(const MachineClass&) const = default;
};
MachineClass MachineClassOf(const Target& target);

struct ModelInfo {
  int64_t records = 0;
  int64_t tasks = 0;  // workloads × targets × devices
  std::vector<MachineClass> machines;
  std::vector<std::string> devices;  // fingerprints
  int feature_version = 0;
  int space_version = 0;
  std::string tilth_version;
  std::map<std::string, double> figures;  // by name, as in "by_task.peak_at_1": how it did on records held out
};

// Immutable; may be shared between threads.
class PretrainedModel : public CostModel {
 public:
  // INVALID_ARGUMENT: not such a file, damaged, of another version of the format or of the features; the message says
  // which, and what to do.
  static StatusOr<std::shared_ptr<const PretrainedModel>> Parse(std::string_view bytes);
  static StatusOr<std::shared_ptr<const PretrainedModel>> ReadFile(const std::string& path);

  // The contents of a file. `forest` has been trained (LogTimeModel::forest).
  static StatusOr<std::string> ToBytes(const ModelInfo& info, const XgbModel& forest);

  ~PretrainedModel() override;
  const ModelInfo& info() const { return info_; }
  // Of the file's contents.
  const std::string& hash() const { return hash_; }
  // Whether it has seen machines of the target's class.
  bool Fits(const Target& target) const;

  std::string name() const override { return "pre-trained model"; }
  Status Update(const TrainingSet&) override { return absl::OkStatus(); }
  StatusOr<std::vector<float>> Predict(const FeatureMatrix& features) const override;

 private:
  PretrainedModel(ModelInfo info, std::string hash, std::unique_ptr<XgbModel> forest);

  ModelInfo info_;
  std::string hash_;
  std::unique_ptr<XgbModel> forest_;
};

// The model that comes with Tilth, unpacked at the first call. Errors as of Parse.
StatusOr<std::shared_ptr<const PretrainedModel>> ShippedModel();

}  // namespace tilth
