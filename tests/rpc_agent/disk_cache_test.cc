#include "rpc_agent/disk_cache.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/files.h"

namespace tilth {
namespace {

TEST(DiskCacheTest, WhatWasUsedLongestAgoGoesFirst) {
  auto dir = TempDir::Create();
  ASSERT_TRUE(dir.ok());
  auto cache = DiskCache::Open(dir->path(), 250);
  ASSERT_TRUE(cache.ok());
  const std::string bytes(100, 'x');
  ASSERT_TRUE(cache->Put("a", bytes).ok());
  ASSERT_TRUE(cache->Put("b", bytes).ok());
  for (const char* key : {"a", "b"}) {
    const timespec old[2] = {{1000, 0}, {key[0] == 'a' ? 2000 : 1000, 0}};
    ASSERT_EQ(utimensat(AT_FDCWD, cache->Path(key).c_str(), old, 0), 0);
  }
  ASSERT_TRUE(cache->Put("c", bytes).ok());
  EXPECT_TRUE(cache->Contains("a"));
  EXPECT_FALSE(cache->Contains("b"));
  EXPECT_TRUE(cache->Contains("c"));
  EXPECT_EQ(*ReadFile(cache->Path("c")), bytes);
}

TEST(DiskCacheTest, AFileLargerThanTheCacheIsKeptWhileItIsTheNewest) {
  auto dir = TempDir::Create();
  ASSERT_TRUE(dir.ok());
  auto cache = DiskCache::Open(dir->path(), 10);
  ASSERT_TRUE(cache.ok());
  ASSERT_TRUE(cache->Put("a", std::string(100, 'x')).ok());
  EXPECT_TRUE(cache->Contains("a"));
}

TEST(DiskCacheTest, ADirectoryOfFilesGoesAsOne) {
  auto dir = TempDir::Create();
  ASSERT_TRUE(dir.ok());
  auto cache = DiskCache::Open(dir->path(), 150);
  ASSERT_TRUE(cache.ok());
  ASSERT_TRUE(MakeDirectories(cache->Path("a")).ok());
  ASSERT_TRUE(WriteFile(cache->Path("a") + "/file", std::string(100, 'x')).ok());
  cache->Written("a");
  const timespec old[2] = {{1000, 0}, {1000, 0}};
  ASSERT_EQ(utimensat(AT_FDCWD, cache->Path("a").c_str(), old, 0), 0);
  ASSERT_TRUE(cache->Put("b", std::string(100, 'x')).ok());
  EXPECT_FALSE(cache->Contains("a"));
  EXPECT_TRUE(cache->Contains("b"));
}

TEST(DiskCacheTest, SurvivesReopening) {
  auto dir = TempDir::Create();
  ASSERT_TRUE(dir.ok());
  ASSERT_TRUE(DiskCache::Open(dir->path(), 1000)->Put("a", "x").ok());
  EXPECT_TRUE(DiskCache::Open(dir->path(), 1000)->Contains("a"));
}

}  // namespace
}  // namespace tilth
