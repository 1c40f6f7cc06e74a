#include "rpc_agent/runner/buffer_table.h"

namespace tilth::runner {
namespace {

// More than any board has, little enough that no sum of sizes overflows.
constexpr int64_t kMaxBufferBytes = int64_t{1} << 40;
constexpr size_t kMaxBuffers = 4096;

std::string CheckBuffer(const TilthBuffer& buffer, size_t index) {
  const std::string place = "buffer " + std::to_string(index) + ": ";
  if (buffer.kind < TILTH_BUFFER_INPUT || buffer.kind > TILTH_BUFFER_WORKSPACE) {
    return place + "unknown kind " + std::to_string(buffer.kind);
  }
  const int64_t element_bytes = ElementBytes(buffer.dtype);
  if (element_bytes == 0) return place + "unknown element type " + std::to_string(buffer.dtype);
  if (buffer.num_elements < 0 || buffer.size_bytes > kMaxBufferBytes ||
      buffer.num_elements > buffer.size_bytes / element_bytes) {
    return place + std::to_string(buffer.num_elements) + " elements do not fit its " +
           std::to_string(buffer.size_bytes) + " bytes";
  }
  return "";
}

bool IsShared(int32_t kind) {
  return kind == TILTH_BUFFER_INPUT || kind == TILTH_BUFFER_CONSTANT || kind == TILTH_BUFFER_OUTPUT;
}

}  // namespace

int64_t ElementBytes(int32_t dtype) {
  switch (dtype) {
    case TILTH_F32:
    case TILTH_I32:
      return 4;
    case TILTH_F16:
    case TILTH_BF16:
      return 2;
    case TILTH_I8:
    case TILTH_BOOL:
      return 1;
    case TILTH_I64:
      return 8;
    default:
      return 0;
  }
}

std::string CheckBuffers(const TilthBuffer* buffers, size_t num_buffers) {
  if (num_buffers > kMaxBuffers) return "it has too many buffers";
  for (size_t i = 0; i < num_buffers; ++i) {
    if (std::string error = CheckBuffer(buffers[i], i); !error.empty()) return error;
  }
  return "";
}

std::string BufferTable::Signature() const {
  std::string text;
  for (const TilthBuffer& buffer : buffers_) {
    if (!IsShared(buffer.kind)) continue;
    const char* kind = buffer.kind == TILTH_BUFFER_INPUT    ? "input"
                       : buffer.kind == TILTH_BUFFER_OUTPUT ? "output"
                                                            : "constant";
    text += (text.empty() ? "" : ", ") + std::string(kind) + " type " + std::to_string(buffer.dtype) + " x " +
            std::to_string(buffer.num_elements);
  }
  return text;
}

std::vector<int> BufferTable::Outputs() const {
  std::vector<int> outputs;
  for (size_t i = 0; i < buffers_.size(); ++i) {
    if (buffers_[i].kind == TILTH_BUFFER_OUTPUT) outputs.push_back(static_cast<int>(i));
  }
  return outputs;
}

size_t BufferTable::OutputOffset(size_t which) const {
  size_t offset = 0;
  for (size_t i = 0; i < which; ++i) {
    offset += (OutputDataBytes(i) + TILTH_BUFFER_ALIGNMENT - 1) / TILTH_BUFFER_ALIGNMENT * TILTH_BUFFER_ALIGNMENT;
  }
  return offset;
}

size_t BufferTable::OutputDataBytes(size_t which) const {
  const TilthBuffer& output = buffer(Outputs()[which]);
  return static_cast<size_t>(output.num_elements * ElementBytes(output.dtype));
}

}  // namespace tilth::runner
