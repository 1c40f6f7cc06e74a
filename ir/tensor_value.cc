// TensorValue: element access by dtype, and reproducible random contents.
#include <bit>
#include <cmath>
#include <cstring>

#include "base/hash.h"
#include "base/rng.h"
#include "ir/half.h"
#include "ir/interpreter.h"

namespace tilth {
namespace {

template <typename T>
T ReadAs(const TensorValue& value, int64_t i) {
  T element;
  std::memcpy(&element, value.bytes.data() + i * static_cast<int64_t>(sizeof(T)), sizeof(T));
  return element;
}

template <typename T>
void WriteAs(TensorValue* value, int64_t i, T element) {
  std::memcpy(value->bytes.data() + i * static_cast<int64_t>(sizeof(T)), &element, sizeof(T));
}

// Truncates like a C cast, but defined everywhere: out-of-range and NaN become the nearest value and 0.
int64_t ToInteger(double value) {
  if (!(value > -0x1p63)) return std::isnan(value) ? 0 : INT64_MIN;
  if (value >= 0x1p63) return INT64_MAX;
  return static_cast<int64_t>(value);
}

}  // namespace

double TensorValue::Get(int64_t i) const {
  switch (dtype) {
    case DType::kF32:
      return ReadAs<float>(*this, i);
    case DType::kF16:
      return HalfToFloat(ReadAs<uint16_t>(*this, i));
    case DType::kBF16:
      return BFloat16ToFloat(ReadAs<uint16_t>(*this, i));
    case DType::kI8:
      return ReadAs<int8_t>(*this, i);
    case DType::kI32:
      return ReadAs<int32_t>(*this, i);
    case DType::kI64:
      return static_cast<double>(ReadAs<int64_t>(*this, i));
    case DType::kBool:
      return ReadAs<uint8_t>(*this, i) != 0;
  }
  return 0;
}

void TensorValue::Set(int64_t i, double value) {
  switch (dtype) {
    case DType::kF32:
      return WriteAs(this, i, static_cast<float>(value));
    case DType::kF16:
      return WriteAs(this, i, FloatToHalf(static_cast<float>(value)));
    case DType::kBF16:
      return WriteAs(this, i, FloatToBFloat16(static_cast<float>(value)));
    case DType::kI8:
      return WriteAs(this, i, static_cast<int8_t>(ToInteger(value)));
    case DType::kI32:
      return WriteAs(this, i, static_cast<int32_t>(ToInteger(value)));
    case DType::kI64:
      return WriteAs(this, i, ToInteger(value));
    case DType::kBool:
      return WriteAs(this, i, static_cast<uint8_t>(value != 0));
  }
}

TensorValue ZeroValue(DType dtype, std::vector<int64_t> shape) {
  TensorValue value{dtype, std::move(shape), {}};
  value.bytes.resize(NumElements(value.shape) * SizeInBytes(dtype));
  return value;
}

TensorValue RandomValue(const Tensor& tensor, uint64_t seed, int tensor_index) {
  TensorValue value = ZeroValue(tensor.dtype, tensor.shape);
  const uint64_t stream = CombineHash(seed, tensor_index);
  const int64_t count = NumElements(tensor.shape);
  for (int64_t i = 0; i < count; ++i) {
    const uint64_t bits = MixBits(stream ^ MixBits(i));
    if (IsFloat(tensor.dtype)) {
      value.Set(i, CounterUniform(stream, i));
    } else if (tensor.dtype == DType::kBool) {
      value.Set(i, static_cast<double>(bits & 1));
    } else if (tensor.value_bound > 0) {
      value.Set(i, static_cast<double>(bits % static_cast<uint64_t>(tensor.value_bound)));
    } else {
      value.Set(i, static_cast<double>(bits % 200) - 100);
    }
  }
  return value;
}

}  // namespace tilth
