// Whose turn it is on the devices of one class: deficit round robin over users, whose trials cost the device time that
// they are expected to take.
//
// Users stand in a ring. The one at its head is served while its deficit covers the cost of its next trial; then the
// turn passes on, and whoever gets it has its deficit raised by a quantum. Over time every user that has trials waiting
// gets the same share of device time, however many trials it has and however long each takes.
//
// Inside a user, sessions go by priority, then by age. A priority above 0 goes before all sessions of a lower one, of
// other users, too.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"

namespace tilth {

// Not thread-safe.
class FairQueue {
 public:
  struct Session {
    uint64_t number = 0;  // identifies it; a lower one is older
    std::string user;
    int priority = 0;
    double trial_seconds = 0;  // what its next trial is expected to cost
  };

  // A session is here exactly while it has trials to hand out. Adding one that is here changes nothing.
  void Add(const Session& session);
  void Remove(uint64_t number);
  void SetTrialSeconds(uint64_t number, double trial_seconds);
  bool empty() const { return sessions_.empty(); }

  // The session whose trial is handed out next, among those that `accepts`, whose user is charged for it; nullopt if it
  // accepts none.
  std::optional<uint64_t> Next(absl::FunctionRef<bool(uint64_t number)> accepts);

 private:
  struct User {
    std::string name;
    double deficit_s = 0;
    bool in_turn = false;                                 // it stands at the head and has had its quantum
    std::map<std::pair<int, uint64_t>, double> sessions;  // (-priority, number) -> seconds of its next trial
  };
  using Ring = std::list<User>;  // front: its turn
  struct Place {
    int level;
    Ring::iterator user;
    std::pair<int, uint64_t> key;
  };

  static std::optional<uint64_t> NextOf(Ring& ring, absl::FunctionRef<bool(uint64_t)> accepts);

  std::map<int, Ring, std::greater<>> levels_;  // by priority above 0; level 0 has the others
  std::map<std::pair<int, std::string>, Ring::iterator> users_;
  absl::flat_hash_map<uint64_t, Place> sessions_;
};

}  // namespace tilth
