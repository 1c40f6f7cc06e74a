// A tuner's end of the farm: submit trials, collect results.
//
// The client hides failures that pass: it reconnects with back-off, opens its session again and submits unfinished
// trials again, so that a tracker may be killed and restarted at any time. A tracker that stays away longer than
// `reconnect_timeout_ms`, or for so long cannot store its state, is kUnavailable, with its address and what it says.
//
// Thread-safe: threads may submit while another waits. WaitResults calls wait for each other.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "farm/operations.h"
#include "proto/measure.h"

namespace tilth {

struct FarmClientOptions {
  std::string address;                   // "HOST:PORT"
  bool in_the_clear = false;             // whatever identity the user has: the tracker of an embedded farm
  std::string device_class;              // where trials run
  std::string session_name;              // for people: "tune resnet50.onnx"
  std::string user;                      // whose share of the devices it uses; empty: $USER
  std::vector<std::string> device_tags;  // only on devices that have all of these
  int priority = 0;                      // sessions of a higher one go first; above 0 only for admins
  std::string session_id;                // empty: a fresh one
  bool take_over = false;                // session_id is that of a process that was killed: its trials' results count
  int64_t connect_timeout_ms = 10'000;
  int64_t reconnect_timeout_ms = 60'000;
};

class FarmClient {
 public:
  // kUnavailable: nobody answers at the address within connect_timeout_ms, or a tracker that cannot work.
  // kFailedPrecondition: the tracker speaks another protocol version (both are named).
  static StatusOr<std::unique_ptr<FarmClient>> Connect(const FarmClientOptions& options);
  ~FarmClient();  // ends the session if the tracker is there
  FarmClient(const FarmClient&) = delete;
  FarmClient& operator=(const FarmClient&) = delete;

  // Keeps bytes for trials to name by the ContentHash that is returned: artifacts until all submitted trials that name
  // them are finished, baselines as long as the client. They go along with the first trial that needs them.
  // kInvalidArgument: more than the farm carries (proto/blob.h).
  StatusOr<std::string> PutBlob(std::string_view bytes);

  // Returns when the tracker has stored the trials durably. Ids must be unique within the session; one that is known
  // already is not measured again. While the user has as many unfinished trials as the tracker allows, it waits for
  // results to be collected; kResourceExhausted if none comes for reconnect_timeout_ms. kInvalidArgument: PutBlob has
  // not been given the artifact or the baseline.
  Status Submit(const std::vector<Trial>& trials);

  // Results in the order in which they came: at least one, or none after `timeout_ms`. Each trial's comes once;
  // with take_over one may come again when the tracker was killed meanwhile. A result is acknowledged, and then
  // forgotten by the farm, by the *next* call: whoever has recorded what one call returned before making the next loses
  // nothing.
  StatusOr<std::vector<MeasureResult>> WaitResults(int64_t timeout_ms);

  // Acknowledges what the last WaitResults returned, without waiting for more. Also done by the destructor.
  Status Acknowledge();

  // Forgets trials that are not done; no result comes for them. Empty: all of this session.
  Status Cancel(const std::vector<std::string>& trial_ids);

  // Submitted, no result returned yet.
  size_t Unfinished() const;

  // Devices of the session's class, and all there are. `busy_seconds` over wall time is a device's utilisation.
  StatusOr<std::vector<DeviceStatus>> Devices();

  // Waits until a device of the class with the session's tags is attached; kUnavailable, naming the class and those
  // that are there, after `timeout_ms`. Devices of one class are interchangeable: any of them describes it.
  StatusOr<Device> WaitDevice(int64_t timeout_ms);

  const std::string& session_id() const;

 private:
  class Impl;
  explicit FarmClient(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tilth
