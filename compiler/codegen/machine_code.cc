#include "compiler/codegen/machine_code.h"

#include <llvm/ADT/SmallVector.h>
#include <llvm/ADT/StringSet.h>
#include <llvm/IR/LegacyPassManager.h>
#include <llvm/Pass.h>
#include <llvm/Support/raw_ostream.h>

#include <map>
#include <memory>
#include <utility>

namespace tilth {
namespace {

// What LLVM runs by default and kernels have no use for, by the names that passes give themselves. First those that
// cost: addresses come strength-reduced and in the blocks where they are used (address_emitter.cc), branches are few
// and phis are of one type. Then those for what kernels never contain: exceptions, atomics, garbage collection, calls,
// speculation barriers, instrumentation.
const llvm::StringSet<>& UselessPasses() {
  static const auto* names = new llvm::StringSet<>{
      "Loop Strength Reduction",
      "CodeGen Prepare",
      "Canonicalize Freeze Instructions in Loops",
      "Machine code sinking",
      "Early Tail Duplication",
      "Tail Duplication",
      "Optimize machine instruction PHIs",
      "Constant Hoisting",
      "Early If-Conversion",
      "X86 Domain Reassignment Pass",
      "X86 cmov Conversion",
      "X86 Avoid Store Forwarding Blocks",
      "Loop Data Prefetch",
      "Machine Outliner",
      "Complex Deinterleaving Pass",
      "Interleaved Load Combine Pass",
      "Type Promotion",

      "Expand large div/rem",
      "Expand large fp convert",
      "Expand Atomic instructions",
      "Expand indirectbr instructions",
      "Expand memcmp() to load/stores",
      "Merge contiguous icmps into a memcmp",
      "Lower Garbage Collection Instructions",
      "Shadow Stack GC Lowering",
      "Replace intrinsics with calls to vector library",
      "Partially inline calls to library functions",
      "Instrument function entry/exit with calls to e.g. mcount() (post inlining)",
      "Insert KCFI indirect call checks",
      "Insert fentry calls",
      "Insert XRay ops",
      "Implement the 'patchable-function' attribute",
      "Pseudo Probe Inserter",
      "X86 Indirect Branch Tracking",
      "X86 Indirect Thunks",
      "X86 Return Thunks",
      "X86 speculative load hardening",
      "X86 Speculative Execution Side Effect Suppression",
      "X86 Load Value Injection (LVI) Load Hardening",
      "X86 Load Value Injection (LVI) Ret-Hardening",
      "X86 Windows Fixup Buffer Security Check",
      "X86 Atom pad short functions",
      "Lower AMX intrinsics",
      "Lower AMX type for load/store",
      "StackMap Liveness Analysis",
      "Machine Sanitizer Binary Metadata",
      "AArch64 Globals Tagging",
      "AArch64 Stack Tagging",
      "AArch64 Stack Tagging PreRA",
      "AArch64 speculation hardening pass",
      "AArch64 sls hardening pass",
      "AArch64 Pointer Authentication",
      "AArch64 Branch Targets",
      "Workaround A53 erratum 835769 pass",
  };
  return *names;
}

class KernelPassManager : public llvm::legacy::PassManagerBase {
 public:
  void add(llvm::Pass* pass) override {
    if (UselessPasses().contains(pass->getPassName()))
      delete pass;
    else
      passes_.add(pass);
  }
  void Run(llvm::Module& module) { passes_.run(module); }

 private:
  llvm::legacy::PassManager passes_;
};

// The passes of one target and kind of file, with where they write to.
struct KernelPasses {
  llvm::SmallVector<char, 0> output;
  llvm::raw_svector_ostream stream{output};
  KernelPassManager manager;
};

}  // namespace

StatusOr<std::string> EmitMachineCode(llvm::Module& module, llvm::TargetMachine& machine,
                                      llvm::CodeGenFileType file_type) {
  thread_local std::map<std::pair<llvm::TargetMachine*, llvm::CodeGenFileType>, std::unique_ptr<KernelPasses>> kept;
  std::unique_ptr<KernelPasses>& passes = kept[{&machine, file_type}];
  if (!passes) {
    passes = std::make_unique<KernelPasses>();
    if (machine.addPassesToEmitFile(passes->manager, passes->stream, nullptr, file_type))
      return absl::InternalError("LLVM cannot emit this kind of file for the target");
  }
  passes->output.clear();
  passes->manager.Run(module);
  return std::string(passes->output.data(), passes->output.size());
}

}  // namespace tilth
