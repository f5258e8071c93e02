// Writing a compiled network to a file of native code, which says how it was made, and the C header
// that goes with it.
#pragma once

#include "codegen/NativeFile.h"
#include "driver/Model.h"
#include "driver/NativeProgram.h"
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

/// The programs of one file: of a network for one size, or for several, which share constants.
class NativeFileWriter {
public:
  enum class Sizes : uint8_t { One, Several };
  /// `model` is its user's name for it.
  static Result<NativeFileWriter> create(NativeOutput output, std::string model,
                                         const codegen::Target& target, Sizes sizes = Sizes::One);

  /// Adds the network for the sizes it was loaded for, which must not be those of another. The plan
  /// lets go of its constants.
  Result<> add(const LoadedModel& model, lower::Plan& plan, const PipelineReport& report);

  /// Writes both files or neither.
  Result<> write();

private:
  NativeFileWriter(NativeOutput output, std::string model, const codegen::Target& target)
      : output_(std::move(output)), model_(std::move(model)), target_(target) {}

  NativeOutput output_;
  std::string model_;
  codegen::Target target_;
  std::shared_ptr<ConstantPool> pool_; ///< null for one size
  std::vector<codegen::ProgramDesc> programs_;
  std::vector<ConstantPool::Lease> leases_;
  std::vector<onnx::DeclaredTensor> declared_; ///< inputs, as the model declares them
};

} // namespace enfold::diagnose
