// The structured bindings name every field on purpose: a new field does not compile until it is thought
// of.
#include "search_space/schedule_key.h"

#include <type_traits>
#include <variant>

#include "base/hash.h"

namespace tilth {
namespace {

template <typename... Fields>
uint64_t HashFields(const Fields&... fields) {
  uint64_t hash = sizeof...(fields);
  ((hash = CombineHash(hash, static_cast<uint64_t>(fields))), ...);
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
  uint64_t key = CombineHash(nest.schedule.index(), schedule);
  for (const NestLoop& loop : nest.loops) {
    if (loop.extent == 1) continue;
    key = CombineHash(key, HashFields(loop.axis, loop.extent, loop.step, loop.kind));
  }
  return key;
}

}  // namespace tilth
