#include "compiler/onnx/registry.h"

#include <set>
#include <string>

#include "compiler/onnx/import.h"

namespace tilth {

std::vector<OperatorEntry> AllOperators() {
  std::vector<OperatorEntry> all;
  for (const std::span<const OperatorEntry> family :
       {ElementwiseOperators(), ConvolutionOperators(), TransposedConvolutionOperators(), PoolingOperators(),
        MatrixOperators(), ReductionOperators(), NormalizationOperators(), ShapeOperators(), MovementOperators(),
        IndexingOperators(), ResizingOperators()}) {
    all.insert(all.end(), family.begin(), family.end());
  }
  return all;
}

std::vector<std::string> SupportedOperators() {
  std::set<std::string> names;
  for (const OperatorEntry& entry : AllOperators()) names.insert(std::string(entry.name));
  return {names.begin(), names.end()};
}

}  // namespace tilth
