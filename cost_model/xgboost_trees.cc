#include "cost_model/xgboost_trees.h"

#include <cmath>
#include <limits>

#include "absl/strings/numbers.h"
#include "nlohmann/json.hpp"

namespace tilth {
namespace {

using Json = nlohmann::json;

// The element that `path` leads to, or null.
const Json* Find(const Json& json, std::initializer_list<const char*> path) {
  const Json* at = &json;
  for (const char* key : path) {
    if (!at->is_object() || !at->contains(key)) return nullptr;
    at = &(*at)[key];
  }
  return at;
}

StatusOr<const Json*> Require(const Json& json, std::initializer_list<const char*> path) {
  if (const Json* found = Find(json, path)) return found;
  std::string name;
  for (const char* key : path) StrAppend(&name, name.empty() ? "" : ".", key);
  return absl::InvalidArgumentError(StrCat("not an XGBoost model: it has no ", name));
}

// Numbers of the model's parameters are written as strings.
StatusOr<double> Number(const Json& json, std::initializer_list<const char*> path) {
  TILTH_ASSIGN_OR_RETURN(const Json* const value, Require(json, path));
  double number = 0;
  if (value->is_number()) return value->get<double>();
  if (value->is_string() && absl::SimpleAtod(value->get_ref<const std::string&>(), &number)) return number;
  return absl::InvalidArgumentError(StrCat("XGBoost model: ", *(path.end() - 1), " is not a number"));
}

// One number per node. Flags are written as numbers or as booleans.
StatusOr<std::vector<double>> Column(const Json& tree, const char* name, size_t size) {
  TILTH_ASSIGN_OR_RETURN(const Json* const column, Require(tree, {name}));
  if (!column->is_array() || column->size() != size)
    return absl::InvalidArgumentError(StrCat(name, " is not a list of ", size, " numbers"));
  std::vector<double> numbers;
  numbers.reserve(size);
  for (const Json& value : *column) {
    if (!value.is_number() && !value.is_boolean())
      return absl::InvalidArgumentError(StrCat(name, " has an entry that is not a number"));
    numbers.push_back(value.is_boolean() ? (value.get<bool>() ? 1 : 0) : value.get<double>());
  }
  return numbers;
}

bool FitsFloat(double number) { return std::abs(number) <= std::numeric_limits<float>::max(); }

// Whether a walk from the root meets every node at most once; then no walk is endless.
bool IsTree(const Tree& tree) {
  std::vector<bool> met(tree.size());
  std::vector<int32_t> open = {0};
  while (!open.empty()) {
    const int32_t at = open.back();
    open.pop_back();
    if (met[static_cast<size_t>(at)]) return false;
    met[static_cast<size_t>(at)] = true;
    const TreeNode& node = tree[static_cast<size_t>(at)];
    if (node.left >= 0) open.insert(open.end(), {node.left, node.right});
  }
  return true;
}

StatusOr<Tree> ReadTree(const Json& json, int num_features) {
  TILTH_ASSIGN_OR_RETURN(const Json* const first, Require(json, {"left_children"}));
  const size_t size = first->is_array() ? first->size() : 0;
  if (size == 0) return absl::InvalidArgumentError("it has no nodes");
  TILTH_ASSIGN_OR_RETURN(const std::vector<double> left, Column(json, "left_children", size));
  TILTH_ASSIGN_OR_RETURN(const std::vector<double> right, Column(json, "right_children", size));
  TILTH_ASSIGN_OR_RETURN(const std::vector<double> feature, Column(json, "split_indices", size));
  TILTH_ASSIGN_OR_RETURN(const std::vector<double> threshold, Column(json, "split_conditions", size));
  TILTH_ASSIGN_OR_RETURN(const std::vector<double> default_left, Column(json, "default_left", size));
  if (const Json* categories = Find(json, {"categories_nodes"}); categories && !categories->empty())
    return absl::UnimplementedError("it splits by categories");
  Tree tree(size);
  for (size_t i = 0; i < size; ++i) {
    if (!FitsFloat(threshold[i])) return absl::InvalidArgumentError(StrCat("node ", i, " has no finite number"));
    TreeNode& node = tree[i];
    node.threshold = static_cast<float>(threshold[i]);
    node.default_left = default_left[i] != 0;
    if (left[i] == -1 && right[i] == -1) continue;
    auto is_index = [](double value, size_t bound) {
      return value >= 0 && value < static_cast<double>(bound) && value == std::floor(value);
    };
    if (!is_index(left[i], size) || !is_index(right[i], size))
      return absl::InvalidArgumentError(StrCat("node ", i, " has a child that is not there"));
    if (!is_index(feature[i], static_cast<size_t>(num_features)))
      return absl::InvalidArgumentError(StrCat("node ", i, " asks for feature ", feature[i], " of ", num_features));
    node.left = static_cast<int32_t>(left[i]);
    node.right = static_cast<int32_t>(right[i]);
    node.feature = static_cast<int32_t>(feature[i]);
  }
  if (!IsTree(tree)) return absl::InvalidArgumentError("its nodes do not form a tree");
  return tree;
}

// Only sums of leaves that are predictions as they are.
Status CheckKind(const Json& model) {
  TILTH_ASSIGN_OR_RETURN(const Json* const booster, Require(model, {"learner", "gradient_booster", "name"}));
  if (*booster != "gbtree") return absl::UnimplementedError(StrCat("XGBoost model of booster ", booster->dump()));
  TILTH_ASSIGN_OR_RETURN(const Json* const objective, Require(model, {"learner", "objective", "name"}));
  const std::string name = objective->is_string() ? objective->get<std::string>() : "";
  if (name != "reg:squarederror" && !name.starts_with("rank:"))
    return absl::UnimplementedError(StrCat("XGBoost model of objective ", objective->dump()));
  TILTH_ASSIGN_OR_RETURN(const double classes, Number(model, {"learner", "learner_model_param", "num_class"}));
  if (classes > 1) return absl::UnimplementedError(StrCat("XGBoost model of ", classes, " classes"));
  return absl::OkStatus();
}

}  // namespace

StatusOr<XgboostTrees> ReadXgboostTrees(std::string_view json) {
  const Json model = Json::parse(json, nullptr, /*allow_exceptions=*/false);
  if (model.is_discarded()) return absl::InvalidArgumentError("not an XGBoost model: not even JSON");
  TILTH_RETURN_IF_ERROR(CheckKind(model));
  XgboostTrees result;
  TILTH_ASSIGN_OR_RETURN(const double features, Number(model, {"learner", "learner_model_param", "num_feature"}));
  TILTH_ASSIGN_OR_RETURN(const double base, Number(model, {"learner", "learner_model_param", "base_score"}));
  constexpr double kMostFeatures = 1 << 20;
  if (!(features >= 1 && features <= kMostFeatures) || features != std::floor(features) || !FitsFloat(base))
    return absl::InvalidArgumentError(StrCat("XGBoost model of ", features, " features and base score ", base));
  result.num_features = static_cast<int>(features);
  result.base_score = static_cast<float>(base);
  TILTH_ASSIGN_OR_RETURN(const Json* const trees, Require(model, {"learner", "gradient_booster", "model", "trees"}));
  if (!trees->is_array()) return absl::InvalidArgumentError("XGBoost model: trees is not a list");
  for (const Json& tree : *trees) {
    TILTH_ASSIGN_OR_RETURN(result.trees.emplace_back(), ReadTree(tree, result.num_features), "tree ",
                           result.trees.size());
  }
  return result;
}

}  // namespace tilth
