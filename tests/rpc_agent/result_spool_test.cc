#include "rpc_agent/result_spool.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/files.h"
#include "proto/farm.pb.h"

namespace tilth {
namespace {

proto::TrialFinished Finished(uint64_t token, const std::string& trial_id) {
  proto::TrialFinished finished;
  finished.mutable_lease()->set_token(token);
  finished.mutable_lease()->set_trial_id(trial_id);
  return finished;
}

TEST(ResultSpoolTest, KeepsResultsOverRestartsInTheOrderOfTokens) {
  auto dir = TempDir::Create();
  ASSERT_TRUE(dir.ok());
  {
    auto spool = ResultSpool::Open(dir->path());
    ASSERT_TRUE(spool.ok());
    for (uint64_t token : {uint64_t{1} << 33, uint64_t{5}, uint64_t{70}}) {
      ASSERT_TRUE((*spool)->Add(Finished(token, StrCat("t", token))).ok());
    }
    (*spool)->Remove(Finished(70, "").lease());
  }
  auto spool = ResultSpool::Open(dir->path());
  ASSERT_TRUE(spool.ok());
  const auto all = (*spool)->All();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].lease().trial_id(), "t5");
  EXPECT_EQ(all[1].lease().token(), uint64_t{1} << 33);
}

TEST(ResultSpoolTest, ResultsThatTheDiskDoesNotTakeAreKeptInMemory) {
  auto dir = TempDir::Create();
  ASSERT_TRUE(dir.ok());
  auto spool = ResultSpool::Open(dir->File("results"));
  ASSERT_TRUE(spool.ok());
  ASSERT_EQ(rmdir(dir->File("results").c_str()), 0);
  EXPECT_FALSE((*spool)->Add(Finished(2, "full")).ok());
  ASSERT_TRUE(MakeDirectories(dir->File("results")).ok());
  EXPECT_TRUE((*spool)->Add(Finished(1, "stored")).ok());
  const auto all = (*spool)->All();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].lease().trial_id(), "stored");
  EXPECT_EQ(all[1].lease().trial_id(), "full");
  (*spool)->Remove(Finished(2, "").lease());
  EXPECT_EQ((*spool)->All().size(), 1u);
}

TEST(ResultSpoolTest, DamagedFilesAreRemoved) {
  auto dir = TempDir::Create();
  ASSERT_TRUE(dir.ok());
  ASSERT_TRUE(WriteFile(dir->File("0000000000000001.result"), "\xff\xff garbage").ok());
  ASSERT_TRUE(WriteFile(dir->File("0000000000000002.result.new.77"), "half").ok());
  auto spool = ResultSpool::Open(dir->path());
  ASSERT_TRUE(spool.ok());
  EXPECT_TRUE((*spool)->All().empty());
  EXPECT_TRUE(ListDirectory(dir->path())->empty());
}

}  // namespace
}  // namespace tilth
