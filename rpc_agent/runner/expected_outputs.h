// The file in which a baseline's outputs wait for candidates: the signature of the kernel's buffers, then the bytes of
// every output in order. Written once per (baseline, seed) on a device, mapped by every trial.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "rpc_agent/runner/kernel_instance.h"

namespace tilth::runner {

// False, with the reason in *error, if the file cannot be written.
bool WriteExpectedOutputs(const std::string& path, const KernelInstance& baseline, std::string* error);

// A mapped file. Move-only is not needed: a trial has one, until its process ends.
class ExpectedOutputs {
 public:
  ExpectedOutputs() = default;
  ExpectedOutputs(const ExpectedOutputs&) = delete;
  ExpectedOutputs& operator=(const ExpectedOutputs&) = delete;
  ~ExpectedOutputs();

  // False, with the reason in *error, if the file is missing or damaged.
  bool Open(const std::string& path, std::string* error);

  const std::string& signature() const { return signature_; }
  // The bytes of output `index` of `candidate`, whose signature must be this one's.
  const void* Data(const KernelInstance& candidate, size_t index) const;

 private:
  void* mapping_ = nullptr;
  size_t mapping_bytes_ = 0;
  std::string signature_;
  size_t outputs_offset_ = 0;
};

}  // namespace tilth::runner
