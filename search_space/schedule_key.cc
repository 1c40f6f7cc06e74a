// The structured bindings name every field on purpose: a new field does not compile until it is thought
// of.
#include "search_space/schedule_key.h"

#include <type_traits>
#include <variant>

#include "base/hash.h"

namespace tilth {
namespace {

// Keys are sums of numbers times random factors, one per place: a dot product needs no chain of multiplications.
template <int kPlaces>
struct Factors {
  uint64_t of[kPlaces];
  explicit constexpr Factors(uint64_t seed) : of() {
    for (int i = 0; i < kPlaces; ++i) of[i] = MixBits(seed + static_cast<uint64_t>(i)) | 1;
  }
};

template <typename... Fields>
uint64_t HashFields(const Fields&... fields) {
  static constexpr Factors<sizeof...(fields)> kFactors(/*seed=*/sizeof...(fields) << 20);
  uint64_t hash = 0;
  int place = 0;
  ((hash += static_cast<uint64_t>(fields) * kFactors.of[place++]), ...);
  return hash;
}

uint64_t Key(const TiledSchedule& schedule) {
  const auto& [lanes, rows, columns, vectors, row_tiles, column_tiles, vector_tiles, k_block, k_unroll, vectors_inside,
               vector_major_tasks, pack_right, left] = schedule;
  // The two orders show in the order of the loops, if they make a difference.
  static_cast<void>(vectors_inside);
  static_cast<void>(vector_major_tasks);
  return HashFields(lanes, rows, columns, vectors, row_tiles, column_tiles, vector_tiles, k_block, k_unroll, pack_right,
                    left);
}

uint64_t Key(const WinogradSchedule& schedule) {
  const auto& [lanes, tile_inputs, rows, vectors, row_tiles, vector_tiles, k_unroll, vector_major_tasks,
               transform_in_task] = schedule;
  static_cast<void>(vector_major_tasks);  // shows in the order of the loops, if it makes a difference
  return HashFields(lanes, tile_inputs, rows, vectors, row_tiles, vector_tiles, k_unroll, transform_in_task);
}

uint64_t Key(const RowwiseSchedule& schedule) {
  const auto& [lanes, accumulators, rows_per_task, across_rows] = schedule;
  return HashFields(lanes, accumulators, rows_per_task, across_rows);
}

uint64_t Key(const ElementwiseSchedule& schedule) {
  const auto& [lanes, vector_axis, vectors, points_per_task] = schedule;
  return HashFields(lanes, vector_axis, vectors, points_per_task);
}

}  // namespace

uint64_t ScheduleKey(const LoopNest& nest) {
  const uint64_t schedule = std::visit([](const auto& choice) { return Key(choice); }, nest.schedule);
  static constexpr Factors<LoopNest::kMaxLoops> kExtent(1000), kStep(2000), kLoop(3000);
  uint64_t key = MixBits(nest.schedule.index()) + schedule;
  int place = 0;
  for (int i = 0; i < nest.num_loops(); ++i) {
    const NestLoop& loop = nest.shape->loops[i];
    const auto extent = static_cast<uint64_t>(nest.extents[i]);
    if (extent == 1) continue;
    key += extent * kExtent.of[place] + static_cast<uint64_t>(nest.steps[i]) * kStep.of[place] +
           (static_cast<uint64_t>(loop.axis) * 8 + static_cast<uint64_t>(loop.kind)) * kLoop.of[place];
    ++place;
  }
  return MixBits(key);
}

}  // namespace tilth
