#include "compiler/package/weight_store.h"

#include "base/hash.h"
#include "compiler/runtime/kernel_abi.h"

namespace tilth {

int64_t WeightStore::Add(std::string_view bytes) {
  const int64_t next = static_cast<int64_t>((bytes_.size() + TILTH_BUFFER_ALIGNMENT - 1) / TILTH_BUFFER_ALIGNMENT *
                                            TILTH_BUFFER_ALIGNMENT);
  const auto [entry, is_new] = offset_by_hash_.emplace(ContentHash(bytes), next);
  if (is_new) {
    bytes_.resize(static_cast<size_t>(next), '\0');
    bytes_ += bytes;
  }
  return entry->second;
}

}  // namespace tilth
