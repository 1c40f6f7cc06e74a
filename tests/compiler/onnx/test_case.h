// Test cases in the layout of ONNX's backend tests: DIR/model.onnx and DIR/test_data_set_*/{input,output}_N.pb.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/status.h"
#include "ir/interpreter.h"

namespace tilth::testing {

struct TestData {
  std::string name;
  std::vector<TensorValue> inputs, outputs;
};

struct TestCase {
  std::string model;  // bytes
  std::vector<TestData> data;
};

std::string ReadBytes(const std::filesystem::path& path);

StatusOr<TestCase> ReadTestCase(const std::filesystem::path& directory);

// Where the models shared between checkouts lie: $TILTH_SHARED, or ../shared beside the source; empty when absent.
std::filesystem::path SharedDirectory();

// "" when every element of `got` is within atol + rtol * |want| of `want` and types and shapes agree; otherwise what
// differs.
std::string Difference(const std::vector<TensorValue>& got, const std::vector<TensorValue>& want, double rtol,
                       double atol);

}  // namespace tilth::testing
