// Runs the built `tilth` as users do, for tests of commands and of their errors.
#pragma once

#include <string>
#include <vector>

#include "base/subprocess.h"

namespace tilth {

struct ProgramResult {
  int exit_code = -1;  // -1: it did not exit by itself within two minutes
  std::string out;
  std::string err;
};

// The program is the one of this build: TILTH_BINARY_DIR/bin/tilth. A test that uses this depends on the target tilth.
ProgramResult RunTilth(const std::vector<std::string>& arguments, const ResourceLimits& limits = {});

}  // namespace tilth
