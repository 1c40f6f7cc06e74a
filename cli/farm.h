// The parts of `tilth farm`, each in a file of its own; AddFarmCommand puts them together.
#pragma once

namespace CLI {
class App;
}

namespace tilth {

void AddFarmMembers(CLI::App* farm, int* exit_code);     // init, enroll, join, revoke
void AddFarmOperations(CLI::App* farm, int* exit_code);  // devices, jobs, drain, cordon, resume, reserve, release

}  // namespace tilth
