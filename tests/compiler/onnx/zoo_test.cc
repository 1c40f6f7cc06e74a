#include "compiler/onnx/zoo/zoo.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <string>

#include "compiler/graph/execute.h"
#include "compiler/graph/partition.h"
#include "compiler/onnx/import.h"
#include "compiler/onnx/zoo/architectures.h"
#include "compiler/onnx/zoo/network.h"

namespace tilth {
namespace {

using ::testing::HasSubstr;

struct Expected {
  const char* name;
  double giga_flops;
  size_t weight_elements;
};

class ZooModels : public ::testing::TestWithParam<Expected> {};

// The counts are those of the papers: an architecture that differs anywhere misses them.
TEST_P(ZooModels, HaveTheArchitecturesWeightsAndWork) {
  const auto made = MakeZooModel(GetParam().name, 1);
  ASSERT_TRUE(made.ok()) << made.status();
  const auto graph = ImportOnnx(made->model);
  ASSERT_TRUE(graph.ok()) << graph.status();
  size_t weights = 0;
  for (const GraphTensor& tensor : graph->tensors) {
    // Learned parameters: what a batch normalisation keeps four of per channel comes as one factor and one offset, too.
    if (tensor.data != nullptr && tensor.tensor.dtype == DType::kF32 && tensor.tensor.shape.size() != 1) {
      weights += NumElements(tensor.tensor.shape);
    }
  }
  EXPECT_EQ(weights, GetParam().weight_elements);
  const auto partition = PartitionGraph(*graph);
  ASSERT_TRUE(partition.ok()) << partition.status();
  double flops = 0;
  for (size_t i = 0; i < partition->workloads.size(); ++i)
    flops += Flops(partition->workloads[i]) * partition->weights[i];
  EXPECT_NEAR(flops * 1e-9, GetParam().giga_flops, 0.02 * GetParam().giga_flops);
}

INSTANTIATE_TEST_SUITE_P(All, ZooModels,
                         ::testing::Values(Expected{"resnet18", 3.64, 11678912}, Expected{"resnet50", 8.2, 25502912},
                                           Expected{"mobilenetv2", 0.62, 3469762},
                                           Expected{"squeezenet1.1", 0.705, 1231552}));

TEST(Zoo, MobileNetComputesFiniteScoresThatDependOnTheInput) {
  const auto made = MakeZooModel("mobilenetv2", 3);
  ASSERT_TRUE(made.ok()) << made.status();
  const auto graph = ImportOnnx(made->model);
  ASSERT_TRUE(graph.ok()) << graph.status();
  const auto outputs = ExecuteReference(*graph, made->inputs);
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  double low = INFINITY, high = -INFINITY;
  for (int i = 0; i < 1000; ++i) {
    low = std::min(low, (*outputs)[0].Get(i));
    high = std::max(high, (*outputs)[0].Get(i));
  }
  EXPECT_TRUE(std::isfinite(low) && std::isfinite(high));
  EXPECT_GT(high - low, 0.1);
}

TEST(Zoo, RandomLayersAreOtherKernelsForEverySeedAndNeedNoCopies) {
  std::set<std::string> kernels;
  size_t total = 0;
  for (uint64_t seed : {1, 2}) {
    const auto made = MakeZooModel("layers", seed);
    ASSERT_TRUE(made.ok()) << made.status();
    EXPECT_EQ(made->model, MakeZooModel("layers", seed)->model);
    const auto graph = ImportOnnx(made->model);
    ASSERT_TRUE(graph.ok()) << graph.status();
    ASSERT_EQ(graph->inputs.size(), made->inputs.size());
    for (size_t i = 0; i < made->inputs.size(); ++i) {
      EXPECT_EQ(graph->tensors[graph->inputs[i]].tensor.name, made->input_names[i]);
      EXPECT_EQ(graph->tensors[graph->inputs[i]].tensor.shape, made->inputs[i].shape);
    }
    EXPECT_EQ(graph->outputs.size(), 24u);
    const auto partition = PartitionGraph(*graph);
    ASSERT_TRUE(partition.ok()) << partition.status();
    EXPECT_LE(partition->calls.size(), 26u);
    total += partition->workloads.size();
    for (const Workload& workload : partition->workloads) kernels.insert(StructuralHash(workload));
  }
  EXPECT_GE(kernels.size(), total - 4);
}

TEST(Zoo, ShortBertKeepsItsKernelsFused) {
  Network network("short bert", 1);
  BuildBert(&network, 8, 1);
  const auto graph = ImportOnnx(network.Serialize());
  ASSERT_TRUE(graph.ok()) << graph.status();
  const auto partition = PartitionGraph(*graph);
  ASSERT_TRUE(partition.ok()) << partition.status();
  // Mask, embeddings with layer norm; q, k, v, scores, softmax, mix, projection, norm, two feed-forward, norm; pooler.
  EXPECT_LE(partition->calls.size(), 15u);
  std::vector<TensorValue> inputs;
  for (int input : graph->inputs) inputs.push_back(RandomValue(graph->tensors[input].tensor, 5, input));
  EXPECT_EQ(graph->tensors[graph->inputs[0]].tensor.value_bound, kBertVocabulary);
  const auto want = ExecuteReference(*graph, inputs), got = ExecuteReference(*partition, inputs);
  ASSERT_TRUE(want.ok()) << want.status();
  ASSERT_TRUE(got.ok()) << got.status();
  for (int64_t i = 0; i < NumElements((*want)[0].shape); ++i) ASSERT_NEAR((*got)[0].Get(i), (*want)[0].Get(i), 1e-4);
}

TEST(Zoo, EqualSeedsGiveEqualModels) {
  const auto a = MakeZooModel("squeezenet1.1", 1), b = MakeZooModel("squeezenet1.1", 1),
             c = MakeZooModel("squeezenet1.1", 2);
  ASSERT_TRUE(a.ok() && b.ok() && c.ok());
  EXPECT_EQ(a->model, b->model);
  EXPECT_NE(a->model, c->model);
}

TEST(Zoo, UnknownNamesListTheKnownOnes) {
  EXPECT_THAT(std::string(MakeZooModel("vgg99", 1).status().message()), HasSubstr("resnet18, resnet50, mobilenetv2"));
}

}  // namespace
}  // namespace tilth
