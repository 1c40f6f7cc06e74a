#include "cli/model_views.h"

#include <algorithm>
#include <functional>
#include <map>
#include <ostream>

#include "absl/strings/str_format.h"
#include "cli/table.h"
#include "cost_model/corrected_prior.h"
#include "cost_model/forest_pair.h"
#include "cost_model/log_time_model.h"
#include "cost_model/pretrained_model.h"
#include "cost_model/validation.h"
#include "nlohmann/json.hpp"
#include "tuner/training_data.h"

namespace tilth {
namespace {

using Json = nlohmann::ordered_json;

constexpr uint64_t kSplitSeed = 1;
constexpr int kCurveSizes[] = {32, 64, 128, 256, 512, 1024, 2048};

struct NamedFactory {
  std::string name;
  ModelFactory make;
};

std::vector<NamedFactory> Models(const XgbOptions& options) {
  return {{"analytic prior", [] { return MakeAnalyticModel(); }},
          {"forest", [=] { return XgbModel::Create(options); }},
          {"corrected prior", [=] { return CorrectedPrior::Create(options); }},
          {"log time", [=] { return LogTimeModel::Create(options); }},
          {"both forests", [=] { return ForestPair::Create(options); }}};
}

// What was judged, and what it was given.
struct Line {
  std::string model;
  int training_rows = 0;  // of the largest fold
  std::string without;    // the block of features that was hidden
  RankingFigures figures;
};

int MostTrainingRows(const std::vector<Fold>& folds) {
  size_t most = 0;
  for (const Fold& fold : folds) most = std::max(most, fold.train.size());
  return static_cast<int>(most);
}

StatusOr<std::vector<Fold>> Folds(const TrainingData& data, Split split, int folds) {
  if (split == Split::kWithinTask) return SplitRows(data.set, folds, kSplitSeed);
  std::map<std::string, int> units;
  std::vector<int> unit_of_group;
  for (const TrainingGroup& group : data.groups) {
    const std::string unit =
        split == Split::kByTask ? group.workload_hash : StrCat(group.target_hash, group.device_fingerprint);
    unit_of_group.push_back(units.try_emplace(unit, static_cast<int>(units.size())).first->second);
  }
  return SplitUnits(data.set, unit_of_group, folds, kSplitSeed);
}

StatusOr<std::vector<Line>> JudgeAsItIs(const std::string& name, const TrainingData& data) {
  TILTH_ASSIGN_OR_RETURN(const std::shared_ptr<const PretrainedModel> model,
                         name == "shipped" ? ShippedModel() : PretrainedModel::ReadFile(name), "--model");
  std::vector<Line> lines;
  const std::unique_ptr<CostModel> prior = MakeAnalyticModel();
  for (const CostModel* judged :
       {static_cast<const CostModel*>(prior.get()), static_cast<const CostModel*>(model.get())}) {
    TILTH_ASSIGN_OR_RETURN(const std::vector<float> scores, judged->Predict(data.set.features), judged->name());
    lines.push_back({judged->name(), 0, "", EvaluateRanking(scores, data.set)});
  }
  return lines;
}

StatusOr<std::vector<Line>> Judge(const EvalArguments& arguments, const TrainingData& data) {
  if (!arguments.model.empty()) return JudgeAsItIs(arguments.model, data);
  TILTH_ASSIGN_OR_RETURN(const std::vector<Fold> folds, Folds(data, arguments.split, arguments.folds));
  std::vector<NamedFactory> models = Models(arguments.forest);
  if (!arguments.only.empty()) {
    std::erase_if(models, [&](const NamedFactory& model) { return model.name != arguments.only; });
    if (models.empty()) return absl::InvalidArgumentError(StrCat("--only ", arguments.only, ": no such model"));
  }
  std::vector<Line> lines;
  const auto add = [&](const NamedFactory& model, const TrainingSet& set, const std::vector<Fold>& of,
                       const std::string& without) -> Status {
    TILTH_ASSIGN_OR_RETURN(const RankingFigures figures, CrossValidate(set, of, model.make), model.name);
    lines.push_back({model.name, MostTrainingRows(of), without, figures});
    return absl::OkStatus();
  };
  for (const NamedFactory& model : models) TILTH_RETURN_IF_ERROR(add(model, data.set, folds, ""));
  if (arguments.curves) {
    for (const int size : kCurveSizes) {
      std::vector<Fold> smaller;
      for (const Fold& fold : folds) smaller.push_back(WithTrainingRows(fold, size, kSplitSeed));
      if (MostTrainingRows(smaller) < size) break;
      for (const NamedFactory& model : models) TILTH_RETURN_IF_ERROR(add(model, data.set, smaller, ""));
    }
  }
  if (arguments.ablation) {
    for (const std::string& block : FeatureBlocks()) {
      TILTH_RETURN_IF_ERROR(add(models.back(), WithoutBlock(data.set, block), folds, block));
    }
  }
  return lines;
}

Json ToJson(const Line& line) {
  const RankingFigures& figures = line.figures;
  Json json = {{"model", line.model},
               {"training_records", line.training_rows},
               {"tasks", figures.groups},
               {"records", figures.rows},
               {"pairwise_accuracy", figures.pairwise_accuracy},
               {"pairwise_accuracy_apart", figures.accuracy_apart},
               {"peak_at_1", figures.peak_at_1},
               {"peak_at_5", figures.peak_at_5}};
  if (figures.recall_groups > 0) json["recall_at_30"] = figures.recall_at_30;
  if (!line.without.empty()) json["without"] = line.without;
  return json;
}

std::string ToTable(const std::vector<Line>& lines) {
  Table table({{"model", Column::kFlexible},
               {"trained on", Column::kNumber},
               {"pairwise", Column::kNumber},
               {"apart", Column::kNumber},
               {"peak@1", Column::kNumber},
               {"peak@5", Column::kNumber},
               {"recall@30", Column::kNumber}});
  const auto share = [](double value) { return absl::StrFormat("%.3f", value); };
  for (const Line& line : lines) {
    const RankingFigures& figures = line.figures;
    table.AddRow({line.without.empty() ? line.model : StrCat(line.model, " without ", line.without, ".*"),
                  FormatCount(line.training_rows), share(figures.pairwise_accuracy), share(figures.accuracy_apart),
                  share(figures.peak_at_1), share(figures.peak_at_5),
                  figures.recall_groups > 0 ? share(figures.recall_at_30) : "-"});
  }
  return table.Render(TerminalWidth());
}

}  // namespace

Status EvaluateModels(const EvalArguments& arguments, std::ostream& out) {
  TILTH_ASSIGN_OR_RETURN(const TrainingData data, ReadTrainingData(arguments.logs));
  if (data.set.rows() == 0) {
    return absl::FailedPreconditionError("the logs have no records that fit this version's search spaces");
  }
  TILTH_ASSIGN_OR_RETURN(const std::vector<Line> lines, Judge(arguments, data));
  if (arguments.json) {
    Json document = {{"records", data.set.rows()},
                     {"tasks", data.groups.size()},
                     {"stale_records", data.stale_records},
                     {"results", Json::array()}};
    for (const Line& line : lines) document["results"].push_back(ToJson(line));
    out << document.dump(2) << "\n";
    return absl::OkStatus();
  }
  out << FormatCount(data.set.rows()) << " records of " << FormatCount(static_cast<int64_t>(data.groups.size()))
      << " tasks; figures over " << FormatCount(lines.front().figures.groups) << " parts of tasks with "
      << FormatCount(lines.front().figures.rows) << " records held out\n"
      << ToTable(lines);
  return absl::OkStatus();
}

}  // namespace tilth
