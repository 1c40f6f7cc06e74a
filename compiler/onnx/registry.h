// Which importer handles which operator at which opset. Each family of operators is one file, which lists its own.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace tilth {

class OpContext;

struct OperatorEntry {
  std::string_view name;
  int64_t first_opset;
  Status (*import)(OpContext& op);
};

std::span<const OperatorEntry> ElementwiseOperators();
std::span<const OperatorEntry> ConvolutionOperators();
std::span<const OperatorEntry> TransposedConvolutionOperators();
std::span<const OperatorEntry> PoolingOperators();
std::span<const OperatorEntry> MatrixOperators();
std::span<const OperatorEntry> ReductionOperators();
std::span<const OperatorEntry> NormalizationOperators();
std::span<const OperatorEntry> ShapeOperators();
std::span<const OperatorEntry> MovementOperators();
std::span<const OperatorEntry> IndexingOperators();
std::span<const OperatorEntry> ResizingOperators();

// All of them.
std::vector<OperatorEntry> AllOperators();

}  // namespace tilth
