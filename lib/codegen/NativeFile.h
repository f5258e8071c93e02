// Ahead-of-time compilation: program descriptions become a file for other compilers and linkers.
//
// Every form holds the same: kernels, tables and constants as data, position independent, of which
// one function is visible, `const enfold_program* SYMBOL_program(void)`. Where there are several
// programs, of one network for several sizes, this gives the first, and
// `const enfold_program* SYMBOL_program_at(int32_t index)` any, or NULL. The kernels are those that
// just-in-time compilation makes for the same target, so both give the same bits. Equal arguments
// give equal bytes.
#pragma once

#include "codegen/ProgramDesc.h"
#include "codegen/TargetInfo.h"

#include <filesystem>
#include <optional>

namespace enfold::codegen {

enum class NativeForm : uint8_t {
  Object,        ///< .o
  Archive,       ///< .a, holding the object
  SharedLibrary, ///< .so; linking needs a C compiler or a linker on the PATH
  Assembly,      ///< .s
  LlvmText,      ///< .ll
  LlvmBitcode,   ///< .bc
};

/// The form that a file name extension like ".o" stands for.
std::optional<NativeForm> nativeFormOf(std::string_view extension);

/// The bytes of the file. The programs, at least one, have the same constants. `symbol`, a C
/// identifier, begins the names of all symbols. Every step must call a kernel: functions of this
/// process cannot be in a file.
///
/// With `texts`, a folder that is made, the code carries lines: those of the kernels' texts, which
/// are written there. It then holds the folder's path from the root.
Result<std::string> nativeFile(std::span<const ProgramDesc> programs, const Target& target,
                               NativeForm form, const std::string& symbol,
                               const std::filesystem::path& texts = {});

} // namespace enfold::codegen
