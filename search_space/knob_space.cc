#include "search_space/knob_space.h"

#include <array>
#include <limits>

#include "base/status.h"

namespace tilth {
namespace {

constexpr int kAttempts = 64;  // to find an allowed variation

uint64_t Combinations(const std::vector<Knob>& knobs) {
  uint64_t size = 1;
  for (const Knob& knob : knobs)
    if (__builtin_mul_overflow(size, knob.options.size(), &size)) return std::numeric_limits<uint64_t>::max();
  return size;
}

Candidate WithRedrawnKnob(const Candidate& candidate, const std::vector<Knob>& knobs, int knob, Rng& rng) {
  Candidate child = candidate;
  const uint64_t count = knobs[knob].options.size(), row = child.rows[knob];
  if (rng.Below(2) == 0) {
    const bool up = row == 0 || (row + 1 < count && rng.Below(2) == 0);
    child.rows[knob] = static_cast<uint16_t>(up ? row + 1 : row - 1);
  } else {
    child.rows[knob] = static_cast<uint16_t>((row + 1 + rng.Below(count - 1)) % count);
  }
  return child;
}

}  // namespace

uint64_t KnobSpace::Size() const {
  uint64_t size = 0;
  for (int sketch = 0; sketch < num_sketches(); ++sketch)
    if (__builtin_add_overflow(size, Combinations(knobs(sketch)), &size)) return std::numeric_limits<uint64_t>::max();
  return size;
}

Candidate KnobSpace::At(uint64_t index) const {
  Candidate candidate;
  for (int sketch = 0; sketch < num_sketches(); ++sketch) {
    const std::vector<Knob>& table = knobs(sketch);
    const uint64_t size = Combinations(table);
    if (index >= size) {
      index -= size;
      continue;
    }
    candidate.sketch = static_cast<uint8_t>(sketch);
    candidate.num_knobs = static_cast<uint8_t>(table.size());
    for (size_t i = 0; i < table.size(); ++i) {
      const uint64_t count = table[i].options.size();
      candidate.rows[i] = static_cast<uint16_t>(index % count);
      index /= count;
    }
    return candidate;
  }
  TILTH_CHECK(false && "index past the space");
  return candidate;
}

std::vector<Candidate> KnobSpace::Enumerate(uint64_t most) const {
  std::vector<Candidate> all;
  if (Size() > most) return all;
  for (uint64_t index = 0; index < Size(); ++index) {
    const Candidate candidate = At(index);
    if (IsAllowed(candidate)) all.push_back(candidate);
  }
  return all;
}

Candidate KnobSpace::Random(Rng& rng) const {
  for (;;) {
    Candidate candidate;
    candidate.sketch = static_cast<uint8_t>(rng.Below(static_cast<uint64_t>(num_sketches())));
    const std::vector<Knob>& table = knobs(candidate.sketch);
    candidate.num_knobs = static_cast<uint8_t>(table.size());
    for (size_t i = 0; i < table.size(); ++i)
      candidate.rows[i] = static_cast<uint16_t>(rng.Below(table[i].options.size()));
    if (IsAllowed(candidate)) return candidate;
  }
}

Candidate KnobSpace::Mutate(const Candidate& candidate, Rng& rng) const {
  const std::vector<Knob>& table = knobs(candidate.sketch);
  std::array<int, Candidate::kMaxKnobs> open;
  int num_open = 0;
  for (size_t i = 0; i < table.size(); ++i)
    if (table[i].options.size() > 1) open[num_open++] = static_cast<int>(i);
  if (num_open == 0) return candidate;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const int knob = open[rng.Below(static_cast<uint64_t>(num_open))];
    const Candidate child = WithRedrawnKnob(candidate, table, knob, rng);
    if (IsAllowed(child)) return child;
  }
  return candidate;
}

Candidate KnobSpace::Crossover(const Candidate& a, const Candidate& b, Rng& rng) const {
  TILTH_CHECK(a.sketch == b.sketch);
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    Candidate child = a;
    const uint64_t bits = rng();
    for (int i = 0; i < child.num_knobs; ++i)
      if (bits >> i & 1) child.rows[i] = b.rows[i];
    if (IsAllowed(child)) return child;
  }
  return a;
}

std::vector<Candidate> KnobSpace::Neighbours(const Candidate& candidate, int distance) const {
  const std::vector<Knob>& table = knobs(candidate.sketch);
  std::vector<Candidate> neighbours;
  for (size_t knob = 0; knob < table.size(); ++knob) {
    const int rows = static_cast<int>(table[knob].options.size());
    for (int step = -distance; step <= distance; ++step) {
      const int row = candidate.rows[knob] + step;
      if (step == 0 || row < 0 || row >= rows) continue;
      Candidate neighbour = candidate;
      neighbour.rows[knob] = static_cast<uint16_t>(row);
      if (IsAllowed(neighbour)) neighbours.push_back(neighbour);
    }
  }
  return neighbours;
}

}  // namespace tilth
