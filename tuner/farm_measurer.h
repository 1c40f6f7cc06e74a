// Measuring on a farm: one given by its address, or tracker and agent on this machine, started for the session.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "ir/target.h"
#include "tuner/measurer.h"

namespace tilth {

class ArtifactCache;

struct FarmMeasurerOptions {
  std::string address;                      // "HOST:PORT"; empty: a farm of our own on this machine
  std::string device_class;                 // on that farm
  std::vector<std::string> device_tags;     // only its devices that have all of these
  int priority = 0;                         // sessions of a higher one go first
  std::string session_name;                 // for people
  std::string session_id;                   // of the farm's session; empty: any
  ArtifactCache* artifact_cache = nullptr;  // outlives the measurer; null: none
  const std::atomic<bool>* stop = nullptr;  // set: waits for a device no longer (kCancelled); null: never
};

// Waits until a device is there. While it lives, the calling thread leaves the core that a farm of our own measures on
// to it; the measurer belongs to that thread. Errors: no device, or one that cannot run code for `target`, with the
// remedy.
StatusOr<std::unique_ptr<Measurer>> ConnectFarm(const Target& target, const FarmMeasurerOptions& options);

}  // namespace tilth
