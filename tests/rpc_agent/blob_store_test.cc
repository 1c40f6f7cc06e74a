#include "rpc_agent/blob_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "base/files.h"
#include "base/hash.h"
#include "proto/blob.h"

namespace tilth {
namespace {

using ::testing::ElementsAre;

proto::Blob Pack(const std::string& content) {
  proto::Blob blob;
  blob.set_hash(ContentHash(content));
  blob.set_data(CompressBlob(content).value());
  return blob;
}

class BlobStoreTest : public ::testing::Test {
 protected:
  TempDir directory_ = TempDir::Create().value();
  // Never connected.
  TrackerStream stream_{"127.0.0.1:1", directory_.path()};
  std::unique_ptr<BlobStore> store_ = BlobStore::Open(directory_.File("artifacts"), stream_).value();
};

TEST_F(BlobStoreTest, WhatIsKeptIsAloneInItsDirectoryAndReadableForEverybody) {
  const mode_t mask = umask(0077);
  ASSERT_TRUE(store_->Keep(Pack("code")).ok());
  ASSERT_TRUE(store_->Keep(Pack("code")).ok());
  umask(mask);
  const std::string file = store_->Fetch(ContentHash("code")).value();
  EXPECT_EQ(ReadFile(file).value(), "code");
  const std::string directory = std::filesystem::path(file).parent_path();
  EXPECT_THAT(ListDirectory(directory).value(), ElementsAre("artifact.so"));
  struct stat info{};
  ASSERT_EQ(stat(file.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0644u);
  ASSERT_EQ(stat(directory.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0755u);
}

TEST_F(BlobStoreTest, ADamagedFileIsMadeWholeWhenItComesAgain) {
  ASSERT_TRUE(store_->Keep(Pack("code")).ok());
  const std::string file = store_->Fetch(ContentHash("code")).value();
  ASSERT_TRUE(WriteFile(file, "").ok());
  ASSERT_TRUE(store_->Keep(Pack("code")).ok());
  EXPECT_EQ(ReadFile(file).value(), "code");
}

TEST_F(BlobStoreTest, ContentThatIsNotWhatItsHashSaysIsRefused) {
  proto::Blob blob = Pack("code");
  blob.set_hash(ContentHash("other"));
  EXPECT_EQ(store_->Keep(blob).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(store_->Fetch("../../etc").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(store_->Fetch(ContentHash("other")).status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace tilth
