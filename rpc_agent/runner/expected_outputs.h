// The file in which a baseline's outputs wait for candidates: the signature of the kernel's buffers, then the bytes of
// every output in order. Written once per (baseline, seed) on a device, mapped by every trial.
#pragma once

#include <cstddef>
#include <string>

#include "rpc_agent/runner/buffer_table.h"

namespace tilth::runner {

// `outputs`: all of them, laid out as `baseline` says. False, with the reason in *error, if the file cannot be written.
bool WriteExpectedOutputs(const std::string& path, const BufferTable& baseline, const void* outputs,
                          std::string* error);

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
  // All outputs, laid out as the table of a kernel with this signature says.
  const void* outputs() const { return static_cast<const char*>(mapping_) + outputs_offset_; }

 private:
  void* mapping_ = nullptr;
  size_t mapping_bytes_ = 0;
  std::string signature_;
  size_t outputs_offset_ = 0;
};

}  // namespace tilth::runner
