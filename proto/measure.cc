#include "proto/measure.h"

namespace tilth {

std::string_view ToString(MeasureErrorKind kind) {
  switch (kind) {
    case MeasureErrorKind::kNone:
      return "none";
    case MeasureErrorKind::kInstantiate:
      return "instantiate";
    case MeasureErrorKind::kLower:
      return "lower";
    case MeasureErrorKind::kCompile:
      return "compile";
    case MeasureErrorKind::kLink:
      return "link";
    case MeasureErrorKind::kLoad:
      return "load";
    case MeasureErrorKind::kRunCrash:
      return "run crash";
    case MeasureErrorKind::kRunTimeout:
      return "run timeout";
    case MeasureErrorKind::kWrongAnswer:
      return "wrong answer";
    case MeasureErrorKind::kOutOfMemory:
      return "out of memory";
    case MeasureErrorKind::kImplausibleTime:
      return "implausible time";
  }
  return "unknown";
}

}  // namespace tilth
