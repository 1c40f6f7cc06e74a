#include "tests/compiler/onnx/test_case.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "base/strings.h"
#include "compiler/onnx/import.h"

namespace tilth::testing {

namespace fs = std::filesystem;

std::string ReadBytes(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

namespace {

StatusOr<std::vector<TensorValue>> ReadTensors(const fs::path& directory, const std::string& prefix) {
  std::vector<TensorValue> tensors;
  for (int i = 0;; ++i) {
    const fs::path path = directory / StrCat(prefix, i, ".pb");
    if (!fs::exists(path)) return tensors;
    TILTH_ASSIGN_OR_RETURN(TensorValue value, ParseTensorProto(ReadBytes(path)), path.string());
    tensors.push_back(std::move(value));
  }
}

}  // namespace

StatusOr<TestCase> ReadTestCase(const fs::path& directory) {
  TestCase test;
  test.model = ReadBytes(directory / "model.onnx");
  for (int i = 0; fs::exists(directory / StrCat("test_data_set_", i)); ++i) {
    const fs::path data_directory = directory / StrCat("test_data_set_", i);
    TestData data;
    data.name = data_directory.filename();
    TILTH_ASSIGN_OR_RETURN(data.inputs, ReadTensors(data_directory, "input_"));
    TILTH_ASSIGN_OR_RETURN(data.outputs, ReadTensors(data_directory, "output_"));
    test.data.push_back(std::move(data));
  }
  return test;
}

fs::path SharedDirectory() {
  const char* given = std::getenv("TILTH_SHARED");
  for (fs::path path : {fs::path(given != nullptr ? given : ""), fs::path(TILTH_SOURCE_DIR) / "../shared",
                        fs::path(TILTH_SOURCE_DIR) / "../../shared"}) {
    if (!path.empty() && fs::exists(path / "models")) return path;
  }
  return {};
}

std::string Difference(const std::vector<TensorValue>& got, const std::vector<TensorValue>& want, double rtol,
                       double atol) {
  if (got.size() != want.size()) return StrCat("got ", got.size(), " outputs, want ", want.size());
  for (size_t t = 0; t < got.size(); ++t) {
    if (got[t].dtype != want[t].dtype || got[t].shape != want[t].shape)
      return StrCat("output ", t, " has another type or shape");
    for (int64_t i = 0; i < NumElements(got[t].shape); ++i) {
      const double a = got[t].Get(i), b = want[t].Get(i);
      const bool same = a == b || (std::isnan(a) && std::isnan(b)) || std::fabs(a - b) <= atol + rtol * std::fabs(b);
      if (!same) return StrCat("output ", t, " element ", i, " is ", a, ", want ", b);
    }
  }
  return "";
}

}  // namespace tilth::testing
