#include "tuner/task_scheduler.h"

#include <cmath>

#include "gtest/gtest.h"

namespace tilth {
namespace {

// Gives the task its turn and answers every trial with `time_of(trials so far)`.
template <typename TimeOf>
void Play(TaskScheduler* scheduler, const Turn& turn, std::vector<int>* trials, TimeOf time_of) {
  scheduler->Started(turn.task, turn.count);
  for (int i = 0; i < turn.count; ++i) {
    scheduler->Finished(turn.task, time_of(turn.task, (*trials)[static_cast<size_t>(turn.task)]++));
  }
}

// Runs until nobody wants a turn or `budget` trials are spent; returns trials per task.
template <typename TimeOf>
std::vector<int> Simulate(TaskScheduler* scheduler, int tasks, int budget, TimeOf time_of) {
  std::vector<int> trials(static_cast<size_t>(tasks));
  for (int spent = 0; spent < budget;) {
    Turn turn = scheduler->Next();
    if (turn.task < 0) break;
    turn.count = std::min(turn.count, budget - spent);
    spent += turn.count;
    Play(scheduler, turn, &trials, time_of);
  }
  return trials;
}

TEST(TaskScheduler, MeasuresEveryDefaultFirst_CostliestFirst) {
  TaskScheduler scheduler(
      std::vector<ScheduledTask>{{.weight = 1, .work = 10}, {.weight = 5, .work = 100}, {.weight = 2, .work = 100}});
  std::vector<int> order;
  for (int i = 0; i < 3; ++i) {
    const Turn turn = scheduler.Next();
    EXPECT_TRUE(turn.measure_default);
    EXPECT_EQ(turn.count, 1);
    order.push_back(turn.task);
    scheduler.Started(turn.task, 1);
  }
  EXPECT_EQ(order, (std::vector<int>{1, 2, 0}));
}

TEST(TaskScheduler, FirstBatchesGoInOrderOfCost) {
  TaskScheduler scheduler(std::vector<ScheduledTask>{{.weight = 1}, {.weight = 10}});
  std::vector<int> trials(2);
  Play(&scheduler, scheduler.Next(), &trials, [](int, int) { return 100.0; });
  Play(&scheduler, scheduler.Next(), &trials, [](int, int) { return 100.0; });
  const Turn turn = scheduler.Next();
  EXPECT_EQ(turn.task, 1);
  EXPECT_FALSE(turn.measure_default);
  EXPECT_EQ(turn.count, 7);
}

TEST(TaskScheduler, TrialsGoWhereTheGainIs) {
  // Task 0 keeps improving, task 1 never does; they cost the same at first.
  TaskScheduler scheduler(std::vector<ScheduledTask>{{.weight = 1}, {.weight = 1}});
  const auto trials = Simulate(&scheduler, 2, 120,
                               [](int task, int trial) { return task == 0 ? 1000 * std::pow(0.99, trial) : 1000.0; });
  EXPECT_GT(trials[0], trials[1]);
}

TEST(TaskScheduler, HeavierTaskGetsMore) {
  TaskScheduler scheduler(std::vector<ScheduledTask>{{.weight = 8}, {.weight = 1}});
  const auto trials = Simulate(&scheduler, 2, 160, [](int, int trial) { return 1000 / (1 + 0.05 * trial); });
  EXPECT_GT(trials[0], 2 * trials[1]);
}

TEST(TaskScheduler, TaskThatHardlyMattersGetsFewTrials) {
  SchedulerOptions options;
  TaskScheduler scheduler(std::vector<ScheduledTask>{{.weight = 1, .work = 1e9}, {.weight = 1, .work = 1e5}}, options);
  const auto trials =
      Simulate(&scheduler, 2, 200, [](int task, int trial) { return (task == 0 ? 1e6 : 1e3) / (1 + 0.01 * trial); });
  EXPECT_LE(trials[1], options.cheap_trials);
  EXPECT_TRUE(scheduler.Settled(1));
}

TEST(TaskScheduler, CheapTaskWaitsForTheCostOfOthers) {
  TaskScheduler scheduler(std::vector<ScheduledTask>{{.weight = 1, .work = 1e6}, {.weight = 1, .work = 10}});
  scheduler.Started(0, 1);
  scheduler.Started(1, 1);
  scheduler.Finished(1, 10);
  EXPECT_EQ(scheduler.Next().task, -1);
  EXPECT_FALSE(scheduler.Done());
  scheduler.Finished(0, 1e6);
  EXPECT_EQ(scheduler.Next().task, 0);
}

TEST(TaskScheduler, TrialsGoWhereASecondGainsMost) {
  // Both save the same with a trial; one of task 0 takes ten times as long.
  TaskScheduler scheduler(std::vector<ScheduledTask>{{.weight = 1}, {.weight = 1}});
  std::vector<int> trials(2);
  for (int spent = 0; spent < 160;) {
    const Turn turn = scheduler.Next();
    scheduler.Started(turn.task, turn.count);
    spent += turn.count;
    for (int i = 0; i < turn.count; ++i) {
      const int trial = trials[static_cast<size_t>(turn.task)]++;
      scheduler.Finished(turn.task, 1000 / (1 + 0.05 * trial), turn.task == 0 ? 1.0 : 0.1);
    }
  }
  EXPECT_GT(trials[1], 2 * trials[0]);
}

TEST(TaskScheduler, TasksOfAKindTellEachOtherWhatToHopeFor) {
  // Task 0 has shown that its kind gains nothing after the first trials; 1 is of that kind, 2 is of another.
  TaskScheduler scheduler(std::vector<ScheduledTask>{
      {.weight = 0.02, .kind = "matmul"}, {.weight = 1, .kind = "matmul"}, {.weight = 1, .kind = "softmax"}});
  for (int i = 0; i < 40; ++i) scheduler.Finished(0, 1000);
  for (int i = 0; i < 8; ++i) scheduler.Finished(1, 1000);
  for (int i = 0; i < 8; ++i) scheduler.Finished(2, 1000);
  std::vector<int> trials(3);
  for (int i = 0; i < 5; ++i) {
    const Turn turn = scheduler.Next();
    scheduler.Started(turn.task, turn.count);
    trials[static_cast<size_t>(turn.task)] += turn.count;
  }
  EXPECT_GT(trials[2], trials[1]);
}

TEST(TaskScheduler, TellsWhyATaskIsSettled) {
  TaskScheduler scheduler(std::vector<ScheduledTask>{
      {.weight = 1, .roofline_ns = 960}, {.weight = 1, .single = true}, {.weight = 0.001}, {.weight = 1}});
  for (int task = 0; task < 4; ++task) {
    for (int i = 0; i < 6; ++i) scheduler.Finished(task, 1000);
  }
  EXPECT_EQ(scheduler.WhySettled(0), TaskEnd::kRoofline);
  EXPECT_EQ(scheduler.WhySettled(1), TaskEnd::kExhausted);
  EXPECT_EQ(scheduler.WhySettled(2), TaskEnd::kCheap);
  EXPECT_EQ(scheduler.WhySettled(3), TaskEnd::kNone);
  for (int i = 0; i < 100; ++i) scheduler.Finished(3, 1000);
  EXPECT_EQ(scheduler.WhySettled(3), TaskEnd::kConverged);
}

TEST(TaskScheduler, FailedDefaultIsNotTheEndOfATask) {
  TaskScheduler scheduler(std::vector<ScheduledTask>{{.weight = 1, .work = 1e6}, {.weight = 1, .work = 1e6}});
  const auto trials =
      Simulate(&scheduler, 2, 40, [](int task, int trial) { return task == 0 && trial == 0 ? 0.0 : 1000.0; });
  EXPECT_GT(trials[0], 10);
}

TEST(TaskScheduler, TaskNearTheRooflineStops) {
  TaskScheduler scheduler(
      std::vector<ScheduledTask>{{.weight = 1, .roofline_ns = 960}, {.weight = 1, .roofline_ns = 100}});
  const auto trials = Simulate(&scheduler, 2, 60, [](int, int) { return 1000.0; });
  EXPECT_EQ(trials[0], 1);
  EXPECT_EQ(trials[1], 59);
}

TEST(TaskScheduler, TaskWithoutImprovementConverges) {
  SchedulerOptions options;
  TaskScheduler scheduler(std::vector<ScheduledTask>{{.weight = 1}}, options);
  const auto trials = Simulate(&scheduler, 1, 10'000, [](int, int) { return 1000.0; });
  EXPECT_GE(trials[0], options.patience);
  EXPECT_LE(trials[0], options.patience + 2 * options.batch);
  EXPECT_TRUE(scheduler.Done());
}

TEST(TaskScheduler, ImprovementsKeepATaskAlive) {
  TaskScheduler scheduler(std::vector<ScheduledTask>{{.weight = 1}});
  const auto trials = Simulate(&scheduler, 1, 1000, [](int, int trial) { return 1e6 * std::pow(0.98, trial / 20); });
  EXPECT_EQ(trials[0], 1000);
}

TEST(TaskScheduler, FailuresAloneEndInGivingUp) {
  TaskScheduler scheduler(std::vector<ScheduledTask>{{.weight = 1, .work = 100}});
  const auto trials = Simulate(&scheduler, 1, 10'000, [](int, int) { return 0.0; });
  EXPECT_LT(trials[0], 200);
  EXPECT_TRUE(scheduler.Done());
}

TEST(TaskScheduler, DroppedTrialsDoNotCount) {
  TaskScheduler scheduler(std::vector<ScheduledTask>{{.weight = 1}});
  scheduler.Started(0, 1);
  EXPECT_FALSE(scheduler.Done());
  scheduler.Dropped(0);
  EXPECT_TRUE(scheduler.Next().measure_default);
}

TEST(TaskScheduler, SingleCandidateIsSettledByItsDefault) {
  TaskScheduler scheduler(std::vector<ScheduledTask>{{.weight = 1, .single = true}});
  const auto trials = Simulate(&scheduler, 1, 100, [](int, int) { return 1000.0; });
  EXPECT_EQ(trials[0], 1);
  EXPECT_TRUE(scheduler.Done());
}

TEST(TaskScheduler, ReplayedHistoryDecidesTheSame) {
  const std::vector<ScheduledTask> tasks = {{.weight = 3, .work = 10}, {.weight = 1, .work = 50}};
  const auto time_of = [](int task, int trial) { return (task + 1) * 1000 / (1 + 0.1 * trial); };
  TaskScheduler live(tasks), replayed(tasks);
  const auto trials = Simulate(&live, 2, 70, time_of);
  for (int task = 0; task < 2; ++task) {
    for (int i = 0; i < trials[static_cast<size_t>(task)]; ++i) replayed.Finished(task, time_of(task, i));
  }
  EXPECT_EQ(live.Next().task, replayed.Next().task);
  EXPECT_EQ(live.best_ns(0), replayed.best_ns(0));
}

}  // namespace
}  // namespace tilth
