#include "tests/compiler/package/small_model.h"

#include <cstring>

namespace tilth {
namespace {

constexpr int kSize = kSmallModelSize;

float WeightAt(int i) { return 0.5f + 0.25f * static_cast<float>(i % 5); }
float BiasAt(int i) { return static_cast<float>(i) - 3; }

std::vector<float> Weights() {
  std::vector<float> values;
  for (int i = 0; i < kSize; ++i) values.push_back(WeightAt(i));
  return values;
}

std::vector<float> Biases() {
  std::vector<float> values;
  for (int i = 0; i < kSize; ++i) values.push_back(BiasAt(i));
  return values;
}

Expr LoadAt(int buffer, Expr index) { return expr::Load(buffer, DType::kF32, {std::move(index)}); }

LoopBuffer Argument(std::string name, ArgumentKind kind, int64_t elements) {
  return {std::move(name), BufferScope::kArgument, kind, DType::kF32, elements};
}

LoopBuffer Internal(std::string name, BufferScope scope) {
  return {std::move(name), scope, ArgumentKind::kInput, DType::kF32, kSize};
}

// A phase whose tasks are the elements.
LoopPhase ElementPhase(LoopProgram* program, const std::string& name, bool prepare,
                       const std::function<StmtList(Expr)>& body) {
  const int task = program->NewVariable(name);
  return {name, prepare, task, kSize, body(expr::Index(task))};
}

LoopProgram ScaleProgram() {
  LoopProgram program;
  program.name = "scale";
  const int x = program.NewBuffer(Argument("x", ArgumentKind::kInput, kSize));
  const int w = program.NewBuffer(Argument("w", ArgumentKind::kConstant, kSize));
  const int y = program.NewBuffer(Argument("y", ArgumentKind::kOutput, kSize));
  const int packed = program.NewBuffer(Internal("packed", BufferScope::kPacked));
  program.phases.push_back(ElementPhase(&program, "pack", true, [&](const Expr& i) {
    return StmtList{Store(packed, i, expr::Mul(LoadAt(w, i), expr::Float(2)))};
  }));
  program.phases.push_back(ElementPhase(&program, "scale", false, [&](const Expr& i) {
    return StmtList{Store(y, i, expr::Mul(LoadAt(x, i), LoadAt(packed, i)))};
  }));
  return program;
}

// joined[offset + i] = m[i] `op` b[i], with m copied through a buffer of `scope` first.
LoopProgram HalfProgram(const std::string& name, ExprOp op, int64_t offset, BufferScope scope) {
  LoopProgram program;
  program.name = name;
  const int m = program.NewBuffer(Argument("m", ArgumentKind::kInput, kSize));
  const int b = program.NewBuffer(Argument("b", ArgumentKind::kConstant, kSize));
  const int joined = program.NewBuffer(Argument("joined", ArgumentKind::kOutput, 2 * kSize));
  const int copy = program.NewBuffer(Internal("copy", scope));
  const auto copy_in = [&](const Expr& i) { return Store(copy, i, LoadAt(m, i)); };
  const auto compute = [&](const Expr& i) {
    return Store(joined, expr::Add(i, expr::Int(offset)), expr::Binary(op, LoadAt(copy, i), LoadAt(b, i)));
  };
  if (scope == BufferScope::kWorkspace) {
    program.phases.push_back(
        ElementPhase(&program, "copy", false, [&](const Expr& i) { return StmtList{copy_in(i)}; }));
    program.phases.push_back(ElementPhase(&program, name, false, [&](const Expr& i) { return StmtList{compute(i)}; }));
  } else {
    program.phases.push_back(
        ElementPhase(&program, name, false, [&](const Expr& i) { return StmtList{copy_in(i), compute(i)}; }));
  }
  return program;
}

// Enough of a workload to have a name and a hash.
Workload NamedWorkload(const std::string& name, ExprOp op) {
  Workload workload;
  workload.name = name;
  workload.tensors = {{"a", TensorRole::kInput, DType::kF32, {kSize}},
                      {"b", TensorRole::kConstant, DType::kF32, {kSize}},
                      {"y", TensorRole::kOutput, DType::kF32, {kSize}}};
  Stage stage;
  stage.output = 2;
  stage.axes = {{"i", kSize}};
  stage.output_index = IdentityIndex(1);
  stage.value = expr::Binary(op, LoadAt(0, expr::Index(0)), LoadAt(1, expr::Index(0)));
  workload.stages = {stage};
  return workload;
}

int Add(Graph* graph, const std::string& name, TensorRole role, std::vector<int64_t> shape) {
  GraphTensor tensor;
  tensor.tensor = {name, role, DType::kF32, std::move(shape)};
  graph->tensors.push_back(std::move(tensor));
  return static_cast<int>(graph->tensors.size()) - 1;
}

int AddWeights(Graph* graph, const std::string& name, const std::vector<float>& values) {
  const int tensor = Add(graph, name, TensorRole::kConstant, {kSize});
  graph->tensors[tensor].data = std::make_shared<TensorValue>(FloatValue(values));
  return tensor;
}

}  // namespace

SmallModel MakeSmallModel() {
  SmallModel model;
  Graph& graph = model.partition.graph;
  const int x = Add(&graph, "the input/x", TensorRole::kInput, {kSize});
  const int w0 = AddWeights(&graph, "w0", Weights());
  const int w1 = AddWeights(&graph, "w1", Weights());
  const int b = AddWeights(&graph, "b", Biases());
  const int m0 = Add(&graph, "m0", TensorRole::kTemporary, {kSize});
  const int m1 = Add(&graph, "m1", TensorRole::kTemporary, {kSize});
  const int joined = Add(&graph, "joined", TensorRole::kTemporary, {2 * kSize});
  const int output = Add(&graph, "output", TensorRole::kOutput, {2, kSize});
  graph.tensors[output].alias_of = joined;
  graph.inputs = {x};
  graph.outputs = {output};

  model.partition.workloads = {NamedWorkload("scale 37", ExprOp::kMul), NamedWorkload("top 37", ExprOp::kAdd),
                               NamedWorkload("bottom 37", ExprOp::kSub)};
  model.partition.weights = {2, 1, 1};
  model.partition.calls = {{0, {x, w0, m0}, "first"},
                           {0, {m0, w1, m1}, "second"},
                           {1, {m1, b, joined}, "third"},
                           {2, {m0, b, joined}, "fourth"}};
  model.choices.resize(3);
  model.choices[0] = {ScaleProgram(), {"test", {{"tile", {4, 2}}}}, true, 1234.5};
  model.choices[1] = {HalfProgram("top", ExprOp::kAdd, 0, BufferScope::kWorkspace), {"test", {}}};
  model.choices[2] = {HalfProgram("bottom", ExprOp::kSub, kSize, BufferScope::kScratch), {"test", {}}};
  return model;
}

std::vector<float> SmallModelInput() {
  std::vector<float> values;
  for (int i = 0; i < kSize; ++i) values.push_back(static_cast<float>(i * i % 23) - 11);
  return values;
}

std::vector<float> SmallModelOutput() {
  const std::vector<float> x = SmallModelInput();
  std::vector<float> output(2 * kSize);
  for (int i = 0; i < kSize; ++i) {
    const float m0 = x[i] * (WeightAt(i) * 2);
    output[i] = m0 * (WeightAt(i) * 2) + BiasAt(i);
    output[kSize + i] = m0 - BiasAt(i);
  }
  return output;
}

TensorValue FloatValue(const std::vector<float>& values) {
  TensorValue value = ZeroValue(DType::kF32, {static_cast<int64_t>(values.size())});
  std::memcpy(value.bytes.data(), values.data(), value.bytes.size());
  return value;
}

std::vector<float> Floats(const TensorValue& value) {
  std::vector<float> values(value.bytes.size() / sizeof(float));
  std::memcpy(values.data(), value.bytes.data(), value.bytes.size());
  return values;
}

}  // namespace tilth
