#include "cli/identity_argument.h"

#include <cstdlib>

#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"

namespace tilth {

void AddIdentityArgument(CLI::App* command) {
  command->add_option_function<std::string>(
      "--identity", [](const std::string& directory) { setenv("TILTH_IDENTITY", directory.c_str(), 1); },
      "Directory of your key and certificate (default: $TILTH_IDENTITY, or where `tilth farm join` stored it)");
}

}  // namespace tilth
