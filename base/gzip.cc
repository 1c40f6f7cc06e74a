#include "base/gzip.h"

#include <zlib.h>

#include "base/files.h"

namespace tilth {
namespace {

class Inflater {
 public:
  Inflater() { ok_ = inflateInit2(&stream_, 16 + MAX_WBITS) == Z_OK; }
  ~Inflater() { inflateEnd(&stream_); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  StatusOr<std::string> Run(std::string bytes, size_t max_bytes) {
    if (!ok_) return absl::ResourceExhaustedError("no memory to uncompress it");
    std::string text;
    std::string chunk(size_t{1} << 20, '\0');
    stream_.next_in = reinterpret_cast<Bytef*>(bytes.data());
    stream_.avail_in = static_cast<uInt>(bytes.size());
    for (int code = Z_OK; code != Z_STREAM_END;) {
      stream_.next_out = reinterpret_cast<Bytef*>(chunk.data());
      stream_.avail_out = static_cast<uInt>(chunk.size());
      code = inflate(&stream_, Z_NO_FLUSH);
      if (code != Z_OK && code != Z_STREAM_END) return absl::InvalidArgumentError("damaged gzip data");
      text.append(chunk, 0, chunk.size() - stream_.avail_out);
      if (text.size() > max_bytes)
        return absl::InvalidArgumentError(StrCat("more than ", max_bytes, " bytes when uncompressed"));
    }
    return text;
  }

 private:
  z_stream stream_ = {};
  bool ok_ = false;
};

}  // namespace

StatusOr<std::string> ReadMaybeGzip(const std::string& path, size_t max_bytes) {
  StatusOr<std::string> bytes = ReadFile(path);
  if (!bytes.ok()) return bytes;
  const bool compressed = bytes->size() > 2 && (*bytes)[0] == '\x1f' && (*bytes)[1] == '\x8b';
  if (!compressed) return bytes;
  if (bytes->size() > max_bytes) return absl::InvalidArgumentError(StrCat(path, ": larger than ", max_bytes, " bytes"));
  StatusOr<std::string> text = Inflater().Run(*std::move(bytes), max_bytes);
  if (!text.ok()) return Annotate(text.status(), path);
  return text;
}

}  // namespace tilth
