// ONNX tensors and their values; the protobuf side of import.h.
#pragma once

#include "base/status.h"
#include "ir/interpreter.h"

namespace onnx {
class TensorProto;
}

namespace tilth {

// The DType of an ONNX element type (TensorProto::DataType), or an error that lists the supported ones.
StatusOr<DType> FromOnnxType(int32_t onnx_type);
int32_t ToOnnxType(DType dtype);

// Empty tensors (an extent of 0) are allowed here: they are lists of nothing, such as the shape of a scalar.
StatusOr<TensorValue> FromTensorProto(const onnx::TensorProto& proto);
void ToTensorProto(const TensorValue& value, onnx::TensorProto* proto);

}  // namespace tilth
