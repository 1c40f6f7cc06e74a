// The file cost_model/pretrained/cpu.model as bytes of the program: nothing to install, nothing to find.
#include "cost_model/pretrained_model.h"

// TILTH_SHIPPED_MODEL is the file's path, from CMake.
__asm__(
    ".section .rodata\n"
    ".balign 16\n"
    ".globl tilth_shipped_model_begin, tilth_shipped_model_end\n"
    "tilth_shipped_model_begin:\n"
    ".incbin \"" TILTH_SHIPPED_MODEL
    "\"\n"
    "tilth_shipped_model_end:\n"
    ".previous\n");

extern "C" {
extern const char tilth_shipped_model_begin[] __attribute__((visibility("hidden")));
extern const char tilth_shipped_model_end[] __attribute__((visibility("hidden")));
}

namespace tilth {

StatusOr<std::shared_ptr<const PretrainedModel>> ShippedModel() {
  // Never destroyed: XGBoost's own statics may go first.
  static const auto* const kModel = new StatusOr<std::shared_ptr<const PretrainedModel>>(PretrainedModel::Parse(
      {tilth_shipped_model_begin, static_cast<size_t>(tilth_shipped_model_end - tilth_shipped_model_begin)}));
  return *kModel;
}

}  // namespace tilth
