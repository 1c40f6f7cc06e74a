// The deployable runtime as relocatable objects, compiled when Tilth was built and carried inside it, so that linking a
// model library needs no compiler, for any target.
#pragma once

#include <string_view>
#include <vector>

#include "ir/target.h"

namespace tilth {

// Objects that together define the functions of model_runtime.h. The bytes live as long as the program.
std::vector<std::string_view> RuntimeObjects(Arch arch);

}  // namespace tilth
