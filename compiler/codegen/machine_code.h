// IR to machine code, by those of LLVM's passes that do something for kernels.
#pragma once

#include <llvm/IR/Module.h>
#include <llvm/Target/TargetMachine.h>

#include <string>

#include "base/status.h"

namespace tilth {

// The bytes of an object file or the text of an assembly file.
StatusOr<std::string> EmitMachineCode(llvm::Module& module, llvm::TargetMachine& machine,
                                      llvm::CodeGenFileType file_type);

}  // namespace tilth
