// From ONNX bytes to a Graph. Opsets 7 to 17; what is not supported is an error that names the node, its operator, the
// opset and what there is. Any bytes are safe to give.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "compiler/graph/graph.h"
#include "ir/interpreter.h"

namespace tilth {

struct ImportOptions {
  // Extents for dynamic dimensions by their name in the model ("batch"); what `--dim batch=1` sets.
  std::map<std::string, int64_t> dimensions;
};

// Imports a serialised ModelProto. Whatever depends on constants only is folded already; shapes are all static.
StatusOr<Graph> ImportOnnx(std::string_view model_bytes, const ImportOptions& options = {});

// A serialised TensorProto, as in the .pb files of ONNX test data.
StatusOr<TensorValue> ParseTensorProto(std::string_view bytes);
std::string SerializeTensorProto(const TensorValue& value, const std::string& name);

// Names of the supported operators, sorted.
std::vector<std::string> SupportedOperators();

}  // namespace tilth
