// Assembly text back to instructions, and what LLVM knows about them.
#pragma once

#include <llvm/MC/MCAsmInfo.h>
#include <llvm/MC/MCInst.h>
#include <llvm/MC/MCInstPrinter.h>
#include <llvm/MC/MCInstrAnalysis.h>
#include <llvm/MC/MCInstrInfo.h>
#include <llvm/MC/MCRegisterInfo.h>
#include <llvm/MC/MCSubtargetInfo.h>
#include <llvm/MC/TargetRegistry.h>
#include <llvm/TargetParser/Triple.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "ir/target.h"

namespace tilth {

// The instructions of a text in order. A branch to a label of the text knows which instruction that names.
struct ParsedAssembly {
  std::vector<llvm::MCInst> instructions;
  // One per instruction.
  std::vector<std::optional<size_t>> branch_target;
  std::vector<bool> never_falls_through;  // what follows is not reached from here
};

// LLVM's descriptions of one target. Not thread-safe.
class MachineParser {
 public:
  static StatusOr<std::unique_ptr<MachineParser>> Create(const Target& target);

  // INVALID_ARGUMENT if the text is not assembly of this target.
  StatusOr<ParsedAssembly> Parse(const std::string& text);

  std::string ToText(const llvm::MCInst& instruction);
  llvm::StringRef NameOf(const llvm::MCInst& instruction) const {
    return instructions_->getName(instruction.getOpcode());
  }
  const llvm::MCInstrDesc& DescriptionOf(const llvm::MCInst& instruction) const {
    return instructions_->get(instruction.getOpcode());
  }
  bool UsesStackPointer(const llvm::MCInst& instruction) const;

  // Cycles that one iteration of `loop` takes when run again and again, by LLVM's machine-code analyser.
  StatusOr<double> CyclesPerIteration(const std::vector<llvm::MCInst>& loop) const;

 private:
  MachineParser() = default;

  llvm::Triple triple_;
  const llvm::Target* backend_ = nullptr;
  std::unique_ptr<llvm::MCRegisterInfo> registers_;
  std::unique_ptr<llvm::MCAsmInfo> assembly_info_;
  std::unique_ptr<llvm::MCSubtargetInfo> subtarget_;
  std::unique_ptr<llvm::MCInstrInfo> instructions_;
  std::unique_ptr<llvm::MCInstrAnalysis> analysis_;
  std::unique_ptr<llvm::MCInstPrinter> printer_;
  // Operands of parsed instructions live in the context of their text.
  struct Text;
  std::vector<std::shared_ptr<Text>> texts_;
};

}  // namespace tilth
