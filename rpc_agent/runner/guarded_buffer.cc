#include "rpc_agent/runner/guarded_buffer.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "compiler/runtime/kernel_abi.h"

namespace tilth::runner {
namespace {

constexpr uint8_t kSlackByte = 0xa5;

size_t PageBytes() { return static_cast<size_t>(sysconf(_SC_PAGESIZE)); }

size_t RoundUp(size_t value, size_t multiple) { return (value + multiple - 1) / multiple * multiple; }

}  // namespace

GuardedBuffer::GuardedBuffer(int64_t size_bytes) : size_bytes_(size_bytes) {
  const size_t page = PageBytes();
  const size_t aligned = RoundUp(static_cast<size_t>(size_bytes), TILTH_BUFFER_ALIGNMENT);
  const size_t body = std::max(page, RoundUp(aligned, page));
  void* mapped = mmap(nullptr, body + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED) return;
  mapping_ = static_cast<uint8_t*>(mapped);
  mapping_bytes_ = body + 2 * page;
  if (mprotect(mapping_ + page, body, PROT_READ | PROT_WRITE) != 0) {
    munmap(mapping_, mapping_bytes_);
    mapping_ = nullptr;
    return;
  }
  data_ = mapping_ + page + body - aligned;
  std::memset(data_ + size_bytes, kSlackByte, aligned - static_cast<size_t>(size_bytes));
}

GuardedBuffer::GuardedBuffer(GuardedBuffer&& other) noexcept
    : mapping_(std::exchange(other.mapping_, nullptr)),
      mapping_bytes_(other.mapping_bytes_),
      data_(other.data_),
      size_bytes_(other.size_bytes_) {}

GuardedBuffer::~GuardedBuffer() {
  if (mapping_ != nullptr) munmap(mapping_, mapping_bytes_);
}

void GuardedBuffer::MakeReadOnly() {
  const size_t page = PageBytes();
  mprotect(mapping_ + page, mapping_bytes_ - 2 * page, PROT_READ);
}

void GuardedBuffer::Poison() {
  const size_t words = static_cast<size_t>(size_bytes_) / sizeof kPoisonWord;
  std::fill_n(static_cast<uint32_t*>(data()), words, kPoisonWord);
  const size_t done = words * sizeof kPoisonWord;
  std::memcpy(data_ + done, &kPoisonWord, static_cast<size_t>(size_bytes_) - done);
}

bool GuardedBuffer::SlackIntact() const {
  const uint8_t* end = mapping_ + mapping_bytes_ - PageBytes();
  return std::all_of(data_ + size_bytes_, const_cast<uint8_t*>(end), [](uint8_t byte) { return byte == kSlackByte; });
}

}  // namespace tilth::runner
