#include "farm/scratch_directory.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/unique_id.h"

namespace tilth {
namespace {

// Makes `path` look an hour old.
void Age(const std::string& path) {
  timespec times[2] = {};
  clock_gettime(CLOCK_REALTIME, &times[0]);
  times[0].tv_sec -= 3600;
  times[1] = times[0];
  ASSERT_EQ(utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
}

TEST(ScratchDirectoryTest, RemovesWhatKilledProcessesLeftAndNothingElse) {
  const std::string prefix = StrCat("tilth-test-", UniqueId());
  auto owned = ScratchDirectory::Create(prefix);
  ASSERT_TRUE(owned.ok()) << owned.status();
  auto abandoned = TempDir::Create(prefix), young = TempDir::Create(prefix);
  ASSERT_TRUE(abandoned.ok() && young.ok());
  ASSERT_TRUE(WriteFile(abandoned->File("data"), "x").ok());
  Age(owned->path());
  Age(abandoned->path());

  auto next = ScratchDirectory::Create(prefix);
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_TRUE(FileExists(owned->path()));
  EXPECT_TRUE(FileExists(young->path()));
  EXPECT_TRUE(FileExists(next->path()));
  EXPECT_FALSE(FileExists(abandoned->path()));
}

TEST(ScratchDirectoryTest, IsRemovedByItsOwner) {
  std::string path;
  {
    auto directory = ScratchDirectory::Create("tilth-test");
    ASSERT_TRUE(directory.ok());
    path = directory->path();
  }
  EXPECT_FALSE(FileExists(path));
}

}  // namespace
}  // namespace tilth
