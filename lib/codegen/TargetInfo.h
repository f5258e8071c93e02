// Describes the machine to compile for: this one, or a named processor.
//
// Two environment variables change what is found. ENFOLD_MAX_ISA (avx512, avx2, sse4.2, scalar)
// caps the instruction set on x86-64. ENFOLD_VECTOR_BYTES (4 to 64) sets the width kernels are
// written for, also beyond the hardware's, so that wide kernels can be checked on narrow machines.
#pragma once

#include "kernel/MachineText.h"
#include "kernel/Target.h"
#include "support/Result.h"

#include <filesystem>
#include <string>
#include <string_view>

namespace enfold::codegen {

using kir::Architecture;
using kir::Isa;
using kir::Target;

Result<Target> hostTarget();

/// `cpu` is LLVM's name, like "znver5", "skylake-avx512" or "cortex-a72"; "native" is the host,
/// "aarch64" any 64-bit Arm.
Result<Target> targetFor(std::string_view cpu);

/// The processor that a description names, as it is described. Errors name dot products that the
/// processor lacks.
Result<Target> targetFor(const kir::MachineText& description);

/// LLVM's name of the x86-64 processor with these features that says it is `name`: a newer core
/// where `name` lacks instructions that it has, as in virtual machines that state another model, or
/// where LLVM is older than the core and guesses.
std::string processorWith(const std::string& features, const std::string& name);

/// Sizes and shares of caches as Linux tells them below `folder`; what it does not tell stays.
void readCaches(kir::Machine& machine,
                const std::filesystem::path& folder = "/sys/devices/system/cpu/cpu0/cache");

/// `target` with no more than `isa`.
Target capped(Target target, Isa isa);

} // namespace enfold::codegen
