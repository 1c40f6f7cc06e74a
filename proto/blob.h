// Blobs of the farm: bytes by their content, compressed once by whoever has them and carried as they are from then on.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/status.h"

namespace tilth {

namespace proto {
class Blob;
}  // namespace proto

// Of a blob's content. Kernels have kilobytes; with their packed constants a few megabytes.
inline constexpr size_t kMaxBlobBytes = size_t{64} << 20;

// Whether `text` could be a ContentHash.
bool IsContentHash(std::string_view text);

// The zstd frame of `content`, which names its size. INVALID_ARGUMENT if it is larger than kMaxBlobBytes.
StatusOr<std::string> CompressBlob(std::string_view content);

// What a frame holds. INVALID_ARGUMENT: it is no whole zstd frame, does not name its size, holds more than
// kMaxBlobBytes, or its content does not have the blob's hash.
StatusOr<std::string> UnpackBlob(const proto::Blob& blob);

}  // namespace tilth
