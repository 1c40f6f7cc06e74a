#include "proto/blob.h"

#include <zstd.h>

#include "base/hash.h"
#include "proto/farm.pb.h"

namespace tilth {
namespace {

// Most of an artifact's way is a wire of a laboratory: the level that costs least.
constexpr int kLevel = 1;

Status TooLarge(size_t bytes) {
  return absl::InvalidArgumentError(
      StrCat("a blob of ", bytes, " bytes is larger than the farm carries (", kMaxBlobBytes, " bytes)"));
}

}  // namespace

bool IsContentHash(std::string_view text) {
  return text.size() == 32 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

StatusOr<std::string> CompressBlob(std::string_view content) {
  if (content.size() > kMaxBlobBytes) return TooLarge(content.size());
  std::string frame(ZSTD_compressBound(content.size()), '\0');
  const size_t size = ZSTD_compress(frame.data(), frame.size(), content.data(), content.size(), kLevel);
  if (ZSTD_isError(size)) return absl::InternalError(StrCat("compressing a blob: ", ZSTD_getErrorName(size)));
  frame.resize(size);
  frame.shrink_to_fit();
  return frame;
}

StatusOr<std::string> UnpackBlob(const proto::Blob& blob) {
  const std::string& frame = blob.data();
  const unsigned long long size = ZSTD_getFrameContentSize(frame.data(), frame.size());
  if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN) {
    return absl::InvalidArgumentError(StrCat("blob ", blob.hash(), " is no zstd frame that names its size"));
  }
  if (size > kMaxBlobBytes) return TooLarge(size);
  std::string content(size, '\0');
  const size_t unpacked = ZSTD_decompress(content.data(), content.size(), frame.data(), frame.size());
  if (ZSTD_isError(unpacked) || unpacked != size) {
    return absl::InvalidArgumentError(StrCat(
        "blob ", blob.hash(), " is damaged: ", ZSTD_isError(unpacked) ? ZSTD_getErrorName(unpacked) : "it ends early"));
  }
  if (ContentHash(content) != blob.hash()) {
    return absl::InvalidArgumentError(StrCat("the bytes of blob ", blob.hash(), " do not have its hash"));
  }
  return content;
}

}  // namespace tilth
