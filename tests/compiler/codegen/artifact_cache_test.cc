#include "compiler/artifact_cache.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/files.h"
#include "compiler/build_kernel.h"

namespace tilth {
namespace {

constexpr char kMatmul[] =
    "tilth workload 1\nt0 input f32[8,16]\nt1 constant f32[16,16]\nt2 output f32[8,16]\n"
    "t2[i0, i1] for i0:8 i1:16 = sum[r0:16] (t0[i0, r0] * t1[r0, i1])\n";

class ArtifactCacheTest : public testing::Test {
 protected:
  ArtifactCacheTest() : directory_(*TempDir::Create()) {}

  std::unique_ptr<ArtifactCache> Open(int64_t max_bytes = ArtifactCache::kDefaultMaxBytes) {
    return *ArtifactCache::Open(directory_.path(), max_bytes);
  }
  std::vector<std::string> Files() { return *ListDirectory(directory_.path()); }

  TempDir directory_;
};

TEST_F(ArtifactCacheTest, GivesBackWhatAnotherProcessPut) {
  Open()->Put("a", "code");
  EXPECT_EQ(Open()->Find("a"), "code");
  EXPECT_EQ(Open()->Find("b"), std::nullopt);
}

TEST_F(ArtifactCacheTest, DamagedFileIsAbsentAndRemoved) {
  auto cache = Open();
  for (const char* damage : {"", "short", "a whole hash's worth of bytes, and then some that it is not of"}) {
    cache->Put("a", "code");
    ASSERT_TRUE(WriteFile(directory_.File("a"), damage).ok());
    EXPECT_EQ(cache->Find("a"), std::nullopt);
    EXPECT_TRUE(Files().empty());
  }
  cache->Put("a", "code");
  EXPECT_EQ(cache->Find("a"), "code");
}

TEST_F(ArtifactCacheTest, StaysBelowItsSizeAndKeepsWhatWasUsedLast) {
  auto cache = Open(4000);
  const std::string bytes(968, 'x');  // 1,000 with the hash
  for (const char* key : {"a", "b", "c", "d"}) cache->Put(key, bytes);
  EXPECT_EQ(Files().size(), 4u);
  const timespec past[2] = {{1, 0}, {1, 0}};
  for (const char* key : {"b", "c"}) ASSERT_EQ(utimensat(AT_FDCWD, directory_.File(key).c_str(), past, 0), 0);
  cache->Put("e", bytes);
  EXPECT_EQ(Files(), (std::vector<std::string>{"a", "d", "e"}));
  EXPECT_EQ(Open(2000)->Find("e").has_value() + Files().size(), 2u);
}

TEST_F(ArtifactCacheTest, KeyCoversWhateverDecidesTheCode) {
  const Workload workload = *ParseWorkload(kMatmul);
  const Target v3 = *ParseTarget("x86-64-v3"), v4 = *ParseTarget("x86-64-v4");
  const Decisions one{"a", {{"k", {1}}}}, two{"a", {{"k", {2}}}};
  const std::string key = ArtifactCache::Key(workload, one, v3, "x");
  EXPECT_EQ(key, ArtifactCache::Key(workload, one, v3, "x"));
  EXPECT_NE(key, ArtifactCache::Key(workload, two, v3, "x"));
  EXPECT_NE(key, ArtifactCache::Key(workload, one, v4, "x"));
  EXPECT_NE(key, ArtifactCache::Key(workload, one, v3, "y"));
}

TEST_F(ArtifactCacheTest, SecondBuildTakesTheSameBytesFromIt) {
  auto space = SearchSpace::Create(*ParseWorkload(kMatmul), *ParseTarget("x86-64-v3"));
  auto cache = Open();
  BuildReport first, second;
  const StatusOr<Artifact> built = BuildArtifact(**space, (*space)->Default(), &first, cache.get());
  const StatusOr<Artifact> found = BuildArtifact(**space, (*space)->Default(), &second, cache.get());
  ASSERT_TRUE(built.ok() && found.ok());
  EXPECT_EQ(built->shared_object, found->shared_object);
  EXPECT_EQ(built->hash, found->hash);
  EXPECT_GT(first.codegen.machine_s, 0);
  EXPECT_EQ(second.codegen.machine_s, 0);
}

}  // namespace
}  // namespace tilth
