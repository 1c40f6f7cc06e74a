// ONNX's own test cases for single operators and small networks, against the interpreter and ONNX's expected outputs.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>

#include <onnx/onnx_pb.h>

#include "base/rng.h"
#include "base/strings.h"
#include "compiler/graph/execute.h"
#include "compiler/graph/partition.h"
#include "compiler/onnx/import.h"
#include "compiler/onnx/tensor_proto.h"
#include "tests/compiler/onnx/test_case.h"

namespace tilth {
namespace {

namespace fs = std::filesystem;
using testing::Difference;
using testing::ReadTestCase;
using testing::TestCase;
using testing::TestData;

const fs::path kData = "/usr/share/libonnx-testdata/data";

// Shapes, axes and limits must be constant for Tilth: the case's inputs from `first` on become initializers, as they
// are in every real model.
std::string WithConstantInputs(const std::string& bytes, size_t first, TestData* data) {
  onnx::ModelProto model;
  model.ParseFromString(bytes);
  for (size_t i = first; i < data->inputs.size(); ++i) {
    onnx::TensorProto* initializer = model.mutable_graph()->add_initializer();
    ToTensorProto(data->inputs[i], initializer);
    initializer->set_name(model.graph().input(static_cast<int>(i)).name());
  }
  data->inputs.resize(std::min(first, data->inputs.size()));
  return model.SerializeAsString();
}

struct Outcome {
  std::string skipped;  // why Tilth refuses it
  std::string failed;
};

// Most of the converted networks say opset 6, whose operators in them mean what they mean in opset 7.
std::string AtLeastOpset7(const std::string& bytes) {
  onnx::ModelProto model;
  model.ParseFromString(bytes);
  for (onnx::OperatorSetIdProto& opset : *model.mutable_opset_import()) {
    if (opset.domain().empty() && opset.version() == 6) opset.set_version(7);
  }
  return model.SerializeAsString();
}

Outcome RunCase(const fs::path& directory) {
  StatusOr<TestCase> test = ReadTestCase(directory);
  if (!test.ok()) return {std::string(test.status().message()), ""};
  test->model = AtLeastOpset7(test->model);
  if (test->data.empty()) return {"no data", ""};
  TestData data = test->data[0];
  StatusOr<Graph> graph = ImportOnnx(test->model);
  if (!graph.ok() && StrCat(graph.status().message()).find("constant") != std::string::npos) {
    graph = ImportOnnx(WithConstantInputs(test->model, 1, &data));
  }
  if (!graph.ok()) return {std::string(graph.status().message()), ""};
  const auto outputs = ExecuteReference(*graph, data.inputs);
  if (!outputs.ok()) return {"", std::string(outputs.status().message())};
  if (std::string difference = Difference(*outputs, data.outputs, 1e-3, 1e-5); !difference.empty())
    return {"", difference};

  const StatusOr<Partition> partition = PartitionGraph(*graph);
  if (!partition.ok()) return {"", StrCat("partition: ", partition.status().message())};
  const auto again = ExecuteReference(*partition, data.inputs);
  if (!again.ok()) return {"", StrCat("partition: ", again.status().message())};
  std::string difference = Difference(*again, data.outputs, 1e-3, 1e-5);
  return {"", difference.empty() ? "" : StrCat("partition: ", difference)};
}

// What of a message to count by: without names of nodes and files.
std::string Reason(const std::string& message) {
  const size_t type = message.find("element type "), dynamic = message.find("is dynamic");
  if (type != std::string::npos) return message.substr(type, message.find(' ', type + 13) - type);
  if (dynamic != std::string::npos) return "dynamic dimension";
  if (message.find("test_data_set") != std::string::npos) return "data that are not a tensor";
  const size_t open = message.find(" (");
  if (message.find("operator is not supported") != std::string::npos) {
    return "operator " + message.substr(open + 2, message.find(',', open) - open - 2);
  }
  const size_t colon = message.find("): ");
  return colon == std::string::npos ? message : message.substr(colon + 3, 60);
}

class OnnxCases : public ::testing::TestWithParam<std::pair<const char*, int>> {};

TEST_P(OnnxCases, AgreeWithExpectedOutputs) {
  const auto& [family, at_least] = GetParam();
  if (!fs::exists(kData)) GTEST_SKIP() << "libonnx-testdata is not installed";
  std::map<std::string, int> skipped;
  int passed = 0;
  for (const auto& entry : fs::directory_iterator(kData / family)) {
    const Outcome outcome = RunCase(entry.path());
    if (!outcome.skipped.empty()) {
      ++skipped[Reason(outcome.skipped)];
    } else if (!outcome.failed.empty()) {
      ADD_FAILURE() << entry.path().filename() << ": " << outcome.failed;
    } else {
      ++passed;
    }
  }
  std::printf("%s: %d passed; skipped:\n", family, passed);
  for (const auto& [reason, count] : skipped) std::printf("  %4d %s\n", count, reason.c_str());
  EXPECT_GE(passed, at_least);
}

INSTANTIATE_TEST_SUITE_P(All, OnnxCases,
                         ::testing::Values(std::pair("node", 300), std::pair("pytorch-converted", 40),
                                           std::pair("pytorch-operator", 10), std::pair("simple", 1)));

// Bytes changed at random in models of every operator: import and partition answer or refuse, but do not crash.
TEST(DamagedCases, NeverCrash) {
  if (!fs::exists(kData)) GTEST_SKIP() << "libonnx-testdata is not installed";
  const char* rounds_text = std::getenv("TILTH_FUZZ_ROUNDS");
  const int rounds = rounds_text != nullptr ? std::atoi(rounds_text) : 4;
  std::vector<fs::path> directories;
  for (const auto& entry : fs::directory_iterator(kData / "node")) directories.push_back(entry.path());
  std::sort(directories.begin(), directories.end());
  Rng rng(1);
  for (const fs::path& directory : directories) {
    const std::string bytes = testing::ReadBytes(directory / "model.onnx");
    if (bytes.empty()) continue;
    for (int round = 0; round < rounds; ++round) {
      std::string damaged = bytes;
      const uint64_t changes = 1 + rng.Below(3);
      for (uint64_t i = 0; i < changes; ++i) damaged[rng.Below(damaged.size())] = static_cast<char>(rng());
      const StatusOr<Graph> graph = ImportOnnx(damaged, {.dimensions = {{"N", 2}}});
      if (!graph.ok()) continue;
      const StatusOr<Partition> partition = PartitionGraph(*graph);
      EXPECT_TRUE(partition.ok()) << directory << ": " << partition.status();
    }
  }
}

}  // namespace
}  // namespace tilth
