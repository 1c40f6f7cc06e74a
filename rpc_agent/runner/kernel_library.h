// Opens an artifact and hands out its kernel, or says clearly why it is none.
#pragma once

#include <string>

#include "compiler/runtime/kernel_abi.h"

namespace tilth::runner {

// The kernel of the shared object at `path`, which stays open for the life of the process: a runner opens one. Null,
// with the reason in *error, if it cannot be loaded, is of another ABI, or describes buffers that make no sense.
const TilthKernel* OpenKernel(const std::string& path, std::string* error);

}  // namespace tilth::runner
