// Children without a network and without processes that outlive them. What is taken away stays away, so each test does
// it in a process of its own.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "base/files.h"
#include "base/subprocess.h"

namespace tilth {
namespace {

SubprocessOutput Run(const std::string& script) {
  auto output = RunSubprocess({.argv = {"sh", "-c", script}, .stdout_to = ChildStream::kCapture}, "", 10'000);
  return output.ok() ? *output : SubprocessOutput{.exit = {.code = 99}};
}

// Exit status of the process that does it; 0 also where the system does not let it.
int NetworkIsGone() {
  if (!IsolateChildren().network) return 0;
  // Of the interfaces only the loopback is left, and it is down.
  return Run("test $(tail -n +3 /proc/net/dev | wc -l) -le 1 && test -z \"$(cat /proc/net/route | tail -n +2)\"")
      .exit.code;
}

int EscapedGrandchildIsGone(const std::string& lock) {
  if (!IsolateChildren().processes) return 0;
  const SubprocessOutput output = Run("setsid flock " + lock + " sleep 1000 >/dev/null 2>&1 & sleep 0.3; exit 0");
  if (!output.exit.Success()) return 1;
  const int file = open(lock.c_str(), O_RDWR | O_CREAT, 0666);
  return flock(file, LOCK_EX | LOCK_NB) == 0 ? 0 : 2;
}

int ChildEndsAsEver() {
  IsolateChildren();
  return Run("exit 7").exit.code == 7 && Run("kill -SEGV $$; sleep 1; exit 3").exit.code != 99 ? 0 : 1;
}

int ChildrenBeginInGroup(const std::string& group) {
  if (mkdir(group.c_str(), 0755) != 0) return 0;  // no such hierarchy, or not ours
  if (!FileExists(group + "/cgroup.procs")) {
    rmdir(group.c_str());
    return 0;
  }
  const bool entered = StartChildrenIn(group).ok();
  const SubprocessOutput output = Run("cat /proc/self/cgroup");
  StartChildrenIn(group.substr(0, group.rfind('/'))).IgnoreError();
  rmdir(group.c_str());
  return entered && output.stdout_text.find("tilth-isolation-test") != std::string::npos ? 0 : 1;
}

TEST(IsolationDeathTest, ChildHasNoNetwork) { EXPECT_EXIT(_exit(NetworkIsGone()), testing::ExitedWithCode(0), ""); }

TEST(IsolationDeathTest, NoGrandchildOutlivesTheChild) {
  const TempDir directory = TempDir::Create("isolation").value();
  EXPECT_EXIT(_exit(EscapedGrandchildIsGone(directory.File("lock"))), testing::ExitedWithCode(0), "");
}

TEST(IsolationDeathTest, ExitStatusesAreTheSame) {
  EXPECT_EXIT(_exit(ChildEndsAsEver()), testing::ExitedWithCode(0), "");
}

TEST(IsolationDeathTest, ChildrenAreBornInControlGroupsOfBothVersions) {
  for (const char* parent : {"/sys/fs/cgroup/pids/", "/sys/fs/cgroup/unified/", "/sys/fs/cgroup/"}) {
    EXPECT_EXIT(_exit(ChildrenBeginInGroup(std::string(parent) + "tilth-isolation-test")), testing::ExitedWithCode(0),
                "")
        << parent;
  }
}

}  // namespace
}  // namespace tilth
