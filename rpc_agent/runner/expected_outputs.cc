#include "rpc_agent/runner/expected_outputs.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>

namespace tilth::runner {
namespace {

constexpr uint64_t kMagic = 0x3145544c4954ull;  // "TILTE1"

struct Header {
  uint64_t magic = kMagic;
  uint64_t signature_bytes = 0;
  uint64_t output_bytes = 0;
};

// Outputs begin at a multiple of 64, so that comparing them reads aligned memory.
size_t AlignUp(size_t offset) { return (offset + 63) / 64 * 64; }

bool Pad(std::FILE* file, size_t bytes) {
  static constexpr char kZeros[64] = {};
  return std::fwrite(kZeros, 1, bytes, file) == bytes;
}

}  // namespace

bool WriteExpectedOutputs(const std::string& path, const BufferTable& baseline, const void* outputs,
                          std::string* error) {
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "wb"), std::fclose);
  Header header;
  const std::string signature = baseline.Signature();
  header.signature_bytes = signature.size();
  header.output_bytes = baseline.OutputBytes();
  bool ok = file != nullptr && std::fwrite(&header, sizeof header, 1, file.get()) == 1 &&
            std::fwrite(signature.data(), 1, signature.size(), file.get()) == signature.size();
  const size_t head = sizeof header + signature.size();
  ok = ok && Pad(file.get(), AlignUp(head) - head) &&
       std::fwrite(outputs, 1, header.output_bytes, file.get()) == header.output_bytes;
  if (ok && std::fflush(file.get()) == 0) return true;
  *error = "writing the baseline's outputs to " + path + ": " + std::strerror(errno);
  return false;
}

ExpectedOutputs::~ExpectedOutputs() {
  if (mapping_ != nullptr) munmap(mapping_, mapping_bytes_);
}

bool ExpectedOutputs::Open(const std::string& path, std::string* error) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat info{};
  if (fd >= 0 && fstat(fd, &info) == 0 && info.st_size >= static_cast<off_t>(sizeof(Header))) {
    mapping_bytes_ = static_cast<size_t>(info.st_size);
    void* mapped = mmap(nullptr, mapping_bytes_, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    if (mapped != MAP_FAILED) mapping_ = mapped;
  }
  if (fd >= 0) close(fd);
  Header header;
  if (mapping_ != nullptr) std::memcpy(&header, mapping_, sizeof header);
  const size_t rest = mapping_bytes_ - std::min(mapping_bytes_, sizeof header);
  if (mapping_ == nullptr || header.magic != kMagic || header.signature_bytes > rest ||
      AlignUp(sizeof header + header.signature_bytes) + header.output_bytes != mapping_bytes_) {
    *error = "the baseline's outputs in " + path + " are missing or damaged";
    return false;
  }
  signature_.assign(static_cast<const char*>(mapping_) + sizeof header, header.signature_bytes);
  outputs_offset_ = AlignUp(sizeof header + header.signature_bytes);
  return true;
}

}  // namespace tilth::runner
