#include "ir/target.h"

#include <gtest/gtest.h>

namespace tilth {
namespace {

TEST(Target, NativeRunsHere) {
  const StatusOr<Target> target = ParseTarget("native");
  ASSERT_TRUE(target.ok()) << target.status();
  EXPECT_TRUE(RunsOnThisMachine(*target));
  EXPECT_GT(target->l1_bytes, 0);
}

TEST(Target, UnknownNameListsWhatThereIs) {
  const Status status = ParseTarget("rpi9").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  for (const char* word : {"rpi9", "rpi4", "native", "vector_bytes"})
    EXPECT_NE(std::string(status.message()).find(word), std::string::npos) << status;
}

TEST(Target, BadKeysAndValuesAreNamed) {
  for (const char* text :
       {"rpi4,colour=red", "rpi4,cores=many", "rpi4,vector_bytes=17", "cores=", "arch=vax", "rpi4,cores"}) {
    const Status status = ParseTarget(text).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text << ": " << status;
  }
}

TEST(Target, HashIgnoresWhatDoesNotChangeCode) {
  EXPECT_EQ(TargetHash(*ParseTarget("rpi4")), TargetHash(*ParseTarget("rpi4,cores=2")));
  EXPECT_NE(TargetHash(*ParseTarget("rpi4")), TargetHash(*ParseTarget("rpi5")));
}

TEST(Target, TextOfEveryPresetParsesBack) {
  for (const std::string& name : TargetPresets()) {
    const Target target = *ParseTarget(name);
    std::string text = ToText(target);
    for (char& c : text)
      if (c == '\n') c = ',';
    text.pop_back();
    const StatusOr<Target> back = ParseTarget(text);
    ASSERT_TRUE(back.ok()) << text << ": " << back.status();
    EXPECT_EQ(TargetHash(*back), TargetHash(target)) << name;
  }
}

}  // namespace
}  // namespace tilth
