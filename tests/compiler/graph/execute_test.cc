#include "compiler/graph/execute.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "compiler/onnx/import.h"
#include "tests/compiler/onnx/model_builder.h"

namespace tilth {
namespace {

using ::testing::HasSubstr;

Graph Doubled() {
  testing::ModelBuilder model;
  model.Input("x", {2, 3})
      .Ints("flat", {-1})
      .Node("Reshape", {"x", "flat"}, {"f"})
      .Node("Add", {"f", "f"}, {"y"})
      .Output("y");
  return *ImportOnnx(model.Serialize());
}

TEST(ExecuteReference, ReadsThroughReshapes) {
  const Graph graph = Doubled();
  const TensorValue x = RandomValue(graph.tensors[graph.inputs[0]].tensor, 1, 0);
  const auto outputs = ExecuteReference(graph, {x});
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  ASSERT_EQ((*outputs)[0].shape, (std::vector<int64_t>{6}));
  for (int i = 0; i < 6; ++i) EXPECT_FLOAT_EQ((*outputs)[0].Get(i), 2 * x.Get(i));
}

TEST(ExecuteReference, NamesTheInputThatDoesNotFit) {
  const Graph graph = Doubled();
  const auto shape = ExecuteReference(graph, {ZeroValue(DType::kF32, {3, 2})});
  EXPECT_THAT(std::string(shape.status().message()), HasSubstr("input 'x' must be f32[2,3], got f32[3,2]"));
  const auto count = ExecuteReference(graph, {});
  EXPECT_THAT(std::string(count.status().message()), HasSubstr("the model has 1 inputs, got 0"));
}

}  // namespace
}  // namespace tilth
