// Ahead-of-time programs: what a plan needs to become a file, and the C header that goes with it.
#pragma once

#include "codegen/TargetInfo.h"
#include "driver/Program.h"
#include "onnx/Signature.h"

#include <string>

namespace enfold {

/// The program of a plan, to be written to a file; its constants go into the pool if there is one,
/// which the programs of a file share. Refuses a plan that calls reference functions, naming all
/// their ops: a file cannot hold functions of this process. The plan lets go of its constants.
Result<ProgramParts> nativeProgram(lower::Plan& plan, ConstantPool* pool = nullptr);

/// A C identifier made of a model's name: "mobilenet-v2.1" gives "mobilenet_v2_1".
std::string symbolOf(std::string_view name);

/// Whether `text` is a C identifier that begins with a letter, and not with "enfold" in any case.
bool isSymbol(std::string_view text);

/// A header for C and C++ that tells how to call the program whose function is SYMBOL_program.
std::string cHeader(const codegen::ProgramDesc& program, const codegen::Target& target,
                    const std::string& symbol);
/// The same of several programs, of one network for inputs of several sizes: a function returns the
/// one for sizes given, which are named as the model names them in `declared`, else by input and
/// axis.
std::string cHeader(std::span<const codegen::ProgramDesc> programs,
                    std::span<const onnx::DeclaredTensor> declared, const codegen::Target& target,
                    const std::string& symbol);

} // namespace enfold
