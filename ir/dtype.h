// Element types of tensors. f32 is computed on today; the others are in the types so that no interface changes for
// them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace tilth {

// The values are those of TilthDType in compiler/runtime/kernel_abi.h.
enum class DType : int32_t { kF32 = 0, kF16 = 1, kBF16 = 2, kI8 = 3, kI32 = 4, kI64 = 5, kBool = 6 };

int64_t SizeInBytes(DType dtype);
std::string_view ToString(DType dtype);  // "f32", "bf16", "i64", "bool", …
std::optional<DType> ParseDType(std::string_view text);
constexpr bool IsFloat(DType dtype) { return dtype == DType::kF32 || dtype == DType::kF16 || dtype == DType::kBF16; }

}  // namespace tilth
