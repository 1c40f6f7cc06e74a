// What a kernel says about its buffers, as both halves of a runner (candidate_process.h) know it: which there are, and
// where the outputs stand in memory or a file that holds all of them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "compiler/runtime/kernel_abi.h"

namespace tilth::runner {

// Bytes per element; 0 for a value that is no TilthDType.
int64_t ElementBytes(int32_t dtype);

// Why these buffers make no sense, "" if they do. A table that has passed can be computed with: nothing overflows.
std::string CheckBuffers(const TilthBuffer* buffers, size_t num_buffers);

class BufferTable {
 public:
  BufferTable() = default;
  explicit BufferTable(std::vector<TilthBuffer> buffers) : buffers_(std::move(buffers)) {}

  const TilthBuffer& buffer(int index) const { return buffers_[static_cast<size_t>(index)]; }

  // The buffers that candidate and baseline must have in common, as text: kind, type and elements of each INPUT,
  // CONSTANT and OUTPUT.
  std::string Signature() const;

  // Indices of the OUTPUT buffers.
  std::vector<int> Outputs() const;

  // Outputs lie one after another, each at a multiple of 64 bytes: the bytes of all, where the `which`-th begins, and
  // how many of its bytes are data.
  size_t OutputBytes() const { return OutputOffset(Outputs().size()); }
  size_t OutputOffset(size_t which) const;
  size_t OutputDataBytes(size_t which) const;

 private:
  std::vector<TilthBuffer> buffers_;
};

}  // namespace tilth::runner
