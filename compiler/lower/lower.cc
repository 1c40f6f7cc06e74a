#include "compiler/lower/lower.h"

#include "compiler/lower/elementwise.h"
#include "compiler/lower/rowwise.h"
#include "compiler/lower/tiled.h"
#include "compiler/lower/winograd.h"

namespace tilth {

StatusOr<LoopProgram> Lower(const Workload& workload, const LoopNest& nest) {
  if (const auto* tiled = std::get_if<TiledSchedule>(&nest.schedule)) return LowerTiled(workload, *tiled);
  if (const auto* winograd = std::get_if<WinogradSchedule>(&nest.schedule)) return LowerWinograd(workload, *winograd);
  if (const auto* rowwise = std::get_if<RowwiseSchedule>(&nest.schedule)) return LowerRowwise(workload, *rowwise);
  return LowerElementwise(workload, std::get<ElementwiseSchedule>(nest.schedule));
}

}  // namespace tilth
