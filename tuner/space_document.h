// SpaceDocument: what a kernel author writes to have a kernel of his own tuned, a space of parameters and how one
// point of it is built and timed. docs/parameter-spaces.md describes the file.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "search_space/parameter_space.h"

namespace tilth {

struct SpaceDocument {
  std::unique_ptr<ParameterSpace> space;
  std::string text;       // canonical: equal for files that differ in white space only
  std::string directory;  // of the file; commands run there

  // Arguments in which {NAME} stands for the value of a parameter; one of the two is given.
  std::vector<std::string> command;
  std::string source;                 // a C file, compiled with the parameters as macros
  std::vector<std::string> compiler;  // of `source`: program and options

  int repeats = 3;        // runs of a point
  double timeout_s = 60;  // of a run, and of compiling
};

// Errors name the file and what is wrong in it.
StatusOr<SpaceDocument> ReadSpaceDocument(const std::string& path);

}  // namespace tilth
