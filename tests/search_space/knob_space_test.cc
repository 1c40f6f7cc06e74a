#include "search_space/knob_space.h"

#include <gtest/gtest.h>

#include <set>

namespace tilth {
namespace {

// Two knobs of 6 and 5 rows, of which rows that differ by more than 2 do not fit together.
class BandSpace : public KnobSpace {
 public:
  int num_sketches() const override { return 1; }
  const std::vector<Knob>& knobs(int) const override { return knobs_; }
  bool IsAllowed(const Candidate& c) const override { return std::abs(c.rows[0] - c.rows[1]) <= 2; }
  uint64_t KeyOf(const Candidate& c) const override { return HashOf(c); }
  std::vector<Candidate> Defaults() const override { return {At(0)}; }
  std::string name() const override { return "band"; }

 private:
  std::vector<Knob> knobs_ = {{"a", {{0}, {1}, {2}, {3}, {4}, {5}}}, {"b", {{0}, {1}, {2}, {3}, {4}}}};
};

TEST(KnobSpace, EnumeratesWhatIsAllowedUpToALimitOfCombinations) {
  const BandSpace space;
  EXPECT_EQ(space.Size(), 30u);
  int allowed = 0;
  for (int a = 0; a < 6; ++a)
    for (int b = 0; b < 5; ++b) allowed += std::abs(a - b) <= 2 ? 1 : 0;
  const std::vector<Candidate> all = space.Enumerate(30);
  EXPECT_EQ(all.size(), static_cast<size_t>(allowed));
  EXPECT_EQ(std::set<Candidate>(all.begin(), all.end()).size(), all.size());
  EXPECT_TRUE(space.Enumerate(29).empty());
}

TEST(KnobSpace, VariationsAreAllowedAndReachEverything) {
  const BandSpace space;
  Rng rng(1);
  std::set<Candidate> drawn, mutated;
  Candidate at = space.Random(rng);
  for (int i = 0; i < 2000; ++i) {
    const Candidate random = space.Random(rng);
    drawn.insert(random);
    const Candidate next = space.Mutate(at, rng);
    EXPECT_NE(next, at);
    EXPECT_TRUE(space.IsAllowed(next));
    EXPECT_TRUE(space.IsAllowed(space.Crossover(at, random, rng)));
    at = next;
    mutated.insert(at);
  }
  const std::vector<Candidate> all = space.Enumerate(100);
  EXPECT_EQ(drawn, std::set<Candidate>(all.begin(), all.end()));
  EXPECT_EQ(mutated, drawn);
}

TEST(KnobSpace, NeighboursAreThoseAFewRowsAwayInOneKnob) {
  const BandSpace space;
  Candidate corner = space.At(0);
  std::set<std::pair<int, int>> rows;
  for (const Candidate& neighbour : space.Neighbours(corner, 3)) rows.insert({neighbour.rows[0], neighbour.rows[1]});
  EXPECT_EQ(rows, (std::set<std::pair<int, int>>{{1, 0}, {2, 0}, {0, 1}, {0, 2}}));
}

}  // namespace
}  // namespace tilth
