// The weights of one library: blocks of bytes laid one after another, each aligned to 64 bytes, equal blocks once.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

namespace tilth {

class WeightStore {
 public:
  // The offset of a block with these bytes: a new one, or one added before.
  int64_t Add(std::string_view bytes);

  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
  std::unordered_map<std::string, int64_t> offset_by_hash_;  // ContentHash of a block
};

}  // namespace tilth
