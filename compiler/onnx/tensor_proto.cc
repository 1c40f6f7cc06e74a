#include "compiler/onnx/tensor_proto.h"

#include <cstring>

#include <onnx/onnx_pb.h>

#include "base/strings.h"
#include "compiler/onnx/import.h"
#include "compiler/onnx/op_context.h"

namespace tilth {
namespace {

constexpr std::pair<DType, int32_t> kTypes[] = {
    {DType::kF32, onnx::TensorProto::FLOAT},     {DType::kF16, onnx::TensorProto::FLOAT16},
    {DType::kBF16, onnx::TensorProto::BFLOAT16}, {DType::kI8, onnx::TensorProto::INT8},
    {DType::kI32, onnx::TensorProto::INT32},     {DType::kI64, onnx::TensorProto::INT64},
    {DType::kBool, onnx::TensorProto::BOOL},
};

// Elements from one of the typed fields, each narrowed to the storage type T.
template <typename T, typename Field>
bool CopyField(const Field& field, TensorValue* value) {
  if (static_cast<size_t>(field.size()) * sizeof(T) != value->bytes.size()) return false;
  for (int i = 0; i < field.size(); ++i) {
    const T element = static_cast<T>(field.Get(i));
    std::memcpy(value->bytes.data() + i * sizeof(T), &element, sizeof(T));
  }
  return true;
}

bool CopyTypedField(const onnx::TensorProto& proto, TensorValue* value) {
  switch (value->dtype) {
    case DType::kF32:
      return CopyField<float>(proto.float_data(), value);
    case DType::kF16:
    case DType::kBF16:
      return CopyField<uint16_t>(proto.int32_data(), value);
    case DType::kI8:
      return CopyField<int8_t>(proto.int32_data(), value);
    case DType::kI32:
      return CopyField<int32_t>(proto.int32_data(), value);
    case DType::kI64:
      return CopyField<int64_t>(proto.int64_data(), value);
    case DType::kBool:
      return CopyField<uint8_t>(proto.int32_data(), value);
  }
  return false;
}

}  // namespace

StatusOr<DType> FromOnnxType(int32_t onnx_type) {
  for (const auto& [dtype, type] : kTypes) {
    if (type == onnx_type) return dtype;
  }
  const std::string name = onnx::TensorProto::DataType_IsValid(onnx_type)
                               ? onnx::TensorProto::DataType_Name(static_cast<onnx::TensorProto::DataType>(onnx_type))
                               : StrCat("number ", onnx_type);
  return absl::UnimplementedError(StrCat(
      "element type ", name, " is not supported; supported: FLOAT, FLOAT16, BFLOAT16, INT8, INT32, INT64, BOOL"));
}

int32_t ToOnnxType(DType dtype) { return kTypes[static_cast<int>(dtype)].second; }

StatusOr<TensorValue> FromTensorProto(const onnx::TensorProto& proto) {
  if (proto.data_location() == onnx::TensorProto::EXTERNAL || proto.external_data_size() > 0) {
    return absl::UnimplementedError(StrCat("tensor '", proto.name(),
                                           "' keeps its data in an external file; convert the model to one file with "
                                           "onnx.save_model(…, save_as_external_data=False)"));
  }
  TILTH_ASSIGN_OR_RETURN(const DType dtype, FromOnnxType(proto.data_type()), "tensor '", proto.name(), "'");
  Extents shape(proto.dims().begin(), proto.dims().end());
  TILTH_ASSIGN_OR_RETURN(const int64_t elements, CountElements(shape), "tensor '", proto.name(), "'");
  const uint64_t expected = static_cast<uint64_t>(elements * SizeInBytes(dtype));
  const auto wrong_size = [&] {
    return absl::InvalidArgumentError(StrCat("tensor '", proto.name(), "' has shape ", ShapeText(shape),
                                             " but its data have another size; is the file cut off?"));
  };
  TensorValue value{dtype, shape, {}};
  if (proto.has_raw_data()) {
    if (proto.raw_data().size() != expected) return wrong_size();
    value.bytes.assign(proto.raw_data().begin(), proto.raw_data().end());
    return value;
  }
  // Before any memory is taken: a hostile shape must be backed by data.
  const int64_t given = proto.float_data_size() + proto.int32_data_size() + proto.int64_data_size();
  if (given != elements) return wrong_size();
  value.bytes.resize(expected);
  if (!CopyTypedField(proto, &value)) return wrong_size();
  return value;
}

void ToTensorProto(const TensorValue& value, onnx::TensorProto* proto) {
  for (int64_t extent : value.shape) proto->add_dims(extent);
  proto->set_data_type(ToOnnxType(value.dtype));
  proto->set_raw_data(value.bytes.data(), value.bytes.size());
}

StatusOr<TensorValue> ParseTensorProto(std::string_view bytes) {
  onnx::TensorProto proto;
  if (bytes.size() > INT32_MAX || !proto.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::InvalidArgumentError("not an ONNX tensor (a serialised TensorProto), or cut off");
  }
  return FromTensorProto(proto);
}

std::string SerializeTensorProto(const TensorValue& value, const std::string& name) {
  onnx::TensorProto proto;
  ToTensorProto(value, &proto);
  proto.set_name(name);
  return proto.SerializeAsString();
}

}  // namespace tilth
