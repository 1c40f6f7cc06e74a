#include "farm/fair_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace tilth {
namespace {

using ::testing::ElementsAre;

bool Anybody(uint64_t) { return true; }

// The order in which `count` trials are handed out.
std::vector<uint64_t> Take(FairQueue& queue, int count) {
  std::vector<uint64_t> taken;
  for (int i = 0; i < count; ++i) taken.push_back(queue.Next(Anybody).value_or(0));
  return taken;
}

TEST(FairQueueTest, AnEmptyQueueHasNobodyNext) {
  FairQueue queue;
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.Next(Anybody), std::nullopt);
  queue.Remove(1);
}

TEST(FairQueueTest, SessionsOfAUserGoByPriorityThenByAge) {
  FairQueue queue;
  queue.Add({.number = 2, .user = "a"});
  queue.Add({.number = 1, .user = "a"});
  queue.Add({.number = 3, .user = "a", .priority = -1});
  queue.Add({.number = 4, .user = "a", .priority = -2});
  EXPECT_THAT(Take(queue, 2), ElementsAre(1, 1));
  queue.Remove(1);
  queue.Remove(2);
  EXPECT_THAT(Take(queue, 1), ElementsAre(3));
  queue.Remove(3);
  EXPECT_THAT(Take(queue, 1), ElementsAre(4));
}

TEST(FairQueueTest, UsersOfEqualTrialsTakeTurns) {
  FairQueue queue;
  queue.Add({.number = 1, .user = "a", .trial_seconds = 0.05});
  queue.Add({.number = 2, .user = "b", .trial_seconds = 0.05});
  EXPECT_THAT(Take(queue, 6), ElementsAre(1, 2, 1, 2, 1, 2));
}

TEST(FairQueueTest, UsersGetTheSameDeviceTimeHoweverLongTheirTrialsAre) {
  FairQueue queue;
  const std::map<uint64_t, double> seconds = {{1, 0.013}, {2, 0.2}, {3, 3.1}, {4, 0.0499}};
  for (const auto& [number, cost] : seconds) {
    queue.Add({.number = number, .user = std::string(1, static_cast<char>('a' + number)), .trial_seconds = cost});
  }
  std::map<uint64_t, double> got;
  double total = 0;
  while (total < 400) {
    const uint64_t number = queue.Next(Anybody).value();
    got[number] += seconds.at(number);
    total += seconds.at(number);
  }
  for (const auto& [number, time] : got) EXPECT_NEAR(time, total / 4, 3.2) << number;
}

TEST(FairQueueTest, WhoHasBeenAwayHasSavedNothing) {
  FairQueue queue;
  queue.Add({.number = 1, .user = "a", .trial_seconds = 0.05});
  queue.Add({.number = 2, .user = "b", .trial_seconds = 0.05});
  queue.Remove(2);
  Take(queue, 1000);
  queue.Add({.number = 2, .user = "b", .trial_seconds = 0.05});
  const std::vector<uint64_t> taken = Take(queue, 10);
  EXPECT_EQ(std::count(taken.begin(), taken.end(), 2u), 5);
}

TEST(FairQueueTest, APriorityAboveZeroGoesBeforeOtherUsers) {
  FairQueue queue;
  queue.Add({.number = 1, .user = "a"});
  queue.Add({.number = 2, .user = "b", .priority = 1});
  EXPECT_THAT(Take(queue, 3), ElementsAre(2, 2, 2));
  queue.Remove(2);
  EXPECT_THAT(Take(queue, 1), ElementsAre(1));
}

TEST(FairQueueTest, WhomADeviceCannotServeDoesNotHoldOthersUp) {
  FairQueue queue;
  queue.Add({.number = 1, .user = "a"});
  queue.Add({.number = 2, .user = "b"});
  EXPECT_EQ(queue.Next([](uint64_t number) { return number == 2; }), 2u);
  EXPECT_EQ(queue.Next([](uint64_t) { return false; }), std::nullopt);
}

TEST(FairQueueTest, ADearerEstimateCountsFromTheNextTrialOn) {
  FairQueue queue;
  queue.Add({.number = 1, .user = "a", .trial_seconds = 0.05});
  queue.Add({.number = 2, .user = "b", .trial_seconds = 0.05});
  queue.SetTrialSeconds(1, 0.5);
  queue.SetTrialSeconds(3, 0.5);  // unknown: nothing to do
  const std::vector<uint64_t> taken = Take(queue, 110);
  EXPECT_NEAR(static_cast<double>(std::count(taken.begin(), taken.end(), 1u)), 10, 1);
}

}  // namespace
}  // namespace tilth
