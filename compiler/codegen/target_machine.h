// LLVM's view of a Target.
#pragma once

#include <llvm/Target/TargetMachine.h>

#include <memory>

#include "base/status.h"
#include "ir/target.h"

namespace tilth {

// A position-independent code generator at full optimisation. NOT_FOUND if this LLVM does not know the architecture.
StatusOr<std::unique_ptr<llvm::TargetMachine>> CreateTargetMachine(const Target& target);

}  // namespace tilth
