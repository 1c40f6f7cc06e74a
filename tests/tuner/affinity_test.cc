#include "tuner/affinity.h"

#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tilth {
namespace {

TEST(CoreAvoidance, LeavesTheCoreWhileItLivesAndThreadsInherit) {
  const std::vector<int> before = AllowedCores();
  ASSERT_FALSE(before.empty());
  {
    const CoreAvoidance avoidance(before.back());
    std::vector<int> inherited;
    std::thread([&] { inherited = AllowedCores(); }).join();
    EXPECT_EQ(inherited, AllowedCores());
    if (before.size() == 1) {
      EXPECT_EQ(AllowedCores(), before);
    } else {
      EXPECT_THAT(AllowedCores(), ::testing::Not(::testing::Contains(before.back())));
    }
  }
  EXPECT_EQ(AllowedCores(), before);
}

TEST(CoreAvoidance, CoreThatIsNotOursChangesNothing) {
  const std::vector<int> before = AllowedCores();
  const CoreAvoidance avoidance(1000);
  EXPECT_EQ(AllowedCores(), before);
}

}  // namespace
}  // namespace tilth
