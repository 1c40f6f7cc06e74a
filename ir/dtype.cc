#include "ir/dtype.h"

namespace tilth {
namespace {

struct DTypeInfo {
  DType dtype;
  std::string_view name;
  int64_t bytes;
};

constexpr DTypeInfo kDTypes[] = {
    {DType::kF32, "f32", 4}, {DType::kF16, "f16", 2}, {DType::kBF16, "bf16", 2}, {DType::kI8, "i8", 1},
    {DType::kI32, "i32", 4}, {DType::kI64, "i64", 8}, {DType::kBool, "bool", 1},
};

}  // namespace

int64_t SizeInBytes(DType dtype) { return kDTypes[static_cast<int>(dtype)].bytes; }

std::string_view ToString(DType dtype) { return kDTypes[static_cast<int>(dtype)].name; }

std::optional<DType> ParseDType(std::string_view text) {
  for (const DTypeInfo& info : kDTypes) {
    if (info.name == text) return info.dtype;
  }
  return std::nullopt;
}

}  // namespace tilth
