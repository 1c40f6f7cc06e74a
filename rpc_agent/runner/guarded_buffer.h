// Memory for a kernel's buffers, with inaccessible pages before and after it: a kernel that runs out of its buffer
// crashes instead of answering.
//
// The data ends at the guard page as closely as 64-byte alignment of its beginning allows; the up to 63 bytes between
// hold a pattern that is checked afterwards.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tilth::runner {

class GuardedBuffer {
 public:
  // Check ok(): false when there is no memory for it.
  explicit GuardedBuffer(int64_t size_bytes);
  GuardedBuffer(GuardedBuffer&& other) noexcept;
  GuardedBuffer& operator=(GuardedBuffer&&) = delete;
  ~GuardedBuffer();

  bool ok() const { return mapping_ != nullptr; }
  void* data() const { return data_; }
  int64_t size_bytes() const { return size_bytes_; }

  // From now on writing to it crashes.
  void MakeReadOnly();
  // Fills it with the pattern of memory that nobody has written: a quiet NaN in f32, a large number in integers.
  void Poison();
  // Whether the bytes between the data and the guard page are untouched.
  bool SlackIntact() const;

 private:
  uint8_t* mapping_ = nullptr;  // guard page, pages of the data, guard page
  size_t mapping_bytes_ = 0;
  uint8_t* data_ = nullptr;
  int64_t size_bytes_ = 0;
};

inline constexpr uint32_t kPoisonWord = 0x7fc0dead;

}  // namespace tilth::runner
