// What every implementation of Store has to pass:
//
//   INSTANTIATE_TEST_SUITE_P(Mine, StoreConformance, ::testing::Values(StoreImplementation{"Mine", Open}));
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/files.h"
#include "farm/store.h"

namespace tilth {

struct StoreImplementation {
  const char* name;
  // A new, empty store, which may keep files in the directory.
  std::function<StatusOr<std::unique_ptr<Store>>(const TempDir&)> open;
};

class StoreConformance : public ::testing::TestWithParam<StoreImplementation> {
 protected:
  void SetUp() override {
    auto dir = TempDir::Create();
    ASSERT_TRUE(dir.ok());
    dir_.emplace(std::move(*dir));
    auto store = GetParam().open(*dir_);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = std::move(*store);
    Change([](Store& store) { return store.PutSession({.id = "s1", .name = "tune x", .device_class = "rpi4"}); });
  }

  // One transaction, which must succeed.
  template <typename Changes>
  void Change(Changes changes) {
    ASSERT_TRUE(store_->Begin().ok());
    const Status changed = changes(*store_);
    ASSERT_TRUE(changed.ok()) << changed;
    const Status committed = store_->Commit();
    ASSERT_TRUE(committed.ok()) << committed;
  }

  // One that fails in `changes`, and is rolled back.
  template <typename Changes>
  absl::StatusCode Fail(Changes changes) {
    EXPECT_TRUE(store_->Begin().ok());
    const Status changed = changes(*store_);
    store_->Rollback();
    return changed.code();
  }

  StoredContents Load() {
    StatusOr<StoredContents> contents = store_->Load();
    EXPECT_TRUE(contents.ok()) << contents.status();
    return contents.ok() ? *std::move(contents) : StoredContents{};
  }

  std::optional<TempDir> dir_;
  std::unique_ptr<Store> store_;
};

}  // namespace tilth
