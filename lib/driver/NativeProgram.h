// Ahead-of-time programs: what a plan needs to become a file, and the C header that goes with it.
#pragma once

#include "codegen/TargetInfo.h"
#include "driver/Program.h"

#include <string>

namespace enfold {

/// The program of a plan, to be written to a file. Refuses a plan that calls reference functions,
/// naming all their ops: a file cannot hold functions of this process. The plan lets go of its
/// constants.
Result<codegen::ProgramDesc> nativeProgram(lower::Plan& plan);

/// A C identifier made of a model's name: "mobilenet-v2.1" gives "mobilenet_v2_1".
std::string symbolOf(std::string_view name);

/// Whether `text` is a C identifier that begins with a letter, and not with "enfold" in any case.
bool isSymbol(std::string_view text);

/// A header for C and C++ that tells how to call the program whose function is SYMBOL_program.
std::string cHeader(const codegen::ProgramDesc& program, const codegen::Target& target,
                    const std::string& symbol);

} // namespace enfold
