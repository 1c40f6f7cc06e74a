// One LLVM module per kernel: a function per phase, the descriptor of the kernel ABI, a short pass pipeline, the
// object.
#include "compiler/codegen/codegen.h"

#include <llvm/Analysis/AliasAnalysis.h>
#include <llvm/IR/DiagnosticPrinter.h>
#include <llvm/IR/Verifier.h>
#include <llvm/Passes/PassBuilder.h>
#include <llvm/Support/raw_ostream.h>
#include <llvm/Transforms/Scalar/EarlyCSE.h>
#include <llvm/Transforms/Scalar/LICM.h>
#include <llvm/Transforms/Scalar/LoopPassManager.h>

#include "base/clock.h"
#include "compiler/codegen/function_emitter.h"
#include "compiler/codegen/machine_code.h"
#include "compiler/codegen/target_machine.h"
#include "compiler/runtime/kernel_abi.h"

namespace tilth {
namespace {

struct EmittedPhase {
  llvm::Function* function;
  bool prepare;
  int64_t num_tasks;
  int64_t scratch_bytes;
};

int32_t BufferKind(const LoopBuffer& buffer) {
  switch (buffer.scope) {
    case BufferScope::kPacked:
      return TILTH_BUFFER_PACKED;
    case BufferScope::kWorkspace:
      return TILTH_BUFFER_WORKSPACE;
    default:
      break;
  }
  switch (buffer.argument) {
    case ArgumentKind::kInput:
      return TILTH_BUFFER_INPUT;
    case ArgumentKind::kConstant:
      return TILTH_BUFFER_CONSTANT;
    case ArgumentKind::kOutput:
      return TILTH_BUFFER_OUTPUT;
  }
  return TILTH_BUFFER_INPUT;
}

// The constant `TilthKernel` and the tables it points to, member for member as in kernel_abi.h.
void EmitDescriptor(const LoopProgram& program, const std::vector<EmittedPhase>& phases, const std::string& prefix,
                    llvm::Module& module) {
  llvm::IRBuilder<> b(module.getContext());
  llvm::Type *i32 = b.getInt32Ty(), *i64 = b.getInt64Ty(), *pointer = b.getPtrTy();
  auto* buffer_type = llvm::StructType::get(module.getContext(), {i32, i32, i64, i64});
  auto* phase_type = llvm::StructType::get(module.getContext(), {i32, i32, i64, i64, pointer});
  auto table = [&](llvm::StructType* type, const std::vector<llvm::Constant*>& rows, const char* name) {
    auto* array = llvm::ArrayType::get(type, rows.size());
    return new llvm::GlobalVariable(module, array, true, llvm::GlobalValue::InternalLinkage,
                                    llvm::ConstantArray::get(array, rows), prefix + name);
  };
  std::vector<llvm::Constant*> buffers, rows;
  for (const LoopBuffer& buffer : program.buffers) {
    if (buffer.scope == BufferScope::kScratch || buffer.scope == BufferScope::kRegister) continue;
    const int64_t bytes = (buffer.num_elements + buffer.slack_elements) * SizeInBytes(buffer.dtype);
    buffers.push_back(llvm::ConstantStruct::get(
        buffer_type, {b.getInt32(BufferKind(buffer)), b.getInt32(static_cast<int32_t>(buffer.dtype)),
                      b.getInt64(buffer.num_elements), b.getInt64(bytes)}));
  }
  for (const EmittedPhase& phase : phases)
    rows.push_back(llvm::ConstantStruct::get(
        phase_type, {b.getInt32(phase.prepare ? TILTH_PHASE_PREPARE : TILTH_PHASE_RUN), b.getInt32(0),
                     b.getInt64(phase.num_tasks), b.getInt64(phase.scratch_bytes), phase.function}));
  auto* kernel_type = llvm::StructType::get(module.getContext(), {i64, i32, i32, i32, i32, pointer, pointer});
  llvm::Constant* kernel = llvm::ConstantStruct::get(
      kernel_type, {b.getInt64(TILTH_KERNEL_MAGIC), b.getInt32(TILTH_KERNEL_ABI_VERSION), b.getInt32(buffers.size()),
                    b.getInt32(rows.size()), b.getInt32(0), table(buffer_type, buffers, "buffers"),
                    table(phase_type, rows, "phases")});
  new llvm::GlobalVariable(module, kernel_type, true, llvm::GlobalValue::ExternalLinkage, kernel,
                           prefix + TILTH_KERNEL_SYMBOL);
}

void SetFunctionAttributes(const Target& target, llvm::Function& function) {
  function.addFnAttr("target-cpu", target.cpu);
  function.addFnAttr("target-features", target.features);
  // Without these LLVM splits 512-bit vectors into halves (DESIGN 5.3).
  if (target.vector_bytes >= 64) {
    function.addFnAttr("prefer-vector-width", "512");
    function.addFnAttr("min-legal-vector-width", "512");
  }
}

// The emitter leaves little to do: equal loads are shared, and floating-point invariants leave the loops. No
// vectoriser, no unroller.
void Optimise(llvm::Module& module, llvm::TargetMachine& machine) {
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager graph;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder builder(&machine);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(graph);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, graph, modules);
  llvm::FunctionPassManager passes;
  passes.addPass(llvm::EarlyCSEPass());
  llvm::LoopPassManager loop_passes;
  loop_passes.addPass(llvm::LICMPass(llvm::LICMOptions()));
  passes.addPass(llvm::createFunctionToLoopPassAdaptor(std::move(loop_passes), /*UseMemorySSA=*/true));
  for (llvm::Function& function : module)
    if (!function.isDeclaration()) passes.run(function, functions);
}

// LLVM reports unrecoverable back-end errors through the context; keep the first instead of aborting.
struct Diagnostics {
  std::string first_error;
  static void Handle(const llvm::DiagnosticInfo* info, void* self) {
    auto* diagnostics = static_cast<Diagnostics*>(self);
    if (info->getSeverity() != llvm::DS_Error || !diagnostics->first_error.empty()) return;
    llvm::raw_string_ostream stream(diagnostics->first_error);
    llvm::DiagnosticPrinterRawOStream printer(stream);
    info->print(printer);
  }
};

StatusOr<std::string> Generate(const LoopProgram& program, const Target& target, const CodegenOptions& options,
                               llvm::CodeGenFileType file_type, CodegenTimes* times) {
  for (const LoopBuffer& buffer : program.buffers)
    if (buffer.dtype == DType::kF16 || buffer.dtype == DType::kBF16)
      return absl::InvalidArgumentError(
          StrCat("buffer ", buffer.name, ": no code generation for ", ToString(buffer.dtype)));
  int64_t lap_ns = SystemClock().NowNs();
  auto lap_s = [&] {
    const int64_t begun_ns = std::exchange(lap_ns, SystemClock().NowNs());
    return 1e-9 * static_cast<double>(lap_ns - begun_ns);
  };
  CodegenTimes laps;
  TILTH_ASSIGN_OR_RETURN(llvm::TargetMachine * machine, MachineOfThisThread(target));
  llvm::LLVMContext context;
  Diagnostics diagnostics;
  context.setDiagnosticHandlerCallBack(&Diagnostics::Handle, &diagnostics);
  llvm::Module module("tilth", context);
  module.setTargetTriple(target.triple);
  module.setDataLayout(machine->createDataLayout());

  FunctionEmitter emitter(program, target, module);
  std::vector<EmittedPhase> phases;
  for (size_t i = 0; i < program.phases.size(); ++i) {
    const LoopPhase& phase = program.phases[i];
    if (phase.prepare && options.skip_prepare_phases) continue;
    TILTH_ASSIGN_OR_RETURN(llvm::Function * function, emitter.Emit(phase, StrCat(options.symbol_prefix, "phase", i)));
    SetFunctionAttributes(target, *function);
    phases.push_back({function, phase.prepare, phase.num_tasks, emitter.scratch_bytes()});
  }
  EmitDescriptor(program, phases, options.symbol_prefix, module);
  laps.emit_s = lap_s();

  std::string verifier_message;
  llvm::raw_string_ostream verifier_stream(verifier_message);
  if (llvm::verifyModule(module, &verifier_stream))
    return absl::InternalError(StrCat("generated IR is malformed: ", verifier_message));
  Optimise(module, *machine);
  laps.optimise_s = lap_s();

  TILTH_ASSIGN_OR_RETURN(std::string file, EmitMachineCode(module, *machine, file_type));
  if (!diagnostics.first_error.empty()) return absl::InternalError(diagnostics.first_error);
  laps.machine_s = lap_s();
  if (times) *times = laps;
  return file;
}

}  // namespace

StatusOr<std::string> GenerateObject(const LoopProgram& program, const Target& target, const CodegenOptions& options,
                                     CodegenTimes* times) {
  return Generate(program, target, options, llvm::CodeGenFileType::ObjectFile, times);
}

StatusOr<std::string> GenerateAssembly(const LoopProgram& program, const Target& target) {
  return Generate(program, target, {}, llvm::CodeGenFileType::AssemblyFile, nullptr);
}

}  // namespace tilth
