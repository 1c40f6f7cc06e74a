// Whole packages of a small model: linked, loaded into this process, and used from C.
#include "compiler/package/package.h"

#include <dlfcn.h>
#include <gmock/gmock.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/files.h"
#include "base/subprocess.h"
#include "compiler/package/model_planner.h"
#include "compiler/runtime/model_abi.h"
#include "tests/compiler/package/small_model.h"

namespace tilth {
namespace {

using ::testing::HasSubstr;

Target Native() { return *ParseTarget("native"); }

Package BuildSmallModel(const Target& target = Native()) {
  const SmallModel model = MakeSmallModel();
  StatusOr<Package> package =
      BuildPackage(model.partition, model.choices, target, {.name = "small", .model_hash = "h"});
  EXPECT_TRUE(package.ok()) << package.status();
  return package.ok() ? *std::move(package) : Package();
}

// A library on disk, loaded until the end of the test.
class LoadedPackage {
 public:
  explicit LoadedPackage(const Package& package) : directory_(*TempDir::Create()) {
    TILTH_CHECK(WritePackage(package, directory_.path()).ok());
    handle_ = dlopen(directory_.File("libsmall.so").c_str(), RTLD_NOW | RTLD_LOCAL);
    EXPECT_NE(handle_, nullptr) << dlerror();
  }
  ~LoadedPackage() { dlclose(handle_); }

  const TilthModel& model() const { return *static_cast<const TilthModel*>(dlsym(handle_, TILTH_MODEL_SYMBOL)); }
  void* Symbol(const char* name) const { return dlsym(handle_, name); }
  const TempDir& directory() const { return directory_; }

 private:
  TempDir directory_;
  void* handle_;
};

std::vector<float> RunOnce(const TilthModel& model, TilthModelInstance* instance, uint64_t* kernel_ns = nullptr) {
  const std::vector<float> input = SmallModelInput();
  std::vector<float> output(SmallModelOutput().size(), -1);
  const void* inputs[] = {input.data()};
  void* outputs[] = {output.data()};
  EXPECT_EQ(model.run(instance, inputs, outputs, kernel_ns), TILTH_MODEL_OK);
  return output;
}

TEST(ModelPlanner, SharesEqualWeightsDropsPackedOnesAndReusesTheArena) {
  const SmallModel model = MakeSmallModel();
  std::vector<LoopProgram> programs;
  for (const KernelChoice& choice : model.choices) programs.push_back(choice.program);
  const StatusOr<ModelPlan> plan = PlanModel(model.partition, programs);
  ASSERT_TRUE(plan.ok()) << plan.status();
  // One packed block for both scales, and the bias; each 148 bytes, rounded up to 192 in between.
  EXPECT_EQ(plan->weights.size(), 192u + 148u);
  EXPECT_EQ(plan->calls[0][3].value, plan->calls[1][3].value);
  EXPECT_EQ(plan->calls[0][1].space, TILTH_SPACE_NONE) << "the unpacked weights are gone";
  EXPECT_EQ(plan->calls[0][0].space, TILTH_SPACE_INPUT);
  EXPECT_EQ(plan->calls[2][2].space, TILTH_SPACE_OUTPUT);
  EXPECT_EQ(plan->calls[3][2].space, TILTH_SPACE_OUTPUT);
  EXPECT_EQ(plan->calls[3].size(), 3u) << "scratch is no buffer of the kernel";
  EXPECT_EQ(plan->arena_bytes, 3 * 192) << "m0, m1 and the workspace live together";
  EXPECT_TRUE(plan->copies.empty());
}

TEST(ModelPlanner, OutputNamedTwiceIsCopied) {
  SmallModel model = MakeSmallModel();
  model.partition.graph.outputs.push_back(model.partition.graph.outputs[0]);
  std::vector<LoopProgram> programs;
  for (const KernelChoice& choice : model.choices) programs.push_back(choice.program);
  const StatusOr<ModelPlan> plan = PlanModel(model.partition, programs);
  ASSERT_TRUE(plan.ok()) << plan.status();
  ASSERT_EQ(plan->copies.size(), 1u);
  EXPECT_EQ(plan->copies[0].output, 1);
  EXPECT_EQ(plan->copies[0].source.space, TILTH_SPACE_OUTPUT);
  EXPECT_EQ(plan->copies[0].size_bytes, 2 * kSmallModelSize * 4);
}

TEST(Package, ComputesTheModelOnAnyNumberOfThreads) {
  const LoadedPackage package(BuildSmallModel());
  const TilthModel& model = package.model();
  ASSERT_EQ(model.magic, TILTH_MODEL_MAGIC);
  for (const int threads : {1, 2, 5}) {
    TilthModelInstance* const instance = model.create(threads);
    ASSERT_NE(instance, nullptr);
    EXPECT_EQ(model.num_threads(instance), threads);
    for (int repeat = 0; repeat < 3; ++repeat) EXPECT_EQ(RunOnce(model, instance), SmallModelOutput());
    model.destroy(instance);
  }
}

TEST(Package, InstancesRunAtTheSameTime) {
  const LoadedPackage package(BuildSmallModel());
  const TilthModel& model = package.model();
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&model] {
      TilthModelInstance* const instance = model.create(2);
      for (int repeat = 0; repeat < 200; ++repeat) ASSERT_EQ(RunOnce(model, instance), SmallModelOutput());
      model.destroy(instance);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(Package, DescribesItself) {
  const LoadedPackage package(BuildSmallModel());
  const TilthModel& model = package.model();
  EXPECT_STREQ(model.name, "small");
  ASSERT_EQ(model.num_inputs, 1u);
  EXPECT_STREQ(model.inputs[0].name, "the input/x");
  ASSERT_EQ(model.outputs[0].rank, 2);
  EXPECT_EQ(model.outputs[0].shape[1], kSmallModelSize);
  EXPECT_EQ(model.outputs[0].size_bytes, 2 * kSmallModelSize * 4);
  ASSERT_EQ(model.num_kernels, 4u);
  EXPECT_STREQ(model.kernels[1].name, "scale 37");
  EXPECT_EQ(model.kernels[1].tuned, 1);
  EXPECT_EQ(model.kernels[2].tuned, 0);
}

TEST(Package, ExportsItsInterfaceAndNothingElse) {
  const LoadedPackage package(BuildSmallModel());
  for (const char* name : {"small_create", "small_num_threads", "small_run", "small_destroy", "small_model"}) {
    EXPECT_NE(package.Symbol(name), nullptr) << name;
  }
  for (const char* name : {"TilthModelRun", "tilth_model_plan", "k0_tilth_kernel", "TilthPoolRun"}) {
    EXPECT_EQ(package.Symbol(name), nullptr) << name;
  }
}

TEST(Package, NullPointersAreRefused) {
  const LoadedPackage package(BuildSmallModel());
  const TilthModel& model = package.model();
  TilthModelInstance* const instance = model.create(1);
  std::vector<float> output(2 * kSmallModelSize);
  const void* inputs[] = {nullptr};
  void* outputs[] = {output.data()};
  EXPECT_EQ(model.run(instance, inputs, outputs, nullptr), TILTH_MODEL_NULL_POINTER);
  EXPECT_EQ(model.run(nullptr, inputs, outputs, nullptr), TILTH_MODEL_NULL_POINTER);
  model.destroy(instance);
  model.destroy(nullptr);
}

TEST(Package, KernelTimesAddUpOverRuns) {
  const LoadedPackage package(BuildSmallModel());
  const TilthModel& model = package.model();
  TilthModelInstance* const instance = model.create(1);
  uint64_t kernel_ns[4] = {1'000'000'000'000, 0, 0, 0};
  RunOnce(model, instance, kernel_ns);
  EXPECT_GT(kernel_ns[0], 1'000'000'000'000u);
  model.destroy(instance);
}

TEST(Package, SameModelGivesTheSameBytes) {
  const Package a = BuildSmallModel(), b = BuildSmallModel();
  EXPECT_EQ(a.library, b.library);
  EXPECT_EQ(ManifestJson(a.description), ManifestJson(b.description));
}

TEST(Package, ExampleCompilesAndRunsWithNothingButTheLibrary) {
  const LoadedPackage package(BuildSmallModel());
  SubprocessOptions compile;
  compile.argv = {"cc", "-Wall",  "-Wextra", "-Werror", "example.c", "-L.", "-lsmall", "-Wl,-rpath,$ORIGIN",
                  "-o", "example"};
  compile.working_directory = package.directory().path();
  compile.stderr_to = ChildStream::kCapture;
  const auto compiled = RunSubprocess(compile, "", 60000);
  ASSERT_TRUE(compiled.ok()) << compiled.status();
  ASSERT_TRUE(compiled->exit.Success()) << compiled->stderr_text;
  const auto ran =
      RunSubprocess({.argv = {package.directory().File("example")}, .stdout_to = ChildStream::kCapture}, "", 60000);
  ASSERT_TRUE(ran.ok() && ran->exit.Success());
  EXPECT_THAT(ran->stdout_text, HasSubstr("out_output: "));
}

TEST(Package, HeaderCompilesAsCPlusPlus) {
  const LoadedPackage package(BuildSmallModel());
  ASSERT_TRUE(WriteFile(package.directory().File("use.cc"), "#include \"small.h\"\nint n = small_NUM_INPUTS;\n").ok());
  const auto compiled = RunSubprocess(
      {.argv = {"c++", "-Wall", "-Werror", "-fsyntax-only", package.directory().File("use.cc")}}, "", 60000);
  ASSERT_TRUE(compiled.ok());
  EXPECT_TRUE(compiled->exit.Success());
}

TEST(Package, LinksForAnotherArchitecture) {
  const Package package = BuildSmallModel(*ParseTarget("rpi4"));
  constexpr size_t kMachineOffset = 18;
  ASSERT_GT(package.library.size(), 64u);
  EXPECT_EQ(static_cast<unsigned char>(package.library[kMachineOffset]), 183) << "EM_AARCH64";
}

TEST(Manifest, SaysWhatIsTunedAndParsesBack) {
  const ModelDescription model = BuildSmallModel().description;
  const nlohmann::json json = nlohmann::json::parse(ManifestJson(model));
  EXPECT_EQ(json["library"], "libsmall.so");
  EXPECT_EQ(json["kernels"][0]["tuned"], true);
  EXPECT_EQ(json["kernels"][0]["median_ns"], 1234.5);
  EXPECT_EQ(json["kernels"][0]["uses"], 2);
  EXPECT_EQ(json["kernels"][0]["decisions"]["tile"], nlohmann::json({4, 2}));
  EXPECT_EQ(json["kernels"][1]["tuned"], false);
  EXPECT_FALSE(json["kernels"][1].contains("median_ns"));
  const StatusOr<ModelDescription> parsed = ParseManifest(ManifestJson(model));
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->name, "small");
  EXPECT_EQ(parsed->outputs[0].shape, model.outputs[0].shape);
  EXPECT_EQ(parsed->calls, model.calls);
}

TEST(Manifest, DamagedOnesAreErrors) {
  const std::string good = ManifestJson(BuildSmallModel().description);
  EXPECT_THAT(ParseManifest(good.substr(0, good.size() / 2)).status().message(), HasSubstr("not a manifest"));
  EXPECT_THAT(ParseManifest("{}").status().message(), HasSubstr("manifest_version"));
  nlohmann::json json = nlohmann::json::parse(good);
  json["manifest_version"] = 99;
  EXPECT_THAT(ParseManifest(json.dump()).status().message(), HasSubstr("build the model again"));
  json = nlohmann::json::parse(good);
  json["calls"] = {7};
  EXPECT_THAT(ParseManifest(json.dump()).status().message(), HasSubstr("kernel 7"));
  json = nlohmann::json::parse(good);
  json["inputs"][0]["shape"] = {-1};
  EXPECT_THAT(ParseManifest(json.dump()).status().message(), HasSubstr("shape"));
  json["inputs"][0]["shape"] = {int64_t{1} << 40, int64_t{1} << 40};
  EXPECT_THAT(ParseManifest(json.dump()).status().message(), HasSubstr("shape"));
}

TEST(ModelName, ComesFromThePath) {
  EXPECT_EQ(ModelNameFromPath("/models/face-net v2.onnx"), "face_net_v2");
  EXPECT_EQ(ModelNameFromPath("/models/squeezenet_random/model.onnx"), "squeezenet_random");
  EXPECT_EQ(ModelNameFromPath("/models/3d.onnx"), "m_3d");
  EXPECT_THAT(CheckModelName("face-net").message(), HasSubstr("face_net"));
  EXPECT_FALSE(CheckModelName("").ok());
  EXPECT_FALSE(CheckModelName("../evil").ok());
}

}  // namespace
}  // namespace tilth
