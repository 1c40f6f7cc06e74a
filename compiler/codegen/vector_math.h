// Transcendental functions as short polynomial code on f32 scalars or vectors, so that kernels call no library.
// Errors are against the exact value; measured by tests/compiler/codegen/vector_math_test.cc.
#pragma once

#include <llvm/IR/IRBuilder.h>

namespace tilth {

llvm::Value* EmitExp(llvm::IRBuilder<>& b, llvm::Value* x);   // relative error < 3e-7; 0 and inf past the range
llvm::Value* EmitLog(llvm::IRBuilder<>& b, llvm::Value* x);   // relative error < 5e-7 away from 1; -inf at 0, NaN below
llvm::Value* EmitTanh(llvm::IRBuilder<>& b, llvm::Value* x);  // absolute error < 3e-7
llvm::Value* EmitErf(llvm::IRBuilder<>& b, llvm::Value* x);   // absolute error < 5e-7
llvm::Value* EmitSigmoid(llvm::IRBuilder<>& b, llvm::Value* x);  // relative error < 5e-7
llvm::Value* EmitPow(llvm::IRBuilder<>& b, llvm::Value* x,
                     llvm::Value* y);  // exp(y log |x|) with the sign of integer y

}  // namespace tilth
