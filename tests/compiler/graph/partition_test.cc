#include "compiler/graph/partition.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "compiler/graph/execute.h"
#include "compiler/onnx/import.h"
#include "tests/compiler/onnx/model_builder.h"
#include "tests/compiler/onnx/test_case.h"

namespace tilth {
namespace {

using ::testing::ElementsAre;
using testing::ModelBuilder;

std::vector<TensorValue> RandomInputs(const Graph& graph) {
  std::vector<TensorValue> inputs;
  for (int input : graph.inputs) inputs.push_back(RandomValue(graph.tensors[input].tensor, 7, input));
  return inputs;
}

// Partitions the model, and checks that this changes no result.
Partition MustPartition(const ModelBuilder& model) {
  StatusOr<Graph> graph = ImportOnnx(model.Serialize());
  EXPECT_TRUE(graph.ok()) << graph.status();
  if (!graph.ok()) return {};
  StatusOr<Partition> partition = PartitionGraph(*graph);
  EXPECT_TRUE(partition.ok()) << partition.status();
  if (!partition.ok()) return {};
  const std::vector<TensorValue> inputs = RandomInputs(*graph);
  const auto want = ExecuteReference(*graph, inputs), got = ExecuteReference(*partition, inputs);
  EXPECT_TRUE(want.ok()) << want.status();
  EXPECT_TRUE(got.ok()) << got.status();
  if (!want.ok() || !got.ok()) return {};
  EXPECT_EQ(testing::Difference(*got, *want, 1e-4, 1e-5), "");
  return *std::move(partition);
}

std::vector<std::string> Names(const Partition& partition) {
  std::vector<std::string> names;
  for (const KernelCall& call : partition.calls) names.push_back(partition.workloads[call.workload].name);
  return names;
}

ModelBuilder ConvNormRelu(int64_t opset = 13) {
  ModelBuilder model(opset);
  model.Input("x", {1, 8, 6, 5})
      .Weights("w", {4, 8, 3, 3})
      .Weights("s", {4}, 2)
      .Weights("b", {4}, 3)
      .Weights("m", {4}, 4)
      .Weights("v", {4}, 5);
  model.Node("Conv", {"x", "w"}, {"c"}).Attribute("pads", std::vector<int64_t>{1, 1, 1, 1});
  model.Node("BatchNormalization", {"c", "s", "b", "m", "v"}, {"n"});
  model.Node("Relu", {"n"}, {"r"});
  return model;
}

TEST(Partition, BatchNormalizationAndReluFuseIntoTheConvolution) {
  ModelBuilder model = ConvNormRelu();
  model.Node("Conv", {"r", "w2"}, {"y"}).Weights("w2", {3, 4, 1, 1}).Output("y");
  const Partition partition = MustPartition(model);
  EXPECT_THAT(Names(partition),
              ElementsAre("layout 8x6x5", "conv2d 3x3 8x6x5->4 +bias+relu", "conv2d 1x1 4x6x5->3", "layout 6x5x3"));
  // The factor went into the weights: the epilogue is max(t + b, 0).
  const Stage& epilogue = partition.workloads[1].stages[1];
  EXPECT_EQ(epilogue.value->op, ExprOp::kMax);
  EXPECT_EQ(epilogue.value->args[0]->op, ExprOp::kAdd);
  EXPECT_EQ(epilogue.value->args[0]->args[0]->op, ExprOp::kLoad);
}

TEST(Partition, ConvolutionAxesEndInFiltersAndChannels) {
  const Partition partition = MustPartition(ConvNormRelu().Output("r"));
  const Stage& conv = partition.workloads[1].stages[0];
  ASSERT_EQ(conv.axes.size(), 4u);
  EXPECT_EQ(conv.axes[3].extent, 4);
  ASSERT_EQ(conv.reduce_axes.size(), 3u);
  EXPECT_EQ(conv.reduce_axes[2].extent, 8);
  EXPECT_EQ(partition.workloads[1].stages[1].axes.size(), 4u);
}

TEST(Partition, TensorsAreOrderedInputsConstantsOutputsTemporaries) {
  const Partition partition = MustPartition(ConvNormRelu().Output("r"));
  for (const KernelCall& call : partition.calls) {
    const Workload& workload = partition.workloads[call.workload];
    ASSERT_LE(call.tensors.size(), workload.tensors.size());
    for (size_t t = 0; t < workload.tensors.size(); ++t) {
      EXPECT_EQ(workload.tensors[t].role == TensorRole::kTemporary, t >= call.tensors.size());
      if (t >= call.tensors.size()) continue;
      const GraphTensor& tensor = partition.graph.tensors[call.tensors[t]];
      EXPECT_EQ(NumElements(tensor.tensor.shape), NumElements(workload.tensors[t].shape));
      EXPECT_EQ(workload.tensors[t].role == TensorRole::kConstant, tensor.data != nullptr);
    }
  }
}

TEST(Partition, EqualKernelsAreSharedAndCounted) {
  ModelBuilder model;
  model.Input("x", {1, 4, 5, 5}).Weights("a", {4, 4, 1, 1}).Weights("b", {4, 4, 1, 1}, 2).Weights("c", {4, 4, 1, 1}, 3);
  model.Node("Conv", {"x", "a"}, {"t"}).Node("Conv", {"t", "b"}, {"u"}).Node("Conv", {"u", "c"}, {"y"}).Output("y");
  const Partition partition = MustPartition(model);
  EXPECT_THAT(partition.weights, ElementsAre(1, 3, 1));
  EXPECT_EQ(partition.calls.size(), 5u);
}

TEST(Partition, ResidualAddFusesIntoTheLaterConvolution) {
  ModelBuilder model;
  model.Input("x", {1, 4, 5, 5}).Weights("a", {4, 4, 1, 1}).Weights("b", {4, 4, 3, 3}, 2);
  model.Node("Conv", {"x", "a"}, {"t"}).Node("Relu", {"t"}, {"u"});
  model.Node("Conv", {"u", "b"}, {"v"}).Attribute("pads", std::vector<int64_t>{1, 1, 1, 1});
  model.Node("Add", {"v", "u"}, {"w"}).Node("Relu", {"w"}, {"z"}).Node("MaxPool", {"z"}, {"y"});
  model.Attribute("kernel_shape", std::vector<int64_t>{2, 2}).Output("y");
  EXPECT_THAT(Names(MustPartition(model)),
              ElementsAre("layout 4x5x5", "conv2d 1x1 4x5x5->4 +relu", "conv2d 3x3 4x5x5->4 +add+relu",
                          "maxpool 2x2 4x5x5", "layout 4x4x4"));
}

TEST(Partition, ConcatenationIsWrittenInPlace) {
  ModelBuilder model;
  model.Input("x", {1, 4, 5, 5}).Weights("a", {6, 4, 1, 1}).Weights("b", {2, 4, 3, 3}, 2);
  model.Node("Conv", {"x", "a"}, {"t"}).Node("Relu", {"t"}, {"t2"});
  model.Node("Conv", {"x", "b"}, {"u"}).Attribute("pads", std::vector<int64_t>{1, 1, 1, 1});
  model.Node("Concat", {"t2", "u"}, {"c"}).Attribute("axis", 1).Node("MaxPool", {"c"}, {"y"});
  model.Attribute("kernel_shape", std::vector<int64_t>{2, 2}).Output("y");
  EXPECT_THAT(Names(MustPartition(model)), ElementsAre("layout 4x5x5", "conv2d 1x1 4x5x5->6 +relu",
                                                       "conv2d 3x3 4x5x5->2", "maxpool 2x2 8x5x5", "layout 4x4x8"));
}

TEST(Partition, TransposeOfAConvolutionToChannelsLastIsFree) {
  ModelBuilder model;
  model.Input("x", {1, 4, 5, 6}).Weights("a", {4, 4, 1, 1}).Ints("shape", {1, -1, 2});
  model.Node("Conv", {"x", "a"}, {"t"})
      .Node("Transpose", {"t"}, {"u"})
      .Attribute("perm", std::vector<int64_t>{0, 2, 3, 1});
  model.Node("Reshape", {"u", "shape"}, {"v"}).Node("Sigmoid", {"v"}, {"y"}).Output("y");
  EXPECT_THAT(Names(MustPartition(model)), ElementsAre("layout 4x5x6", "conv2d 1x1 4x5x6->4", "sigmoid 60x2"));
}

TEST(Partition, PaddingMovesIntoTheConvolution) {
  ModelBuilder model;
  model.Input("x", {1, 4, 5, 5})
      .Weights("a", {4, 4, 1, 1})
      .Weights("b", {4, 4, 3, 3}, 2)
      .Ints("pads", {0, 0, 1, 1, 0, 0, 1, 1});
  model.Node("Conv", {"x", "a"}, {"t"}).Node("Relu", {"t"}, {"u"}).Node("Pad", {"u", "pads"}, {"v"});
  model.Node("Conv", {"v", "b"}, {"w"}).Node("Relu", {"w"}, {"y"}).Output("y");
  EXPECT_THAT(Names(MustPartition(model)),
              ElementsAre("layout 4x5x5", "conv2d 1x1 4x5x5->4 +relu", "conv2d 3x3 4x5x5->4 +relu", "layout 5x5x4"));
}

TEST(Partition, ThinImagesAreReadWithoutACopy) {
  ModelBuilder model;
  model.Input("x", {1, 3, 9, 9}).Weights("w", {4, 3, 3, 3}).Node("Conv", {"x", "w"}, {"c"});
  model.Attribute("pads", std::vector<int64_t>{1, 1, 1, 1})
      .Node("Relu", {"c"}, {"r"})
      .Node("GlobalMaxPool", {"r"}, {"y"})
      .Output("y");
  EXPECT_THAT(Names(MustPartition(model)), ElementsAre("conv2d 3x3 3x9x9->4 +relu", "globalmaxpool 9x9x4"));
}

TEST(Partition, GeluBecomesAnEpilogue) {
  ModelBuilder model;
  model.Input("x", {4, 8})
      .Weights("w", {8, 6})
      .Weights("b", {6}, 2)
      .Weights("root", {}, 3)
      .Weights("one", {}, 4)
      .Weights("half", {}, 5);
  model.Node("MatMul", {"x", "w"}, {"m"})
      .Node("Add", {"m", "b"}, {"t"})
      .Node("Div", {"t", "root"}, {"d"})
      .Node("Erf", {"d"}, {"e"});
  model.Node("Add", {"e", "one"}, {"f"}).Node("Mul", {"t", "f"}, {"g"}).Node("Mul", {"g", "half"}, {"y"}).Output("y");
  const Partition partition = MustPartition(model);
  ASSERT_EQ(partition.calls.size(), 1u);
  EXPECT_EQ(partition.workloads[0].stages.size(), 2u);
}

TEST(Partition, DecomposedLayerNormalizationIsOneRowwiseKernel) {
  ModelBuilder model;
  model.Input("x", {1, 4, 8})
      .Input("r", {1, 4, 8})
      .Weights("two", {}, 2)
      .Weights("eps", {}, 3)
      .Weights("g", {8}, 4)
      .Weights("b", {8}, 5);
  model.Node("Add", {"x", "r"}, {"s"}).Node("ReduceMean", {"s"}, {"m"}).Attribute("axes", std::vector<int64_t>{-1});
  model.Node("Sub", {"s", "m"}, {"d"}).Node("Mul", {"d", "d"}, {"q"});
  model.Node("ReduceMean", {"q"}, {"v"}).Attribute("axes", std::vector<int64_t>{-1});
  model.Node("Add", {"v", "eps"}, {"e"}).Node("Sqrt", {"e"}, {"f"}).Node("Div", {"d", "f"}, {"n"});
  model.Node("Mul", {"n", "g"}, {"h"}).Node("Add", {"h", "b"}, {"y"}).Output("y");
  const Partition partition = MustPartition(model);
  ASSERT_EQ(partition.calls.size(), 1u);
  for (const Stage& stage : partition.workloads[0].stages) {
    ASSERT_FALSE(stage.axes.empty());
    EXPECT_EQ(stage.axes[0].extent, 4);
  }
}

TEST(Partition, SoftmaxIsOneKernelAndAttentionTransposesVanish) {
  ModelBuilder model;
  model.Input("q", {1, 4, 6})
      .Input("k", {1, 4, 6})
      .Input("v", {1, 4, 6})
      .Ints("split", {1, 4, 2, 3})
      .Ints("join", {1, 4, 6});
  for (const std::string name : {"q", "k", "v"}) {
    model.Node("Reshape", {name, "split"}, {name + "r"}).Node("Transpose", {name + "r"}, {name + "t"});
    model.Attribute("perm", name == "k" ? std::vector<int64_t>{0, 2, 3, 1} : std::vector<int64_t>{0, 2, 1, 3});
  }
  model.Node("MatMul", {"qt", "kt"}, {"s"}).Node("Softmax", {"s"}, {"p"}).Node("MatMul", {"p", "vt"}, {"o"});
  model.Node("Transpose", {"o"}, {"u"})
      .Attribute("perm", std::vector<int64_t>{0, 2, 1, 3})
      .Node("Reshape", {"u", "join"}, {"y"})
      .Output("y");
  EXPECT_THAT(Names(MustPartition(model)), ElementsAre("matmul 2x4x4x3", "softmax 2x4x4", "matmul 2x4x3x4"));
}

TEST(Partition, DepthwiseAndGroupedConvolutionsKeepTheirAxes) {
  ModelBuilder model;
  model.Input("x", {1, 6, 5, 5}).Weights("a", {6, 1, 3, 3}).Weights("b", {4, 3, 1, 1}, 2);
  model.Node("Conv", {"x", "a"}, {"t"}).Attribute("group", 6).Node("Clip", {"t"}, {"u"});
  model.Node("Conv", {"u", "b"}, {"v"}).Attribute("group", 2).Node("Relu", {"v"}, {"y"}).Output("y");
  const Partition partition = MustPartition(model);
  EXPECT_THAT(Names(partition),
              ElementsAre("layout 6x5x5", "depthwise2d 3x3 6x5x5", "conv2d 1x1 6x3x3->4 g2 +relu", "layout 3x3x4"));
  EXPECT_EQ(partition.workloads[1].stages[0].reduce_axes.size(), 2u);
  EXPECT_EQ(partition.workloads[2].stages[0].axes.size(), 5u);
}

TEST(Partition, ChannelShuffleIsOneCopy) {
  ModelBuilder model;
  model.Input("x", {1, 6, 5, 5})
      .Weights("a", {6, 3, 1, 1})
      .Weights("b", {6, 1, 3, 3}, 2)
      .Ints("split", {1, 2, 3, 5, 5})
      .Ints("join", {1, 6, 5, 5});
  model.Node("Conv", {"x", "a"}, {"t"})
      .Attribute("group", 2)
      .Node("Relu", {"t"}, {"u"})
      .Node("Reshape", {"u", "split"}, {"v"});
  model.Node("Transpose", {"v"}, {"w"})
      .Attribute("perm", std::vector<int64_t>{0, 2, 1, 3, 4})
      .Node("Reshape", {"w", "join"}, {"s"});
  model.Node("Conv", {"s", "b"}, {"y"}).Attribute("group", 6).Output("y");
  EXPECT_THAT(Names(MustPartition(model)),
              ElementsAre("layout 6x5x5", "conv2d 1x1 6x5x5->6 g2 +relu", "channelshuffle 5x5x6",
                          "depthwise2d 3x3 6x5x5", "layout 3x3x6"));
}

TEST(Partition, SplitChannelsAreReadInPlace) {
  ModelBuilder model;
  model.Input("x", {1, 6, 5, 5}).Weights("e", {6, 6, 1, 1}).Weights("a", {4, 3, 3, 3}).Ints("parts", {3, 3});
  model.Node("Conv", {"x", "e"}, {"u"})
      .Node("Relu", {"u"}, {"z"})
      .Node("Split", {"z", "parts"}, {"l", "r"})
      .Attribute("axis", 1);
  model.Node("Conv", {"r", "a"}, {"t"}).Attribute("pads", std::vector<int64_t>{1, 1, 1, 1}).Node("Relu", {"t"}, {"v"});
  model.Node("Concat", {"l", "v"}, {"c"}).Attribute("axis", 1).Node("GlobalAveragePool", {"c"}, {"y"}).Output("y");
  EXPECT_THAT(Names(MustPartition(model)),
              ElementsAre("layout 6x5x5", "conv2d 1x1 6x5x5->6 +relu", "conv2d 3x3 3x5x5->4 +relu", "concat 5x5x3",
                          "globalaveragepool 5x5x7"));
}

TEST(Partition, DenseBlockNormalizesBeforeItsConvolutions) {
  ModelBuilder model;
  model.Input("x", {1, 4, 5, 5}).Weights("w0", {4, 4, 1, 1}).Weights("w1", {2, 4, 3, 3}).Weights("w2", {2, 6, 1, 1}, 2);
  for (const std::string p : {"p", "q"}) {
    for (int i = 0; i < 4; ++i) model.Weights(p + std::to_string(i), {p == "p" ? 4 : 6}, 10 + i);
  }
  model.Node("Conv", {"x", "w0"}, {"c0"})
      .Node("BatchNormalization", {"c0", "p0", "p1", "p2", "p3"}, {"n1"})
      .Node("Relu", {"n1"}, {"r1"});
  model.Node("Conv", {"r1", "w1"}, {"c1"}).Attribute("pads", std::vector<int64_t>{1, 1, 1, 1});
  model.Node("Concat", {"c0", "c1"}, {"k"}).Attribute("axis", 1);
  model.Node("BatchNormalization", {"k", "q0", "q1", "q2", "q3"}, {"n2"})
      .Node("Relu", {"n2"}, {"r2"})
      .Node("Conv", {"r2", "w2"}, {"c2"});
  model.Node("Concat", {"k", "c2"}, {"m"}).Attribute("axis", 1).Node("AveragePool", {"m"}, {"y"});
  model.Attribute("kernel_shape", std::vector<int64_t>{2, 2})
      .Attribute("strides", std::vector<int64_t>{2, 2})
      .Output("y");
  // No copies: both concatenations are one tensor, written slice by slice.
  EXPECT_THAT(
      Names(MustPartition(model)),
      ElementsAre("layout 4x5x5", "conv2d 1x1 4x5x5->4", "batchnormalization+relu 5x5x4", "conv2d 3x3 4x5x5->2",
                  "batchnormalization+relu 5x5x6", "conv2d 1x1 6x5x5->2", "averagepool 2x2 8x5x5 s2", "layout 2x2x8"));
}

TEST(Partition, KernelsMayReadAndWriteSlicesOfOneTensor) {
  // Both concatenated parts of x: itself, and what a convolution and an elementwise stage make of it.
  ModelBuilder model;
  model.Input("x", {1, 4, 5, 5})
      .Weights("w0", {4, 4, 1, 1})
      .Weights("w1", {2, 4, 3, 3})
      .Node("Conv", {"x", "w0"}, {"c0"});
  model.Node("Conv", {"c0", "w1"}, {"c1"})
      .Attribute("pads", std::vector<int64_t>{1, 1, 1, 1})
      .Node("Relu", {"c1"}, {"r1"});
  model.Node("Neg", {"c0"}, {"n"}).Node("Concat", {"c0", "r1", "n"}, {"k"}).Attribute("axis", 1);
  model.Node("GlobalMaxPool", {"k"}, {"y"}).Output("y");
  const Partition partition = MustPartition(model);
  EXPECT_THAT(Names(partition), ElementsAre("layout 4x5x5", "conv2d 1x1 4x5x5->4", "conv2d 3x3 4x5x5->2 +relu",
                                            "neg 5x5x4", "globalmaxpool 5x5x10"));
  const KernelCall& conv = partition.calls[2];
  EXPECT_EQ(conv.tensors.front(), conv.tensors.back());
}

TEST(Partition, LocalResponseNormalizationIsAWindowWithAnEpilogue) {
  ModelBuilder model;
  model.Input("x", {1, 4, 5, 5}).Weights("w", {8, 4, 1, 1}).Node("Conv", {"x", "w"}, {"c"}).Node("Relu", {"c"}, {"r"});
  model.Node("LRN", {"r"}, {"l"}).Attribute("size", 5).Node("MaxPool", {"l"}, {"y"});
  model.Attribute("kernel_shape", std::vector<int64_t>{3, 3}).Output("y");
  EXPECT_EQ(MustPartition(model).calls.size(), 5u);
}

TEST(Partition, OutputsThatAreInputsConstantsOrTwinsAreCopied) {
  ModelBuilder model;
  model.Input("x", {2, 3}).Weights("c", {2, 3}).Node("Identity", {"x"}, {"a"}).Node("Identity", {"c"}, {"b"});
  model.Node("Relu", {"x"}, {"d"}).Node("Identity", {"d"}, {"e"}).Output("a").Output("b").Output("d").Output("e");
  const Partition partition = MustPartition(model);
  EXPECT_EQ(partition.graph.outputs.size(), 4u);
}

TEST(Partition, GatherIndicesAreBounded) {
  ModelBuilder model;
  model.Input("ids", {1, 4}, true).Weights("table", {11, 3}).Node("Gather", {"table", "ids"}, {"y"}).Output("y");
  const Partition partition = MustPartition(model);
  EXPECT_EQ(partition.graph.tensors[partition.graph.inputs[0]].tensor.value_bound, 11);
  int64_t bound = 0;
  for (const Tensor& tensor : partition.workloads[0].tensors) bound = std::max(bound, tensor.value_bound);
  EXPECT_EQ(bound, 11);
}

TEST(Partition, SharedModelsHaveFusedKernels) {
  const auto shared = testing::SharedDirectory();
  if (shared.empty()) GTEST_SKIP() << "no shared models beside the source; set TILTH_SHARED";
  const auto test = testing::ReadTestCase(shared / "models/ultraface_rfb_320");
  ASSERT_TRUE(test.ok()) << test.status();
  const auto graph = ImportOnnx(test->model);
  ASSERT_TRUE(graph.ok()) << graph.status();
  const auto partition = PartitionGraph(*graph);
  ASSERT_TRUE(partition.ok()) << partition.status();
  EXPECT_LE(partition->calls.size(), 70u);
  for (const testing::TestData& data : test->data) {
    const auto outputs = ExecuteReference(*partition, data.inputs);
    ASSERT_TRUE(outputs.ok()) << outputs.status();
    EXPECT_EQ(testing::Difference(*outputs, data.outputs, 1e-3, 1e-4), "");
  }
}

}  // namespace
}  // namespace tilth
