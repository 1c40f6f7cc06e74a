// Candidate: one point of a search space, a genotype without any IR (DESIGN 5.1). Plain bytes, compared and hashed as
// such.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace tilth {

struct Candidate {
  static constexpr int kMaxKnobs = 30;
  uint8_t sketch = 0;
  uint8_t num_knobs = 0;
  std::array<uint16_t, kMaxKnobs> rows{};  // rows[i]: the row chosen in knob i's table; zero past num_knobs

  bool operator==(const Candidate&) const = default;
  auto operator<=>(const Candidate&) const = default;
};
static_assert(sizeof(Candidate) <= 64);

uint64_t HashOf(const Candidate& candidate);

// One hole of a sketch: a table of options. An option is a short list of integers whose meaning the name tells:
// "tile.register" [rows, columns, vectors]; "unroll.k" [4].
struct Knob {
  std::string name;
  std::vector<std::vector<int64_t>> options;  // at least one, at most 65,535
};

// The named form that logs store (DESIGN 5.2): {"sketch":"contraction","tile.register":[1,12,2],…}.
struct Decisions {
  std::string sketch;
  std::vector<std::pair<std::string, std::vector<int64_t>>> values;
};

}  // namespace tilth
