// Handles of XGBoost's C API, wrapped; every failure becomes a Status with XGBoost's own message.
#include "cost_model/xgb_model.h"

#include <algorithm>
#include <limits>
#include <map>
#include <optional>

#include "absl/strings/str_format.h"
#include "cost_model/compiled_forest.h"
#include "cost_model/features.h"
#include "nlohmann/json.hpp"
#include "xgboost/c_api.h"

namespace tilth {
namespace {

Status ToStatus(int code, std::string_view doing) {
  if (code == 0) return absl::OkStatus();
  // Its messages carry a stack trace; the first line says what happened.
  std::string_view message = XGBGetLastError();
  return absl::InternalError(StrCat("XGBoost, ", doing, ": ", message.substr(0, message.find('\n'))));
}

struct MatrixDeleter {
  using pointer = DMatrixHandle;
  void operator()(DMatrixHandle handle) const { XGDMatrixFree(handle); }
};
struct BoosterDeleter {
  using pointer = BoosterHandle;
  void operator()(BoosterHandle handle) const { XGBoosterFree(handle); }
};
using Matrix = std::unique_ptr<void, MatrixDeleter>;
using Booster = std::unique_ptr<void, BoosterDeleter>;

StatusOr<Booster> MakeBooster(const DMatrixHandle* matrices, int count) {
  BoosterHandle handle = nullptr;
  TILTH_RETURN_IF_ERROR(
      ToStatus(XGBoosterCreate(matrices, static_cast<bst_ulong>(count), &handle), "creating a model"));
  Booster booster(handle);
  TILTH_RETURN_IF_ERROR(ToStatus(XGBoosterSetParam(handle, "nthread", "1"), "setting nthread"));
  return booster;
}

StatusOr<Matrix> MakeMatrix(const FeatureMatrix& features) {
  DMatrixHandle handle = nullptr;
  const std::vector<float> values = features.RowMajor();
  TILTH_RETURN_IF_ERROR(ToStatus(XGDMatrixCreateFromMat(values.data(), static_cast<bst_ulong>(features.rows()),
                                                        static_cast<bst_ulong>(features.columns()),
                                                        std::numeric_limits<float>::quiet_NaN(), &handle),
                                 "reading features"));
  return Matrix(handle);
}

// The model as XGBoost's JSON, valid until the booster's next call.
StatusOr<std::string_view> SavedModel(BoosterHandle booster) {
  bst_ulong size = 0;
  const char* bytes = nullptr;
  TILTH_RETURN_IF_ERROR(ToStatus(XGBoosterSaveModelToBuffer(booster, R"({"format":"json"})", &size, &bytes), "saving"));
  return std::string_view(bytes, size);
}

Status SetInfo(DMatrixHandle matrix, const char* what, std::span<const float> values) {
  return ToStatus(XGDMatrixSetFloatInfo(matrix, what, values.data(), static_cast<bst_ulong>(values.size())), what);
}

// best / median within each group; failures are as bad as infinitely slow.
std::vector<float> Labels(const TrainingSet& data) {
  std::map<int, double> best;
  for (int i = 0; i < data.rows(); ++i) {
    const double time = data.median_ns[static_cast<size_t>(i)];
    if (time <= 0) continue;
    auto [entry, is_new] = best.try_emplace(data.group[static_cast<size_t>(i)], time);
    if (!is_new) entry->second = std::min(entry->second, time);
  }
  std::vector<float> labels;
  labels.reserve(data.median_ns.size());
  for (int i = 0; i < data.rows(); ++i) {
    const double time = data.median_ns[static_cast<size_t>(i)];
    labels.push_back(time > 0 ? static_cast<float>(best[data.group[static_cast<size_t>(i)]] / time) : 0.0f);
  }
  return labels;
}

}  // namespace

struct XgbModel::Impl {
  XgbOptions options;
  Booster booster;   // null: the model was read
  std::string read;  // XGBoost's JSON of a model that was read
  std::optional<CompiledForest> forest;

  // Takes a trained model over.
  Status Adopt(Booster trained);
};

Status XgbModel::Impl::Adopt(Booster trained) {
  TILTH_ASSIGN_OR_RETURN(const std::string_view json, SavedModel(trained.get()));
  TILTH_ASSIGN_OR_RETURN(XgboostTrees trees, ReadXgboostTrees(json), "compiling the model");
  booster = std::move(trained);
  forest.emplace(std::move(trees));
  return absl::OkStatus();
}

XgbModel::XgbModel(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
XgbModel::~XgbModel() = default;

StatusOr<std::unique_ptr<XgbModel>> XgbModel::Create(const XgbOptions& options) {
  TILTH_RETURN_IF_ERROR(ToStatus(XGBSetGlobalConfig(R"({"verbosity":0})"), "silencing its log"));
  auto impl = std::make_unique<Impl>();
  impl->options = options;
  return std::unique_ptr<XgbModel>(new XgbModel(std::move(impl)));
}

Status XgbModel::Update(const TrainingSet& data) {
  TILTH_RETURN_IF_ERROR(CheckLengths(data));
  return Fit(data.features, Labels(data), {});
}

Status XgbModel::Fit(const FeatureMatrix& features, std::span<const float> labels, std::span<const float> weights) {
  const auto rows = static_cast<size_t>(features.rows());
  if (rows == 0 || labels.size() != rows || (!weights.empty() && weights.size() != rows)) {
    return absl::InvalidArgumentError(
        StrCat("fitting ", rows, " rows to ", labels.size(), " labels with ", weights.size(), " weights"));
  }
  TILTH_ASSIGN_OR_RETURN(const Matrix matrix, MakeMatrix(features));
  TILTH_RETURN_IF_ERROR(SetInfo(matrix.get(), "label", labels));
  if (!weights.empty()) TILTH_RETURN_IF_ERROR(SetInfo(matrix.get(), "weight", weights));

  const DMatrixHandle handles[] = {matrix.get()};
  TILTH_ASSIGN_OR_RETURN(Booster booster, MakeBooster(handles, 1));
  const XgbOptions& options = impl_->options;
  const std::pair<const char*, std::string> parameters[] = {
      {"objective", "reg:squarederror"},
      {"tree_method", "hist"},
      {"max_bin", StrCat(options.bins)},
      {"max_depth", StrCat(options.depth)},
      {"eta", absl::StrFormat("%g", options.eta)},
      {"subsample", absl::StrFormat("%g", options.subsample)},
      {"seed", StrCat(options.seed)},
  };
  for (const auto& [key, value] : parameters) {
    TILTH_RETURN_IF_ERROR(ToStatus(XGBoosterSetParam(booster.get(), key, value.c_str()), "setting a parameter"));
  }
  for (int round = 0; round < options.rounds; ++round) {
    TILTH_RETURN_IF_ERROR(ToStatus(XGBoosterUpdateOneIter(booster.get(), round, matrix.get()), "training"));
  }
  return impl_->Adopt(std::move(booster));
}

StatusOr<std::vector<float>> XgbModel::Predict(const FeatureMatrix& features) const {
  if (!impl_->forest) return absl::FailedPreconditionError("the learned cost model has no data yet");
  if (features.rows() == 0) return std::vector<float>();
  if (impl_->forest->num_features() != features.columns()) {
    return absl::InvalidArgumentError(StrCat("rows of ", features.columns(), " features, but the model learned from ",
                                             impl_->forest->num_features()));
  }
  std::vector<float> scores(static_cast<size_t>(features.rows()));
  impl_->forest->Predict(features, scores);
  return scores;
}

StatusOr<std::vector<float>> XgbModel::PredictByXgboost(const FeatureMatrix& features) const {
  if (impl_->booster == nullptr) return absl::FailedPreconditionError("this model was not trained here");
  TILTH_ASSIGN_OR_RETURN(const Matrix matrix, MakeMatrix(features));
  constexpr char kConfig[] =
      R"({"type":0,"training":false,"iteration_begin":0,"iteration_end":0,"strict_shape":false})";
  const bst_ulong* shape = nullptr;
  bst_ulong rank = 0;
  const float* scores = nullptr;
  TILTH_RETURN_IF_ERROR(ToStatus(
      XGBoosterPredictFromDMatrix(impl_->booster.get(), matrix.get(), kConfig, &shape, &rank, &scores), "predicting"));
  return std::vector<float>(scores, scores + features.rows());
}

StatusOr<std::string> XgbModel::ToJson() const {
  if (!impl_->forest) return absl::FailedPreconditionError("the learned cost model has no data yet");
  std::string_view model = impl_->read;
  if (impl_->booster != nullptr) {
    TILTH_ASSIGN_OR_RETURN(model, SavedModel(impl_->booster.get()));
  }
  const nlohmann::json document = {{"feature_version", kFeatureVersion}, {"model", nlohmann::json::parse(model)}};
  return document.dump();
}

StatusOr<std::unique_ptr<XgbModel>> XgbModel::FromJson(std::string_view json) {
  const auto document = nlohmann::json::parse(json, nullptr, /*allow_exceptions=*/false);
  const bool complete = document.is_object() && document.contains("feature_version") && document.contains("model") &&
                        document["feature_version"].is_number_integer();
  if (!complete)
    return absl::InvalidArgumentError("not a cost model: expected a JSON object with feature_version and model");
  if (const auto version = document["feature_version"].get<int>(); version != kFeatureVersion) {
    return absl::InvalidArgumentError(StrCat("cost model of feature version ", version, "; this program has version ",
                                             kFeatureVersion, ": train a new one"));
  }
  TILTH_ASSIGN_OR_RETURN(auto model, Create());
  // Not by XGBoost, which reads beyond the lists of a damaged file.
  model->impl_->read = document["model"].dump();
  TILTH_ASSIGN_OR_RETURN(XgboostTrees trees, ReadXgboostTrees(model->impl_->read));
  model->impl_->forest.emplace(std::move(trees));
  return model;
}

}  // namespace tilth
