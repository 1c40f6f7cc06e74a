// --identity, for commands that talk to a tracker.
#pragma once

namespace CLI {
class App;
}

namespace tilth {

// The same as TILTH_IDENTITY in the environment, which it sets, for child processes too.
void AddIdentityArgument(CLI::App* command);

}  // namespace tilth
