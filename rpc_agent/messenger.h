// What the agent has to say to the tracker, on a thread of its own, in order: the device need not wait for disk and
// network. Results are on disk before they are sent and stay there until they are acknowledged; those that lack a
// reading of the device's health wait for the next one.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/status.h"
#include "proto/farm.pb.h"
#include "rpc_agent/result_spool.h"
#include "rpc_agent/tracker_stream.h"

namespace tilth {

// Thread-safe.
class Messenger {
 public:
  // `directory`: of the results; those of a former life are taken over. `stream` must outlive the messenger.
  static StatusOr<std::unique_ptr<Messenger>> Open(const std::string& directory, TrackerStream& stream);
  Messenger(const Messenger&) = delete;
  Messenger& operator=(const Messenger&) = delete;
  // Handles what has been posted first.
  ~Messenger();

  // A heartbeat's health is the reading that results without one have waited for.
  void Post(proto::AgentMessage message);

  // The tracker, new or back, gets every result that it has not acknowledged.
  void SendAgain();
  // The result of this lease is the tracker's by now, or nobody waits for it.
  void Forget(const proto::Lease& lease) { spool_->Remove(lease); }

  // The leases of all results that are not acknowledged.
  std::vector<proto::Lease> Holding() const;

 private:
  Messenger(std::unique_ptr<ResultSpool> spool, TrackerStream& stream);

  void Work();
  void Handle(const proto::AgentMessage& message);
  void Keep(const proto::TrialFinished& finished);
  void Confirm(const proto::DeviceHealth& health);

  TrackerStream& stream_;
  const std::unique_ptr<ResultSpool> spool_;
  std::vector<proto::TrialFinished> unconfirmed_;  // without a reading; of the thread
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool ending_ = false;
  std::deque<proto::AgentMessage> outbox_;
  std::thread thread_;
};

}  // namespace tilth
