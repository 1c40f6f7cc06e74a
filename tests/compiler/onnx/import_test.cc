#include "compiler/onnx/import.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <onnx/onnx_pb.h>

#include "base/rng.h"
#include "compiler/graph/execute.h"
#include "tests/compiler/onnx/model_builder.h"
#include "tests/compiler/onnx/test_case.h"

namespace tilth {
namespace {

using ::testing::HasSubstr;
using testing::ModelBuilder;
using ::testing::Not;

ModelBuilder SmallNetwork() {
  ModelBuilder model;
  model.Input("x", {1, 3, 8, 8}).Weights("w", {4, 3, 3, 3}).Weights("b", {4}, 2).Ints("shape", {1, -1});
  model.Node("Conv", {"x", "w", "b"}, {"c"})
      .Node("Relu", {"c"}, {"r"})
      .Node("Reshape", {"r", "shape"}, {"y"})
      .Output("y");
  return model;
}

std::string ErrorOf(const std::string& bytes, const ImportOptions& options = {}) {
  const StatusOr<Graph> graph = ImportOnnx(bytes, options);
  return graph.ok() ? "" : std::string(graph.status().message());
}

TEST(ImportErrors, EveryTruncationIsAnErrorOrAModel) {
  const std::string bytes = SmallNetwork().Serialize();
  for (size_t size = 0; size < bytes.size(); ++size) {
    const StatusOr<Graph> graph = ImportOnnx(bytes.substr(0, size));
    EXPECT_FALSE(graph.ok()) << size;
  }
}

TEST(ImportErrors, FlippedBytesNeverCrash) {
  const std::string bytes = SmallNetwork().Serialize();
  Rng rng(1);
  for (int round = 0; round < 3000; ++round) {
    std::string damaged = bytes;
    for (int flips = 0; flips < 4; ++flips) damaged[rng.Below(damaged.size())] = static_cast<char>(rng());
    (void)ImportOnnx(damaged);
  }
}

TEST(ImportErrors, GarbageSaysWhatItIsNot) {
  EXPECT_THAT(ErrorOf("hello, world"), HasSubstr("not an ONNX model"));
  EXPECT_THAT(ErrorOf(""), HasSubstr("not an ONNX model"));
}

TEST(ImportErrors, UnsupportedOperatorNamesNodeOperatorOpsetAndWhatThereIs) {
  ModelBuilder model;
  model.Input("x", {2}).Node("NonZero", {"x"}, {"y"}).Output("y");
  const std::string error = ErrorOf(model.Serialize());
  EXPECT_THAT(error, HasSubstr("node 'NonZero_y' (NonZero, opset 13)"));
  EXPECT_THAT(error, HasSubstr("supported: Abs, Add, And"));
}

TEST(ImportErrors, UnsupportedAttributeNamesIt) {
  ModelBuilder model;
  model.Input("x", {2}).Node("Relu", {"x"}, {"y"}).Attribute("slope", 3).Output("y");
  EXPECT_THAT(ErrorOf(model.Serialize()), HasSubstr("attribute 'slope' is not supported"));
}

TEST(ImportErrors, OpsetsOutsideTheRangeAreRefused) {
  for (int64_t opset : {6, 18}) {
    ModelBuilder model(opset);
    model.Input("x", {2}).Node("Relu", {"x"}, {"y"}).Output("y");
    EXPECT_THAT(ErrorOf(model.Serialize()), HasSubstr("supported are opsets 7 to 17"));
  }
}

TEST(ImportErrors, DynamicDimensionsNeedAValue) {
  ModelBuilder named;
  named.DynamicInput("x", "batch", {3}).Node("Relu", {"x"}, {"y"}).Output("y");
  EXPECT_THAT(ErrorOf(named.Serialize()), HasSubstr("--dim batch=1"));
  const StatusOr<Graph> graph = ImportOnnx(named.Serialize(), {.dimensions = {{"batch", 5}}});
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_EQ(graph->tensors[graph->inputs[0]].tensor.shape, (std::vector<int64_t>{5, 3}));

  ModelBuilder unnamed;
  unnamed.DynamicInput("x", "", {3}).Node("Relu", {"x"}, {"y"}).Output("y");
  EXPECT_THAT(ErrorOf(unnamed.Serialize()), HasSubstr("--dim x:0=1"));
  EXPECT_EQ(ErrorOf(unnamed.Serialize(), {.dimensions = {{"x:0", 2}}}), "");
}

TEST(ImportErrors, ExternalDataSaysHowToInlineThem) {
  onnx::ModelProto model;
  model.ParseFromString(SmallNetwork().Serialize());
  model.mutable_graph()->mutable_initializer(0)->set_data_location(onnx::TensorProto::EXTERNAL);
  EXPECT_THAT(ErrorOf(model.SerializeAsString()), HasSubstr("external file"));
}

TEST(ImportErrors, ShapesThatOverflowAreErrors) {
  ModelBuilder input;
  input.Input("x", {int64_t{1} << 40, int64_t{1} << 40}).Node("Relu", {"x"}, {"y"}).Output("y");
  EXPECT_THAT(ErrorOf(input.Serialize()), HasSubstr("2^31"));
  ModelBuilder expand;
  expand.Input("x", {1}).Ints("s", {int64_t{1} << 40, int64_t{1} << 40}).Node("Expand", {"x", "s"}, {"y"}).Output("y");
  EXPECT_THAT(ErrorOf(expand.Serialize()), HasSubstr("2^31"));
  ModelBuilder fill;
  fill.Ints("s", {1 << 15, 1 << 15}).Node("ConstantOfShape", {"s"}, {"y"}).Output("y");
  EXPECT_THAT(ErrorOf(fill.Serialize()), HasSubstr("2^28"));
}

TEST(ImportErrors, ResizeToNothingOrTooMuchIsAnError) {
  const auto resized = [](const std::vector<int64_t>& sizes) {
    ModelBuilder model;
    model.Input("x", {1, 2, 4, 4}).Ints("s", sizes).Node("Resize", {"x", "", "", "s"}, {"y"}).Output("y");
    return ErrorOf(model.Serialize());
  };
  EXPECT_THAT(resized({1, 2, 0, 4}), HasSubstr("dimension 2 of the result would be 0"));
  EXPECT_THAT(resized({1, 2, int64_t{1} << 40, 4}), HasSubstr("dimension 2 of the result would be 1099511627776"));
  EXPECT_THAT(resized({1, 2, 4}), HasSubstr("3 sizes for an input of rank 4"));
}

TEST(ImportErrors, MissingEdgesAndRepeatedNamesAreErrors) {
  ModelBuilder missing;
  missing.Input("x", {2}).Node("Add", {"x", "z"}, {"y"}).Output("y");
  EXPECT_THAT(ErrorOf(missing.Serialize()), HasSubstr("'z' is computed by no node before it"));
  ModelBuilder twice;
  twice.Input("x", {2}).Node("Relu", {"x"}, {"y"}).Node("Neg", {"x"}, {"y"}).Output("y");
  EXPECT_THAT(ErrorOf(twice.Serialize()), HasSubstr("computed twice"));
  ModelBuilder output;
  output.Input("x", {2}).Node("Relu", {"x"}, {"y"}).Output("z");
  EXPECT_THAT(ErrorOf(output.Serialize()), HasSubstr("output 'z' is not computed"));
}

TEST(ImportErrors, MixedElementTypesAreErrors) {
  ModelBuilder model;
  model.Input("x", {2}).Input("i", {2}, true).Node("Add", {"x", "i"}, {"y"}).Output("y");
  EXPECT_THAT(ErrorOf(model.Serialize()), HasSubstr("different element types, f32 and i64"));
  ModelBuilder sigmoid;
  sigmoid.Input("i", {2}, true).Node("Sigmoid", {"i"}, {"y"}).Output("y");
  EXPECT_THAT(ErrorOf(sigmoid.Serialize()), HasSubstr("only floats"));
}

TEST(Import, ShapeArithmeticVanishes) {
  // What exporters write for x.view(x.size(0), -1).
  ModelBuilder model;
  model.Input("x", {2, 3, 4}).Ints("zero", {0}).Ints("rest", {-1});
  model.Node("Shape", {"x"}, {"s"}).Node("Gather", {"s", "zero"}, {"n"}).Attribute("axis", 0);
  model.Node("Concat", {"n", "rest"}, {"t"})
      .Attribute("axis", 0)
      .Node("Reshape", {"x", "t"}, {"r"})
      .Node("Relu", {"r"}, {"y"})
      .Output("y");
  const StatusOr<Graph> graph = ImportOnnx(model.Serialize());
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_EQ(graph->stages.size(), 1u);
  EXPECT_EQ(graph->tensors[graph->outputs[0]].tensor.shape, (std::vector<int64_t>{2, 12}));
}

TEST(TensorProto, SurvivesTheRoundTripInEveryType) {
  for (DType dtype : {DType::kF32, DType::kF16, DType::kBF16, DType::kI8, DType::kI32, DType::kI64, DType::kBool}) {
    Tensor tensor;
    tensor.dtype = dtype;
    tensor.shape = {3, 5};
    const TensorValue value = RandomValue(tensor, 1, 0);
    const StatusOr<TensorValue> back = ParseTensorProto(SerializeTensorProto(value, "t"));
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(back->dtype, dtype);
    EXPECT_EQ(back->shape, value.shape);
    EXPECT_EQ(back->bytes, value.bytes);
  }
}

TEST(TensorProto, RefusesDataOfAnotherSize) {
  onnx::TensorProto proto;
  proto.set_data_type(onnx::TensorProto::FLOAT);
  proto.add_dims(4);
  proto.set_raw_data("12345678");
  EXPECT_THAT(std::string(ParseTensorProto(proto.SerializeAsString()).status().message()), HasSubstr("another size"));
  proto.clear_raw_data();
  proto.set_dims(0, int64_t{1} << 30);
  proto.add_float_data(1);
  EXPECT_THAT(std::string(ParseTensorProto(proto.SerializeAsString()).status().message()), HasSubstr("another size"));
}

class SharedModel : public ::testing::TestWithParam<const char*> {};

TEST_P(SharedModel, AgreesWithItsRecordedOutputs) {
  const auto shared = testing::SharedDirectory();
  if (shared.empty()) GTEST_SKIP() << "no shared models beside the source; set TILTH_SHARED";
  const auto test = testing::ReadTestCase(shared / "models" / GetParam());
  ASSERT_TRUE(test.ok()) << test.status();
  const StatusOr<Graph> graph = ImportOnnx(test->model);
  ASSERT_TRUE(graph.ok()) << graph.status();
  for (const testing::TestData& data : test->data) {
    const auto outputs = ExecuteReference(*graph, data.inputs);
    ASSERT_TRUE(outputs.ok()) << outputs.status();
    EXPECT_EQ(testing::Difference(*outputs, data.outputs, 1e-3, 1e-4), "") << data.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Small, SharedModel, ::testing::Values("ultraface_rfb_320", "squeezenet_random"));

}  // namespace
}  // namespace tilth
