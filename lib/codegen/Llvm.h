// Internal to lib/codegen: setting LLVM up, and what all its users agree on.
#pragma once

#include "kernel/Target.h"

#include <memory>

namespace llvm {
class TargetMachine;
} // namespace llvm

namespace enfold::codegen {

inline constexpr const char* kTriple = "x86_64-unknown-linux-gnu";

/// Vectors of the full width on every processor: some are tuned to avoid the widest.
inline constexpr const char* kTuning = "-prefer-256-bit,-prefer-128-bit";

/// Registers the x86 target with LLVM; may be called any number of times, from any thread.
void initializeLlvm();

std::unique_ptr<llvm::TargetMachine> makeTargetMachine(const kir::Target& target);

} // namespace enfold::codegen
