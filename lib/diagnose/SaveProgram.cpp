// Checks of names, and the order of writing: the header is in place only once the code is.
#include "diagnose/SaveProgram.h"

#include "diagnose/Artifact.h"
#include "driver/NativeProgram.h"
#include "support/ErrorCodes.h"
#include "support/NewFile.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace enfold::diagnose {

Result<codegen::NativeForm> checkOutput(const NativeOutput& output) {
  const auto form = codegen::nativeFormOf(output.file.extension().string());
  if (!form)
    return failure(ErrorCode::BadValue,
                   fmt::format("'{}': the name must end in .so, .o, .a, .s, .ll or .bc",
                               output.file.string()));
  if (!isSymbol(output.symbol))
    return failure(
        ErrorCode::BadValue,
        fmt::format("the name '{}' must be a C identifier that begins with a letter, and not with "
                    "the runtime's prefix enfold",
                    output.symbol));
  if (output.header == output.file)
    return failure(ErrorCode::OptionConflict,
                   "code and header are the same file: " + output.file.string());
  return *form;
}

Result<> saveProgram(const NativeOutput& output, const std::string& model, lower::Plan& plan,
                     const codegen::Target& target, const PipelineReport& report) {
  ENFOLD_TRY(const codegen::NativeForm form, checkOutput(output));
  ENFOLD_TRY(codegen::ProgramDesc program, nativeProgram(plan));
  program.annotation = jsonText(toJson(artifactOf(model, program, target, report)));
  ENFOLD_TRY(const std::string bytes,
             codegen::nativeFile(program, target, form, output.symbol, output.texts));
  std::unique_ptr<NewFile> header;
  if (!output.header.empty()) {
    ENFOLD_TRY(NewFile file, NewFile::create(output.header));
    ENFOLD_RETURN_IF_ERROR(file.append(cHeader(program, target, output.symbol)));
    header = std::make_unique<NewFile>(std::move(file));
  }
  ENFOLD_RETURN_IF_ERROR(writeFile(output.file, bytes));
  return header ? header->commit() : Result<>();
}

} // namespace enfold::diagnose
