// The execution of lane programs: one loop over the lanes per instruction.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/strings.h"
#include "ir/half.h"
#include "ir/lane_program.h"

namespace tilth {
namespace {

template <typename From, typename To, typename F>
void Map(const std::vector<From>& a, std::vector<To>* out, int lanes, F f) {
  for (int i = 0; i < lanes; ++i) (*out)[i] = f(a[i]);
}

template <typename From, typename To, typename F>
void Map(const std::vector<From>& a, const std::vector<From>& b, std::vector<To>* out, int lanes, F f) {
  for (int i = 0; i < lanes; ++i) (*out)[i] = f(a[i], b[i]);
}

template <typename T>
void MapSelect(const std::vector<int64_t>& condition, const std::vector<T>& a, const std::vector<T>& b,
               std::vector<T>* out, int lanes) {
  for (int i = 0; i < lanes; ++i) (*out)[i] = condition[i] != 0 ? a[i] : b[i];
}

template <typename T, typename To, typename F>
void Gather(const TensorValue& tensor, const std::vector<int64_t>& offsets, std::vector<To>* out, int lanes,
            F convert) {
  const uint8_t* data = tensor.bytes.data();
  for (int i = 0; i < lanes; ++i) {
    T element{};
    if (offsets[i] >= 0) std::memcpy(&element, data + offsets[i] * static_cast<int64_t>(sizeof(T)), sizeof(T));
    (*out)[i] = convert(element);
  }
}

int64_t WrapAdd(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}
int64_t WrapSub(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) - static_cast<uint64_t>(b));
}
int64_t WrapMul(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
}

// b is neither 0 nor, for the smallest a, -1.
int64_t FloorDivide(int64_t a, int64_t b) {
  const int64_t quotient = a / b;
  return quotient * b != a && (a < 0) != (b < 0) ? quotient - 1 : quotient;
}

int64_t TruncateToInteger(double value) {
  if (!(value > -0x1p63)) return std::isnan(value) ? 0 : std::numeric_limits<int64_t>::min();
  return value >= 0x1p63 ? std::numeric_limits<int64_t>::max() : static_cast<int64_t>(value);
}
}  // namespace

Status LaneProgram::Evaluate(int lanes) {
  for (const Instruction& in : program_) {
    switch (in.op) {
      case ExprOp::kIndex: {
        std::vector<int64_t>& out = integers_[in.result];
        const int64_t base = forms_[in.a].base, stride = forms_[in.a].stride;
        for (int i = 0; i < lanes; ++i) out[i] = base + stride * i;
        break;
      }
      case ExprOp::kLoad:
        TILTH_RETURN_IF_ERROR(RunLoad(in, lanes));
        break;
      case ExprOp::kSelect:
        if (in.is_float) {
          MapSelect(integers_[in.a], floats_[in.b], floats_[in.c], &floats_[in.result], lanes);
        } else {
          MapSelect(integers_[in.a], integers_[in.b], integers_[in.c], &integers_[in.result], lanes);
        }
        break;
      case ExprOp::kCast:
        RunCast(in, lanes);
        break;
      case ExprOp::kLess:
      case ExprOp::kLessEqual:
      case ExprOp::kEqual:
        RunCompare(in, lanes);
        break;
      default:
        if (in.is_float) {
          RunFloat(in, lanes);
        } else {
          TILTH_RETURN_IF_ERROR(RunInteger(in, lanes));
        }
    }
  }
  return absl::OkStatus();
}

void LaneProgram::RunFloat(const Instruction& in, int lanes) {
  const std::vector<double>& a = floats_[in.a];
  const std::vector<double>& b = in.b < 0 ? a : floats_[in.b];
  std::vector<double>* out = &floats_[in.result];
  switch (in.op) {
    case ExprOp::kAdd:
      return Map(a, b, out, lanes, [](double x, double y) { return x + y; });
    case ExprOp::kSub:
      return Map(a, b, out, lanes, [](double x, double y) { return x - y; });
    case ExprOp::kMul:
      return Map(a, b, out, lanes, [](double x, double y) { return x * y; });
    case ExprOp::kDiv:
      return Map(a, b, out, lanes, [](double x, double y) { return x / y; });
    case ExprOp::kMin:
      return Map(a, b, out, lanes, [](double x, double y) { return std::fmin(x, y); });
    case ExprOp::kMax:
      return Map(a, b, out, lanes, [](double x, double y) { return std::fmax(x, y); });
    case ExprOp::kPow:
      return Map(a, b, out, lanes, [](double x, double y) { return std::pow(x, y); });
    case ExprOp::kNeg:
      return Map(a, out, lanes, [](double x) { return -x; });
    case ExprOp::kAbs:
      return Map(a, out, lanes, [](double x) { return std::fabs(x); });
    case ExprOp::kExp:
      return Map(a, out, lanes, [](double x) { return std::exp(x); });
    case ExprOp::kLog:
      return Map(a, out, lanes, [](double x) { return std::log(x); });
    case ExprOp::kSqrt:
      return Map(a, out, lanes, [](double x) { return std::sqrt(x); });
    case ExprOp::kTanh:
      return Map(a, out, lanes, [](double x) { return std::tanh(x); });
    case ExprOp::kErf:
      return Map(a, out, lanes, [](double x) { return std::erf(x); });
    case ExprOp::kSigmoid:
      return Map(a, out, lanes, [](double x) { return 1 / (1 + std::exp(-x)); });
    case ExprOp::kFloor:
      return Map(a, out, lanes, [](double x) { return std::floor(x); });
    case ExprOp::kCeil:
      return Map(a, out, lanes, [](double x) { return std::ceil(x); });
    case ExprOp::kRound:
      return Map(a, out, lanes, [](double x) { return std::nearbyint(x); });
    default:
      TILTH_CHECK(false);
  }
}

Status LaneProgram::RunInteger(const Instruction& in, int lanes) {
  const std::vector<int64_t>& a = integers_[in.a];
  const std::vector<int64_t>& b = in.b < 0 ? a : integers_[in.b];
  std::vector<int64_t>* out = &integers_[in.result];
  switch (in.op) {
    case ExprOp::kAdd:
      Map(a, b, out, lanes, WrapAdd);
      break;
    case ExprOp::kSub:
      Map(a, b, out, lanes, WrapSub);
      break;
    case ExprOp::kMul:
      Map(a, b, out, lanes, WrapMul);
      break;
    case ExprOp::kMin:
      Map(a, b, out, lanes, [](int64_t x, int64_t y) { return std::min(x, y); });
      break;
    case ExprOp::kMax:
      Map(a, b, out, lanes, [](int64_t x, int64_t y) { return std::max(x, y); });
      break;
    case ExprOp::kAnd:
      Map(a, b, out, lanes, [](int64_t x, int64_t y) { return x & y; });
      break;
    case ExprOp::kOr:
      Map(a, b, out, lanes, [](int64_t x, int64_t y) { return x | y; });
      break;
    case ExprOp::kNot:
      Map(a, out, lanes, [](int64_t x) { return int64_t{x == 0}; });
      break;
    case ExprOp::kNeg:
      Map(a, out, lanes, [](int64_t x) { return WrapSub(0, x); });
      break;
    case ExprOp::kAbs:
      Map(a, out, lanes, [](int64_t x) { return x < 0 ? WrapSub(0, x) : x; });
      break;
    case ExprOp::kFloorDiv:
    case ExprOp::kMod:
      for (int i = 0; i < lanes; ++i) {
        if (in.mask >= 0 && integers_[in.mask][i] == 0) continue;
        if (b[i] == 0 || (b[i] == -1 && a[i] == std::numeric_limits<int64_t>::min())) {
          return absl::InvalidArgumentError(StrCat("divides ", a[i], " by ", b[i]));
        }
        const int64_t quotient = FloorDivide(a[i], b[i]);
        (*out)[i] = in.op == ExprOp::kFloorDiv ? quotient : a[i] - quotient * b[i];
      }
      break;
    default:
      TILTH_CHECK(false);
  }
  return absl::OkStatus();
}

void LaneProgram::RunCompare(const Instruction& in, int lanes) {
  std::vector<int64_t>* out = &integers_[in.result];
  const auto compare = [&](const auto& a, const auto& b) {
    if (in.op == ExprOp::kLess) return Map(a, b, out, lanes, [](auto x, auto y) { return int64_t{x < y}; });
    if (in.op == ExprOp::kLessEqual) return Map(a, b, out, lanes, [](auto x, auto y) { return int64_t{x <= y}; });
    return Map(a, b, out, lanes, [](auto x, auto y) { return int64_t{x == y}; });
  };
  if (in.is_float) {
    compare(floats_[in.a], floats_[in.b]);
  } else {
    compare(integers_[in.a], integers_[in.b]);
  }
}

void LaneProgram::RunCast(const Instruction& in, int lanes) {
  const auto to_float = [&](double x) -> double {
    if (in.dtype == DType::kF16) return HalfToFloat(FloatToHalf(static_cast<float>(x)));
    if (in.dtype == DType::kBF16) return BFloat16ToFloat(FloatToBFloat16(static_cast<float>(x)));
    return x;
  };
  const auto narrow = [&](int64_t x) -> int64_t {
    if (in.dtype == DType::kI8) return static_cast<int8_t>(x);
    if (in.dtype == DType::kI32) return static_cast<int32_t>(x);
    return in.dtype == DType::kBool ? x != 0 : x;
  };
  if (IsFloat(in.dtype)) {
    std::vector<double>* out = &floats_[in.result];
    if (in.is_float) return Map(floats_[in.a], out, lanes, to_float);
    return Map(integers_[in.a], out, lanes, [&](int64_t x) { return to_float(static_cast<double>(x)); });
  }
  std::vector<int64_t>* out = &integers_[in.result];
  if (!in.is_float) return Map(integers_[in.a], out, lanes, narrow);
  if (in.dtype == DType::kBool) return Map(floats_[in.a], out, lanes, [](double x) { return int64_t{x != 0}; });
  return Map(floats_[in.a], out, lanes, [&](double x) { return narrow(TruncateToInteger(x)); });
}

Status LaneProgram::OutOfBounds(const Instruction& in, int dimension, int64_t index) const {
  return absl::OutOfRangeError(StrCat("loads tensor ", in.tensor, " at ", index, " in dimension ", dimension,
                                      ", whose extent is ", values_[in.tensor]->shape[dimension]));
}

// Fills offsets_. A row whose two ends are in bounds in every dimension needs no look at its lanes.
Status LaneProgram::LocateLanes(const Instruction& in, int lanes) {
  const std::vector<int64_t>& shape = values_[in.tensor]->shape;
  bool whole_row = true;
  int64_t base = 0, step = 0;
  for (size_t d = 0; d < shape.size() && whole_row; ++d) {
    if (in.dimensions[d] < 0) {
      whole_row = false;
      break;
    }
    const Form& form = forms_[in.dimensions[d]];
    const int64_t last = form.base + form.stride * (lanes - 1);
    whole_row = std::min(form.base, last) >= 0 && std::max(form.base, last) < shape[d];
    base = base * shape[d] + form.base;
    step = step * shape[d] + form.stride;
  }
  offsets_.resize(kLanes);
  if (whole_row) {
    for (int i = 0; i < lanes; ++i) offsets_[i] = base + step * i;
    return absl::OkStatus();
  }
  std::fill(offsets_.begin(), offsets_.end(), 0);
  const std::vector<int64_t>* mask = in.mask < 0 ? nullptr : &integers_[in.mask];
  for (size_t d = 0; d < shape.size(); ++d) {
    const int dimension = in.dimensions[d];
    for (int i = 0; i < lanes; ++i) {
      const int64_t index =
          dimension < 0 ? integers_[~dimension][i] : forms_[dimension].base + forms_[dimension].stride * i;
      if (mask != nullptr && (*mask)[i] == 0) {
        offsets_[i] = -1;
      } else if (index < 0 || index >= shape[d]) {
        return OutOfBounds(in, static_cast<int>(d), index);
      } else {
        offsets_[i] = offsets_[i] * shape[d] + index;
      }
    }
  }
  return absl::OkStatus();
}

Status LaneProgram::RunLoad(const Instruction& in, int lanes) {
  TILTH_RETURN_IF_ERROR(LocateLanes(in, lanes));
  const TensorValue& tensor = *values_[in.tensor];
  const auto widen = [](auto x) { return static_cast<int64_t>(x); };
  switch (in.dtype) {
    case DType::kF32:
      Gather<float>(tensor, offsets_, &floats_[in.result], lanes, [](float x) { return x; });
      break;
    case DType::kF16:
      Gather<uint16_t>(tensor, offsets_, &floats_[in.result], lanes, HalfToFloat);
      break;
    case DType::kBF16:
      Gather<uint16_t>(tensor, offsets_, &floats_[in.result], lanes, BFloat16ToFloat);
      break;
    case DType::kI8:
      Gather<int8_t>(tensor, offsets_, &integers_[in.result], lanes, widen);
      break;
    case DType::kI32:
      Gather<int32_t>(tensor, offsets_, &integers_[in.result], lanes, widen);
      break;
    case DType::kI64:
      Gather<int64_t>(tensor, offsets_, &integers_[in.result], lanes, widen);
      break;
    case DType::kBool:
      Gather<uint8_t>(tensor, offsets_, &integers_[in.result], lanes, [](uint8_t x) { return int64_t{x != 0}; });
      break;
  }
  return absl::OkStatus();
}
}  // namespace tilth
