#include "rpc_agent/messenger.h"

#include <algorithm>
#include <utility>

#include "base/logging.h"

namespace tilth {
namespace {

bool HasReading(const proto::TrialFinished& finished) { return finished.result().health().measured_unix_ms() != 0; }

proto::AgentMessage Finished(proto::TrialFinished finished) {
  proto::AgentMessage message;
  *message.mutable_finished() = std::move(finished);
  return message;
}

}  // namespace

StatusOr<std::unique_ptr<Messenger>> Messenger::Open(const std::string& directory, TrackerStream& stream) {
  TILTH_ASSIGN_OR_RETURN(std::unique_ptr<ResultSpool> spool, ResultSpool::Open(directory));
  return std::unique_ptr<Messenger>(new Messenger(std::move(spool), stream));
}

Messenger::Messenger(std::unique_ptr<ResultSpool> spool, TrackerStream& stream)
    : stream_(stream), spool_(std::move(spool)) {
  for (proto::TrialFinished& finished : spool_->All()) {
    if (!HasReading(finished)) unconfirmed_.push_back(std::move(finished));
  }
  thread_ = std::thread([this] { Work(); });
}

Messenger::~Messenger() {
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void Messenger::Post(proto::AgentMessage message) {
  std::lock_guard lock(mutex_);
  outbox_.push_back(std::move(message));
  wake_.notify_all();
}

void Messenger::SendAgain() {
  for (proto::TrialFinished& finished : spool_->All()) {
    if (HasReading(finished)) stream_.Send(Finished(std::move(finished)));
  }
}

std::vector<proto::Lease> Messenger::Holding() const {
  std::vector<proto::Lease> leases;
  {
    std::lock_guard lock(mutex_);
    for (const proto::AgentMessage& message : outbox_) {
      if (message.has_finished()) leases.push_back(message.finished().lease());
    }
  }
  for (proto::TrialFinished& finished : spool_->All()) leases.push_back(std::move(*finished.mutable_lease()));
  return leases;
}

void Messenger::Work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return ending_ || !outbox_.empty(); });
    if (outbox_.empty()) return;
    // A result stays in the outbox until it is kept: the agent must be able to say at any time what it holds. Others
    // only add behind it, so it stays where it is.
    const proto::AgentMessage& message = outbox_.front();
    lock.unlock();
    if (message.has_finished()) Keep(message.finished());
    lock.lock();
    const proto::AgentMessage kept = std::move(outbox_.front());
    outbox_.pop_front();
    lock.unlock();
    Handle(kept);
    lock.lock();
  }
}

void Messenger::Handle(const proto::AgentMessage& message) {
  if (message.has_heartbeat()) Confirm(message.heartbeat().health());
  if (!message.has_finished() || HasReading(message.finished())) return stream_.Send(message);
  unconfirmed_.push_back(message.finished());
  proto::AgentMessage measured;
  *measured.mutable_measured()->mutable_lease() = message.finished().lease();
  stream_.Send(measured);
}

void Messenger::Keep(const proto::TrialFinished& finished) {
  if (const Status kept = spool_->Add(finished); !kept.ok()) LogError("keeping a result: ", kept.ToString());
}

void Messenger::Confirm(const proto::DeviceHealth& health) {
  for (proto::TrialFinished& finished : unconfirmed_) {
    proto::DeviceHealth* own = finished.mutable_result()->mutable_health();
    const double own_ratio = own->canary_ratio();
    *own = health;
    if (own_ratio > 0 && health.canary_ratio() > 0) own->set_canary_ratio(std::min(own_ratio, health.canary_ratio()));
    Keep(finished);
    stream_.Send(Finished(std::move(finished)));
  }
  unconfirmed_.clear();
}

}  // namespace tilth
