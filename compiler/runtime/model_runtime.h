/* The functions behind the pointers of TilthModel (model_abi.h, where they are described). A model library exports
 * them under the model's name. */
#ifndef TILTH_COMPILER_RUNTIME_MODEL_RUNTIME_H_
#define TILTH_COMPILER_RUNTIME_MODEL_RUNTIME_H_

#include <stdint.h>

#include "compiler/runtime/model_abi.h"

#ifdef __cplusplus
extern "C" {
#endif

TilthModelInstance* TilthModelCreate(int32_t threads);
int32_t TilthModelNumThreads(const TilthModelInstance* instance);
int32_t TilthModelRun(TilthModelInstance* instance, const void* const* inputs, void* const* outputs,
                      uint64_t* kernel_ns);
void TilthModelDestroy(TilthModelInstance* instance);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* TILTH_COMPILER_RUNTIME_MODEL_RUNTIME_H_ */
