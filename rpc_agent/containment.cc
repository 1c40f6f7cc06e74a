#include "rpc_agent/containment.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/files.h"
#include "base/hash.h"
#include "base/posix.h"
#include "base/subprocess.h"

namespace tilth {
namespace {

// A runner, its candidate and what an emulator needs.
constexpr char kMostProcesses[] = "64";
constexpr char kGroupPrefix[] = "tilth-trials-";
// A candidate that takes too much should meet its own limit first, which says more than being killed.
constexpr int64_t kBesideCandidateBytes = int64_t{96} << 20;

bool WriteSetting(const std::string& path, const std::string& value) {
  const UniqueFd file(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  return file.valid() && WriteAll(file.get(), value).ok();
}

// Who is not root becomes it in a user namespace of its own, where it may take from its children what it likes; outside
// it stays who it was.
void BecomeRootOfOwnNamespace() {
  const uid_t user = geteuid();
  const gid_t group = getegid();
  if (user == 0 || unshare(CLONE_NEWUSER) != 0) return;
  WriteSetting("/proc/self/setgroups", "deny");
  WriteSetting("/proc/self/uid_map", StrCat("0 ", user, " 1"));
  WriteSetting("/proc/self/gid_map", StrCat("0 ", group, " 1"));
}

// The path of this process in a hierarchy: "memory" and "pids" are of version 1, "" is version 2. Empty: in none.
std::string OwnGroup(std::string_view controller) {
  const std::string text = ReadFile("/proc/self/cgroup").value_or("");
  for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    const std::vector<std::string> fields = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (fields.size() != 3) continue;
    const std::vector<std::string> names = absl::StrSplit(fields[1], ',');
    for (const std::string& name : names) {
      if (name == controller) return fields[2] == "/" ? "" : fields[2];
    }
  }
  return "-";
}

std::string ParentOf(const std::string& path) { return path.substr(0, path.rfind('/')); }

// Groups of agents that were killed. Those in use cannot be removed.
void RemoveLeftGroups(const std::string& parent) {
  for (const std::string& name : ListDirectory(parent).value_or(std::vector<std::string>())) {
    if (absl::StartsWith(name, kGroupPrefix)) rmdir(StrCat(parent, "/", name).c_str());
  }
}

}  // namespace

Containment::Containment(const std::string& name, int64_t memory_limit_bytes) {
  BecomeRootOfOwnNamespace();
  const ChildIsolation isolation = IsolateChildren();
  EnterGroupsV1(StrCat(kGroupPrefix, ContentHash(name).substr(0, 12)), memory_limit_bytes);
  if (controllers_.empty()) EnterGroupV2(memory_limit_bytes);
  std::vector<std::string> own;
  if (isolation.processes) own.emplace_back("processes");
  if (isolation.ipc) own.emplace_back("ipc");
  description_ = isolation.network ? "no network" : "NO network namespace";
  StrAppend(&description_, own.empty() ? ", NO namespace of processes" : StrCat(", own ", absl::StrJoin(own, " and ")));
  StrAppend(&description_, controllers_.empty() ? ", no control group"
                                                : StrCat(", control groups of ", absl::StrJoin(controllers_, " and ")));
}

Containment::~Containment() {
  for (auto group = groups_.rbegin(); group != groups_.rend(); ++group) {
    // A group is removed when nobody is in it.
    StartChildrenIn(ParentOf(*group)).IgnoreError();
    rmdir(group->c_str());
  }
}

bool Containment::UseGroup(const std::string& directory,
                           const std::vector<std::pair<std::string, std::string>>& settings) {
  RemoveLeftGroups(ParentOf(directory));
  if (mkdir(directory.c_str(), 0755) != 0 && errno != EEXIST) return false;
  groups_.push_back(directory);
  for (const auto& [setting, value] : settings) {
    if (!WriteSetting(StrCat(directory, "/", setting), value)) return false;
  }
  return StartChildrenIn(directory).ok();
}

void Containment::EnterGroupsV1(const std::string& name, int64_t memory_limit_bytes) {
  const std::string root = "/sys/fs/cgroup/";
  if (const std::string own = OwnGroup("memory"); own != "-" && memory_limit_bytes > 0) {
    const std::string limit = std::to_string(memory_limit_bytes + kBesideCandidateBytes);
    if (UseGroup(StrCat(root, "memory", own, "/", name), {{"memory.limit_in_bytes", limit}})) {
      controllers_.emplace_back("memory");
    }
  }
  if (const std::string own = OwnGroup("pids"); own != "-") {
    if (UseGroup(StrCat(root, "pids", own, "/", name), {{"pids.max", kMostProcesses}})) {
      controllers_.emplace_back("pids");
    }
  }
}

void Containment::EnterGroupV2(int64_t memory_limit_bytes) {
  const std::string own = OwnGroup("");
  const std::string base = StrCat("/sys/fs/cgroup", own);
  // Only where the group is this agent's alone, as that of a service is: groups with groups below hold no processes.
  if (own == "-" || own.empty() || ReadFile(StrCat(base, "/cgroup.procs")).value_or("") != StrCat(getpid(), "\n"))
    return;
  const std::string controllers = ReadFile(StrCat(base, "/cgroup.controllers")).value_or("");
  const bool memory = absl::StrContains(controllers, "memory") && memory_limit_bytes > 0;
  const bool pids = absl::StrContains(controllers, "pids");
  if (!memory && !pids) return;
  const std::string self = StrCat(base, "/agent");
  if (mkdir(self.c_str(), 0755) != 0 && errno != EEXIST) return;
  groups_.push_back(self);
  if (!WriteSetting(StrCat(self, "/cgroup.procs"), std::to_string(getpid()))) return;
  if (!WriteSetting(StrCat(base, "/cgroup.subtree_control"), StrCat(memory ? "+memory " : "", pids ? "+pids" : ""))) {
    return;
  }
  std::vector<std::pair<std::string, std::string>> settings;
  if (memory) settings.emplace_back("memory.max", std::to_string(memory_limit_bytes + kBesideCandidateBytes));
  if (pids) settings.emplace_back("pids.max", kMostProcesses);
  if (!UseGroup(StrCat(base, "/trials"), settings)) return;
  if (memory) controllers_.emplace_back("memory");
  if (pids) controllers_.emplace_back("pids");
}

}  // namespace tilth
