// Contenders: models that score the same candidates, and which of them deserves trust.
#pragma once

#include <span>
#include <string>
#include <vector>

namespace tilth {

// Where the knowledge of a contender comes from. Two of one root err together.
enum class Root { kAnalytic, kSession, kPretrained };

// Keeps, for every contender, the share of pairs of candidates of one task that it has put into the right order before
// it was trained on them. Old evidence fades. Confined to one thread.
class Contenders {
 public:
  // `belief` in (0, 1): what its share is taken for before there is evidence. Returns its number.
  int Enter(Root root, double belief);

  // A measured candidate of `task`, with the score that each contender gave it before learning of it (NaN: it cannot
  // score yet); 0 ns: it failed. All pairs with earlier candidates of the task and of this epoch are evidence.
  void Observe(int task, std::span<const float> scores, double median_ns);
  // Models have been replaced: scores from now on do not compare with earlier ones.
  void BeginEpoch() { epoch_.clear(); }

  // What is known of `parent` is taken for what is known of `contender`, which was made from it.
  void Inherit(int contender, int parent);

  // The contender to use next, of those whose `ready` is true (at least one is): the one with the greatest share; in
  // every other call the best with another root, as long as the evidence does not tell them apart. A bad model thus
  // costs at most every other batch, and only until it has shown itself; and the leader is judged on candidates that it
  // did not choose.
  int Choose(const std::vector<bool>& ready);

  double Share(int contender) const;

 private:
  struct Contender {
    Root root;
    double belief = 0.5;
    double right = 0, seen = 0;
  };
  struct Row {
    int task = 0;
    double log_time = 0;
    std::vector<float> scores;
  };

  // The contender with the greatest share but those of `root`, if `except_root`; -1: none.
  int Best(const std::vector<bool>& ready, bool except_root, Root root) const;

  std::vector<Contender> contenders_;
  std::vector<Row> epoch_;
  int calls_ = 0;
};

}  // namespace tilth
