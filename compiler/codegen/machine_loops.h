// The loops of machine code, found by its control flow: a compiler places blocks wherever it likes.
#pragma once

#include <cstddef>
#include <vector>

#include "compiler/codegen/machine_parser.h"

namespace tilth {

struct MachineLoop {
  std::vector<size_t> instructions;  // in the order of the text
  int depth = 0;                     // loops that contain it
};

// Loops that contain no other. Expects what compilers make: a loop has one entrance.
std::vector<MachineLoop> InnermostLoops(const ParsedAssembly& code);

}  // namespace tilth
