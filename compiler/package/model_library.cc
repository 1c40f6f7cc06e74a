#include "compiler/package/model_library.h"

#include <cstddef>
#include <string_view>

#include "compiler/codegen/codegen.h"
#include "compiler/package/elf_object.h"
#include "compiler/runtime/embedded_runtime.h"
#include "compiler/runtime/model_abi.h"
#include "compiler/runtime/model_plan.h"

namespace tilth {
namespace {

using Section = ElfObject::Section;
using Visibility = ElfObject::Visibility;

// glibc before 2.34 keeps threads in a library of their own; later ones still have it, empty.
const std::vector<std::string>& NeededLibraries() {
  static const std::vector<std::string> libraries = {"libc.so.6", "libpthread.so.0"};
  return libraries;
}

// The C interface under the model's name, and the functions of model_runtime.h behind it.
struct InterfaceFunction {
  std::string_view suffix;
  std::string_view runtime;
};
constexpr InterfaceFunction kInterface[] = {{"_create", "TilthModelCreate"},
                                            {"_num_threads", "TilthModelNumThreads"},
                                            {"_run", "TilthModelRun"},
                                            {"_destroy", "TilthModelDestroy"}};

// Writes the tables of one library. Tables are the C structs themselves: this machine and both targets are
// little-endian with 64-bit pointers and the same layout rules; pointers are left null and become relocations.
class TableWriter {
 public:
  TableWriter(const ModelDescription& description, const ModelPlan& plan, const std::vector<KernelObject>& kernels,
              Arch arch)
      : description_(description), plan_(plan), kernels_(kernels), object_(arch) {}

  StatusOr<std::string> Write() {
    WritePlan();
    WriteDescriptor();
    for (const InterfaceFunction& function : kInterface) {
      object_.DefineJump(StrCat(description_.name, function.suffix), function.runtime);
    }
    return object_.Finish();
  }

 private:
  // Appends the rows of a table without pointers and returns its offset in kReadOnly.
  template <typename Row>
  int64_t AppendConstants(const std::vector<Row>& rows) {
    return object_.Append(Section::kReadOnly, BytesOf(rows.data(), rows.size()), alignof(std::max_align_t));
  }

  // … with pointers, in kRelocated.
  template <typename Row>
  int64_t AppendRelocated(const std::vector<Row>& rows) {
    return object_.Append(Section::kRelocated, BytesOf(rows.data(), rows.size()), alignof(std::max_align_t));
  }

  template <typename Row>
  static std::string_view BytesOf(const Row* rows, size_t count) {
    static_assert(std::is_trivially_copyable_v<Row>);
    return std::string_view(reinterpret_cast<const char*>(rows), count * sizeof(Row));
  }

  void PointToString(int64_t offset, const std::string& text) {
    object_.PointTo(offset, Section::kReadOnly,
                    object_.Append(Section::kReadOnly, std::string_view(text.c_str(), text.size() + 1), 1));
  }

  void WritePlan() {
    TilthModelPlan plan = {};
    plan.num_calls = static_cast<int64_t>(plan_.calls.size());
    plan.num_copies = static_cast<int64_t>(plan_.copies.size());
    plan.num_inputs = static_cast<int64_t>(description_.inputs.size());
    plan.num_outputs = static_cast<int64_t>(description_.outputs.size());
    for (const auto& bindings : plan_.calls) plan.num_bindings += static_cast<int64_t>(bindings.size());
    plan.weight_bytes = static_cast<int64_t>(plan_.weights.size());
    plan.arena_bytes = plan_.arena_bytes;
    plan.default_threads = description_.default_threads;

    const int64_t weights = object_.Append(Section::kReadOnly, plan_.weights, TILTH_BUFFER_ALIGNMENT);
    const int64_t calls = AppendRelocated(std::vector<TilthPlanCall>(plan_.calls.size()));
    for (size_t i = 0; i < plan_.calls.size(); ++i) {
      const int64_t call = calls + static_cast<int64_t>(i * sizeof(TilthPlanCall));
      object_.PointTo(call + offsetof(TilthPlanCall, kernel), kernels_[description_.calls[i]].symbol);
      object_.PointTo(call + offsetof(TilthPlanCall, bindings), Section::kReadOnly, AppendConstants(plan_.calls[i]));
    }
    const int64_t at = AppendRelocated(std::vector<TilthModelPlan>{plan});
    object_.PointTo(at + offsetof(TilthModelPlan, calls), Section::kRelocated, calls);
    object_.PointTo(at + offsetof(TilthModelPlan, copies), Section::kReadOnly, AppendConstants(plan_.copies));
    object_.PointTo(at + offsetof(TilthModelPlan, weights), Section::kReadOnly, weights);
    object_.Define(TILTH_PLAN_SYMBOL, Section::kRelocated, at, sizeof(TilthModelPlan), Visibility::kHidden);
  }

  int64_t WriteTensors(const std::vector<Tensor>& tensors) {
    std::vector<TilthModelTensor> rows;
    for (const Tensor& tensor : tensors) {
      rows.push_back({nullptr, nullptr, static_cast<int32_t>(tensor.shape.size()), static_cast<int32_t>(tensor.dtype),
                      SizeInBytes(tensor)});
    }
    const int64_t table = AppendRelocated(rows);
    for (size_t i = 0; i < tensors.size(); ++i) {
      const int64_t row = table + static_cast<int64_t>(i * sizeof(TilthModelTensor));
      PointToString(row + offsetof(TilthModelTensor, name), tensors[i].name);
      object_.PointTo(row + offsetof(TilthModelTensor, shape), Section::kReadOnly, AppendConstants(tensors[i].shape));
    }
    return table;
  }

  int64_t WriteKernels() {
    std::vector<TilthModelKernel> rows;
    for (const int kernel : description_.calls) {
      rows.push_back({nullptr, nullptr, description_.kernels[kernel].tuned ? 1 : 0, 0});
    }
    const int64_t table = AppendRelocated(rows);
    for (size_t i = 0; i < rows.size(); ++i) {
      const KernelDescription& kernel = description_.kernels[description_.calls[i]];
      const int64_t row = table + static_cast<int64_t>(i * sizeof(TilthModelKernel));
      PointToString(row + offsetof(TilthModelKernel, name), kernel.name);
      PointToString(row + offsetof(TilthModelKernel, workload), kernel.workload);
    }
    return table;
  }

  void WriteDescriptor() {
    TilthModel model = {};
    model.magic = TILTH_MODEL_MAGIC;
    model.abi_version = TILTH_MODEL_ABI_VERSION;
    model.num_inputs = static_cast<uint32_t>(description_.inputs.size());
    model.num_outputs = static_cast<uint32_t>(description_.outputs.size());
    model.num_kernels = static_cast<uint32_t>(description_.calls.size());
    model.weight_bytes = description_.weight_bytes;
    model.arena_bytes = description_.arena_bytes;
    model.default_threads = description_.default_threads;
    const int64_t inputs = WriteTensors(description_.inputs);
    const int64_t outputs = WriteTensors(description_.outputs);
    const int64_t kernels = WriteKernels();
    const int64_t at = AppendRelocated(std::vector<TilthModel>{model});
    PointToString(at + offsetof(TilthModel, name), description_.name);
    PointToString(at + offsetof(TilthModel, target), description_.target);
    object_.PointTo(at + offsetof(TilthModel, inputs), Section::kRelocated, inputs);
    object_.PointTo(at + offsetof(TilthModel, outputs), Section::kRelocated, outputs);
    object_.PointTo(at + offsetof(TilthModel, kernels), Section::kRelocated, kernels);
    object_.PointTo(at + offsetof(TilthModel, create), "TilthModelCreate");
    object_.PointTo(at + offsetof(TilthModel, num_threads), "TilthModelNumThreads");
    object_.PointTo(at + offsetof(TilthModel, run), "TilthModelRun");
    object_.PointTo(at + offsetof(TilthModel, destroy), "TilthModelDestroy");
    for (const std::string& symbol : {std::string(TILTH_MODEL_SYMBOL), StrCat(description_.name, "_model")}) {
      object_.Define(symbol, Section::kRelocated, at, sizeof(TilthModel), Visibility::kExported);
    }
  }

  const ModelDescription& description_;
  const ModelPlan& plan_;
  const std::vector<KernelObject>& kernels_;
  ElfObject object_;
};

}  // namespace

StatusOr<std::string> LinkModelLibrary(const ModelDescription& description, const ModelPlan& plan,
                                       const std::vector<KernelObject>& kernels, const Target& target) {
  TILTH_CHECK(plan.calls.size() == description.calls.size() && kernels.size() == description.kernels.size());
  std::vector<std::string> objects;
  TILTH_ASSIGN_OR_RETURN(objects.emplace_back(), TableWriter(description, plan, kernels, target.arch).Write(),
                         "writing the tables of the library");
  for (const std::string_view object : RuntimeObjects(target.arch)) objects.emplace_back(object);
  for (const KernelObject& kernel : kernels) objects.push_back(kernel.object);

  std::vector<std::string> exported = {TILTH_MODEL_SYMBOL, StrCat(description.name, "_model")};
  for (const InterfaceFunction& function : kInterface) exported.push_back(StrCat(description.name, function.suffix));
  return LinkSharedObject(objects, target, exported, NeededLibraries());
}

}  // namespace tilth
