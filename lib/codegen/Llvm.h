// Internal to lib/codegen: setting LLVM up, and what all its users agree on.
#pragma once

#include "kernel/Target.h"

#include <llvm/Config/llvm-config.h>
#include <llvm/TargetParser/Triple.h>

#include <memory>

namespace llvm {
class TargetMachine;
} // namespace llvm

namespace enfold::codegen {

/// That enfold itself was compiled for.
#if defined(__aarch64__)
inline constexpr kir::Architecture kHost = kir::Architecture::AArch64;
#else
inline constexpr kir::Architecture kHost = kir::Architecture::X86_64;
#endif

/// LLVM's name of Linux on that architecture.
const char* tripleOf(kir::Architecture architecture);

/// What LLVM takes triples as.
#if LLVM_VERSION_MAJOR >= 21
using TripleArgument = llvm::Triple;
#else
using TripleArgument = const char*;
#endif

/// Registers the architectures with LLVM; may be called any number of times, from any thread.
void initializeLlvm();

std::unique_ptr<llvm::TargetMachine> makeTargetMachine(const kir::Target& target);

} // namespace enfold::codegen
