// What the subcommands of `tilth bench` share.
#pragma once

#include "base/status.h"
#include "cli/model_arguments.h"

namespace CLI {
class App;
}

namespace tilth {

// The model of the arguments, or the zoo's ResNet-50 if they name none.
StatusOr<LoadedModel> LoadModelOrZoo(const ModelArguments& arguments);

// Of this process; and of a clock that never jumps.
double CpuSeconds();
double WallSeconds();

// `tilth bench score` and `tilth bench farm`.
void AddBenchScore(CLI::App* bench, int* exit_code);
void AddBenchFarm(CLI::App* bench, int* exit_code);

}  // namespace tilth
