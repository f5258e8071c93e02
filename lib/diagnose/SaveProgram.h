// Writing a compiled network to a file of native code, which says how it was made, and the C header
// that goes with it.
#pragma once

#include "codegen/NativeFile.h"
#include "lower/Plan.h"
#include "passes/PassManager.h"

#include <filesystem>

namespace enfold::diagnose {

struct NativeOutput {
  std::filesystem::path file;   ///< its extension selects the form: .so, .o, .a, .s, .ll, .bc
  std::filesystem::path header; ///< of a C header to write as well; may be empty
  std::string symbol;           ///< begins the names in C
  /// Folder of the kernels' texts, whose lines the code then carries; empty: it carries none.
  std::filesystem::path texts = {};
};

/// The form that is asked for. Fails on an extension that is none, on a symbol that C does not
/// take, and on one path for both files.
Result<codegen::NativeForm> checkOutput(const NativeOutput& output);

/// Writes both files or neither. `model` is its user's name for it; the plan lets go of its
/// constants.
Result<> saveProgram(const NativeOutput& output, const std::string& model, lower::Plan& plan,
                     const codegen::Target& target, const PipelineReport& report);

} // namespace enfold::diagnose
