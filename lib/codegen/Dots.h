// Internal to lib/codegen: sums of products of words, as Kernel IR's dot has them.
#pragma once

#include "kernel/Target.h"

#include <llvm/IR/IRBuilder.h>

namespace enfold::codegen {

/// sum + the products of the words of x and y, which are numbers of the types `a` and `b`; vectors
/// of any number of words.
llvm::Value* emitDot(llvm::IRBuilder<>& builder, const kir::Target& target, llvm::Value* sum,
                     kir::Scalar a, llvm::Value* x, kir::Scalar b, llvm::Value* y);

} // namespace enfold::codegen
