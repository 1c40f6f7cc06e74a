// LLVM's view of a Target.
#pragma once

#include <llvm/Target/TargetMachine.h>

#include "base/status.h"
#include "ir/target.h"

namespace tilth {

// A position-independent code generator at full optimisation, for use by the calling thread only, which keeps it: its
// tables take longer to set up than a small kernel takes to compile. NOT_FOUND if this LLVM does not know the
// architecture.
StatusOr<llvm::TargetMachine*> MachineOfThisThread(const Target& target);

}  // namespace tilth
