// The table of features. A row is a name and how its value is read from the analysis; blocks that repeat per cache
// level and per access follow the table.
#include "cost_model/features.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/status.h"
#include "cost_model/analytic_prior.h"
#include "cost_model/nest_analysis.h"

namespace tilth {
namespace {

constexpr int kTopAccesses = 4;
constexpr const char* kPriorName = "prior.time";

struct Input {
  const LoopNest& nest;
  const Target& target;
  const NestAnalysis& analysis;
  const PriorEstimate& prior;

  const TiledSchedule* tiled() const { return std::get_if<TiledSchedule>(&nest.schedule); }
  bool LeftIs(TiledSchedule::Left left) const { return tiled() && tiled()->left == left; }
  const WinogradSchedule* winograd() const { return std::get_if<WinogradSchedule>(&nest.schedule); }
  const RowwiseSchedule* rowwise() const { return std::get_if<RowwiseSchedule>(&nest.schedule); }
  const ElementwiseSchedule* elementwise() const { return std::get_if<ElementwiseSchedule>(&nest.schedule); }
};

template <typename Number>
double Log(Number value) {
  return std::log2(1 + std::max(0.0, static_cast<double>(value)));
}
double Ratio(double a, double b) { return b > 0 ? a / b : 0; }
double Flag(bool value) { return value ? 1 : 0; }

// A number that both kinds of schedules for reductions have; 0 for others.
template <typename Number>
Number OfReduction(const Input& in, Number TiledSchedule::* tiled, Number WinogradSchedule::* winograd) {
  if (in.tiled()) return in.tiled()->*tiled;
  return in.winograd() ? in.winograd()->*winograd : Number{};
}

struct Feature {
  const char* name;
  double (*value)(const Input&);
};

constexpr Feature kFeatures[] = {
    // The work, the same for every candidate of a workload.
    {"work.flops", [](const Input& in) { return Log(in.analysis.flops); }},
    {"work.bytes", [](const Input& in) { return Log(in.analysis.compulsory_bytes); }},
    {"work.intensity", [](const Input& in) { return Log(Ratio(in.analysis.flops, in.analysis.compulsory_bytes)); }},
    {"work.outputs", [](const Input& in) { return Log(in.analysis.output_elements); }},
    {"work.reduction", [](const Input& in) { return Log(in.analysis.reduction_length); }},
    // Which kind of schedule.
    {"kind.tiled", [](const Input& in) { return Flag(in.tiled()); }},
    {"kind.winograd", [](const Input& in) { return Flag(in.winograd()); }},
    {"kind.rowwise", [](const Input& in) { return Flag(in.rowwise()); }},
    {"kind.elementwise", [](const Input& in) { return Flag(in.elementwise()); }},
    // The register tile and the unrolled body.
    {"tile.lane_use",
     [](const Input& in) { return Ratio(4 * in.analysis.lanes, std::max(4, in.target.vector_bytes)); }},
    {"tile.accumulators", [](const Input& in) { return Log(in.nest.accumulator_registers); }},
    {"tile.register_use",
     [](const Input& in) { return Ratio(in.nest.accumulator_registers, std::max(1, in.target.vector_registers)); }},
    {"tile.latency_cover",
     [](const Input& in) {
       return std::min(2.0, Ratio(in.nest.accumulator_registers, 4.0 * std::max(1, in.target.fma_per_cycle)));
     }},
    {"tile.rows", [](const Input& in) { return Log(OfReduction(in, &TiledSchedule::rows, &WinogradSchedule::rows)); }},
    {"tile.columns", [](const Input& in) { return in.tiled() ? Log(in.tiled()->columns) : 0; }},
    {"tile.vectors",
     [](const Input& in) { return Log(OfReduction(in, &TiledSchedule::vectors, &WinogradSchedule::vectors)); }},
    {"tile.row_tiles",
     [](const Input& in) { return Log(OfReduction(in, &TiledSchedule::row_tiles, &WinogradSchedule::row_tiles)); }},
    {"tile.column_tiles", [](const Input& in) { return in.tiled() ? Log(in.tiled()->column_tiles) : 0; }},
    {"tile.vector_tiles",
     [](const Input& in) {
       return Log(OfReduction(in, &TiledSchedule::vector_tiles, &WinogradSchedule::vector_tiles));
     }},
    {"body.points", [](const Input& in) { return Log(in.analysis.body_points); }},
    {"body.instructions", [](const Input& in) { return Log(in.nest.body_instructions); }},
    {"body.executions", [](const Input& in) { return Log(in.analysis.body_executions); }},
    {"body.loads_per_point",
     [](const Input& in) { return Log(Ratio(in.analysis.body_loads, in.analysis.body_points)); }},
    {"body.stores_per_point",
     [](const Input& in) { return Log(Ratio(in.analysis.body_stores, in.analysis.body_points)); }},
    // Choices that have no number of their own.
    {"choice.k_block", [](const Input& in) { return in.tiled() ? Log(in.tiled()->k_block) : 0; }},
    {"choice.k_unroll",
     [](const Input& in) { return Log(OfReduction(in, &TiledSchedule::k_unroll, &WinogradSchedule::k_unroll)); }},
    {"choice.vectors_inside", [](const Input& in) { return Flag(in.tiled() && in.tiled()->vectors_inside); }},
    {"choice.vector_major",
     [](const Input& in) {
       return Flag(OfReduction(in, &TiledSchedule::vector_major_tasks, &WinogradSchedule::vector_major_tasks));
     }},
    {"choice.pack_right", [](const Input& in) { return Flag(in.tiled() && in.tiled()->pack_right); }},
    {"choice.left_guarded", [](const Input& in) { return Flag(in.LeftIs(TiledSchedule::Left::kGuarded)); }},
    {"choice.left_padded", [](const Input& in) { return Flag(in.LeftIs(TiledSchedule::Left::kPadded)); }},
    {"choice.left_panel", [](const Input& in) { return Flag(in.LeftIs(TiledSchedule::Left::kPanel)); }},
    {"choice.tile_inputs", [](const Input& in) { return in.winograd() ? Log(in.winograd()->tile_inputs) : 0; }},
    {"choice.transform_in_task",
     [](const Input& in) { return Flag(in.winograd() && in.winograd()->transform_in_task); }},
    {"choice.accumulators", [](const Input& in) { return in.rowwise() ? Log(in.rowwise()->accumulators) : 0; }},
    {"choice.rows_per_task", [](const Input& in) { return in.rowwise() ? Log(in.rowwise()->rows_per_task) : 0; }},
    {"choice.across_rows", [](const Input& in) { return Flag(in.rowwise() && in.rowwise()->across_rows); }},
    {"choice.vectors", [](const Input& in) { return in.elementwise() ? Log(in.elementwise()->vectors) : 0; }},
    {"choice.points_per_task",
     [](const Input& in) { return in.elementwise() ? Log(in.elementwise()->points_per_task) : 0; }},
    // Waste and parallelism.
    {"waste.lanes", [](const Input& in) { return in.analysis.lane_waste - 1; }},
    {"waste.tile", [](const Input& in) { return Log(in.analysis.tile_waste - 1); }},
    {"waste.worst_axis", [](const Input& in) { return Log(in.analysis.worst_axis_waste - 1); }},
    {"waste.tail_axes", [](const Input& in) { return in.analysis.tail_axes; }},
    {"tasks.count", [](const Input& in) { return Log(in.analysis.tasks); }},
    {"tasks.imbalance", [](const Input& in) { return in.analysis.task_imbalance - 1; }},
    {"tasks.flops", [](const Input& in) { return Log(Ratio(in.analysis.flops, in.analysis.tasks)); }},
    {"tasks.bytes", [](const Input& in) { return Log(in.analysis.task_bytes); }},
    // Copies.
    {"copy.bytes", [](const Input& in) { return Log(in.analysis.copy_bytes); }},
    {"copy.strided_bytes", [](const Input& in) { return Log(in.analysis.strided_copy_bytes); }},
    {"copy.per_compulsory_byte",
     [](const Input& in) { return Log(Ratio(in.analysis.copy_bytes, in.analysis.compulsory_bytes)); }},
    {"copy.executions", [](const Input& in) { return Log(in.analysis.copy_executions); }},
    // The analytic prior and its parts.
    {kPriorName, [](const Input& in) { return Log(in.prior.TotalNs()); }},
    {"prior.compute", [](const Input& in) { return Ratio(in.prior.compute_ns, in.prior.TotalNs()); }},
    {"prior.memory", [](const Input& in) { return Ratio(in.prior.memory_ns, in.prior.TotalNs()); }},
    {"prior.copy", [](const Input& in) { return Ratio(in.prior.copy_ns, in.prior.TotalNs()); }},
    {"prior.overhead", [](const Input& in) { return Ratio(in.prior.overhead_ns, in.prior.TotalNs()); }},
};

constexpr const char* kCacheFeatures[] = {"footprint", "fill", "traffic", "intensity", "entries"};
constexpr const char* kAccessFeatures[] = {"l1_traffic", "l2_traffic", "stride", "run", "operations", "kind"};

std::vector<std::string> MakeNames() {
  std::vector<std::string> names;
  for (const Feature& feature : kFeatures) names.emplace_back(feature.name);
  for (int level = 1; level <= kCacheLevels; ++level) {
    for (const char* name : kCacheFeatures) names.push_back(StrCat("l", level, ".", name));
  }
  for (int access = 1; access <= kTopAccesses; ++access) {
    for (const char* name : kAccessFeatures) names.push_back(StrCat("access", access, ".", name));
  }
  return names;
}

float* WriteCaches(const NestAnalysis& analysis, float* out) {
  for (const CacheUse& cache : analysis.caches) {
    for (double value :
         {Log(cache.footprint_bytes), std::min(4.0, Ratio(cache.footprint_bytes, cache.capacity_bytes)),
          Log(cache.traffic_bytes), Log(Ratio(analysis.flops, cache.traffic_bytes)), Log(cache.entries)}) {
      *out++ = static_cast<float>(value);
    }
  }
  return out;
}

// The accesses with the most traffic into the first level, greatest first; missing ones are zeros.
float* WriteAccesses(const NestAnalysis& analysis, float* out) {
  absl::InlinedVector<const AccessUse*, 8> order;
  for (const AccessUse& access : analysis.accesses) order.push_back(&access);
  std::stable_sort(order.begin(), order.end(),
                   [](const AccessUse* a, const AccessUse* b) { return a->traffic_bytes[0] > b->traffic_bytes[0]; });
  for (size_t i = 0; i < kTopAccesses; ++i) {
    static const AccessUse kAbsent;
    const AccessUse& access = i < order.size() ? *order[i] : kAbsent;
    const double kind = i < order.size() ? 1 + Flag(access.is_packed) + 2 * Flag(access.is_store) : 0;
    for (double value : {Log(access.traffic_bytes[0]), Log(access.traffic_bytes[1]), Log(access.innermost_stride),
                         Log(access.run_elements), Log(access.body_operations), kind}) {
      *out++ = static_cast<float>(value);
    }
  }
  return out;
}

}  // namespace

const std::vector<std::string>& FeatureNames() {
  static const auto* const kNames = new std::vector<std::string>(MakeNames());
  return *kNames;
}

int NumFeatures() {
  return static_cast<int>(std::size(kFeatures) + kCacheLevels * std::size(kCacheFeatures) +
                          kTopAccesses * std::size(kAccessFeatures));
}

int PriorFeature() {
  static const int kColumn = [] {
    const auto& names = FeatureNames();
    return static_cast<int>(std::find(names.begin(), names.end(), kPriorName) - names.begin());
  }();
  return kColumn;
}

void ExtractFeatures(const LoopNest& nest, const Target& target, std::span<float> out) {
  TILTH_CHECK(static_cast<int>(out.size()) == NumFeatures());
  const NestAnalysis analysis = Analyze(nest, target);
  const PriorEstimate prior = EstimateTime(analysis, nest, target);
  const Input input{nest, target, analysis, prior};
  float* next = out.data();
  for (const Feature& feature : kFeatures) *next++ = static_cast<float>(feature.value(input));
  next = WriteCaches(analysis, next);
  next = WriteAccesses(analysis, next);
  TILTH_CHECK(next == out.data() + out.size());
}

FeatureMatrix ExtractFeatures(const SearchSpace& space, std::span<const Candidate> candidates) {
  FeatureMatrix matrix(NumFeatures());
  std::vector<float> row(static_cast<size_t>(NumFeatures()));
  for (const Candidate& candidate : candidates) {
    ExtractFeatures(space.Resolve(candidate), space.target(), row);
    matrix.Append(row);
  }
  return matrix;
}

}  // namespace tilth
