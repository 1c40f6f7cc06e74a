#include "base/files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tilth {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(FilesTest, ReadsBackWhatWasWritten) {
  auto dir = TempDir::Create();
  ASSERT_TRUE(dir.ok()) << dir.status();
  const std::string bytes("a\0b\n", 4);
  ASSERT_TRUE(WriteFile(dir->File("x"), bytes).ok());
  EXPECT_EQ(*ReadFile(dir->File("x")), bytes);
}

TEST(FilesTest, AtomicWriteReplacesAndLeavesNothingBeside) {
  auto dir = TempDir::Create();
  ASSERT_TRUE(dir.ok());
  ASSERT_TRUE(WriteFileAtomically(dir->File("x"), "old").ok());
  ASSERT_TRUE(WriteFileAtomically(dir->File("x"), "new").ok());
  EXPECT_EQ(*ReadFile(dir->File("x")), "new");
  EXPECT_THAT(*ListDirectory(dir->path()), ElementsAre("x"));
}

TEST(FilesTest, MissingFileIsNotFoundAndNamesThePath) {
  auto read = ReadFile("/nonexistent/file");
  EXPECT_EQ(read.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(read.status().message()), HasSubstr("/nonexistent/file"));
}

TEST(FilesTest, TempDirIsRemovedWithItsContents) {
  std::string path;
  {
    auto dir = TempDir::Create();
    ASSERT_TRUE(dir.ok());
    path = dir->path();
    ASSERT_TRUE(MakeDirectories(dir->File("a/b")).ok());
    ASSERT_TRUE(WriteFile(dir->File("a/b/c"), "").ok());
    TempDir moved = std::move(*dir);
    EXPECT_TRUE(FileExists(moved.File("a/b/c")));
  }
  EXPECT_FALSE(FileExists(path));
}

}  // namespace
}  // namespace tilth
