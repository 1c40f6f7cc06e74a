// See the header.
#include "farm/simulation/simulated_fleet.h"

#include <boost/asio/executor_work_guard.hpp>
#include <chrono>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "farm/simulation/simulated_agent.h"

namespace tilth {
namespace {

constexpr std::chrono::milliseconds kPoll{5};

}  // namespace

class SimulatedFleet::Impl {
 public:
  Impl(const std::string& tracker, std::vector<SimulatedAgentOptions> options,
       std::function<void(const std::string&)> on_grant)
      : keep_timers_(fleet_.timers.get_executor()) {
    fleet_.tracker = tracker;
    fleet_.on_grant = std::move(on_grant);
    timers_ = std::thread([this] { fleet_.timers.run(); });
    for (const SimulatedAgentOptions& agent : options) {
      agents_.push_back(std::make_shared<SimulatedAgent>(agent, fleet_));
      agents_.back()->Dial();
    }
  }

  ~Impl() {
    for (const auto& agent : agents_) agent->Stop();
    for (const auto& agent : agents_) {
      // Its timers belong to ours, so nobody else may be the last to let go.
      while (agent.use_count() > 1) std::this_thread::sleep_for(kPoll);
    }
    keep_timers_.reset();
    timers_.join();
  }

  Status WaitAttached(int64_t timeout_ms) const {
    const int64_t deadline_ns = SystemClock().NowNs() + timeout_ms * 1'000'000;
    while (fleet_.attached < static_cast<int64_t>(agents_.size())) {
      if (SystemClock().NowNs() > deadline_ns) {
        return absl::DeadlineExceededError(
            StrCat(fleet_.attached.load(), " of ", agents_.size(), " simulated agents have attached in time"));
      }
      std::this_thread::sleep_for(kPoll);
    }
    return absl::OkStatus();
  }

  FleetCounts counts() const {
    return {.grants = fleet_.grants,
            .finished = fleet_.finished,
            .acknowledged = fleet_.acknowledged,
            .revoked = fleet_.revoked,
            .connections = fleet_.connections};
  }

 private:
  FleetContext fleet_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> keep_timers_;
  std::thread timers_;
  std::vector<std::shared_ptr<SimulatedAgent>> agents_;
};

SimulatedFleet::SimulatedFleet(const std::string& tracker, std::vector<SimulatedAgentOptions> agents,
                               std::function<void(const std::string&)> on_grant)
    : impl_(std::make_unique<Impl>(tracker, std::move(agents), std::move(on_grant))) {}
SimulatedFleet::~SimulatedFleet() = default;

Status SimulatedFleet::WaitAttached(int64_t timeout_ms) const { return impl_->WaitAttached(timeout_ms); }
FleetCounts SimulatedFleet::counts() const { return impl_->counts(); }

}  // namespace tilth
