// Checks of names, and the order of writing: the header is in place only once the code is.
#include "diagnose/SaveProgram.h"

#include "diagnose/Artifact.h"
#include "support/ErrorCodes.h"
#include "support/NewFile.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>

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

Result<NativeFileWriter> NativeFileWriter::create(NativeOutput output, std::string model,
                                                  const codegen::Target& target, Sizes sizes) {
  ENFOLD_RETURN_IF_ERROR(checkOutput(output));
  NativeFileWriter writer(std::move(output), std::move(model), target);
  if (sizes == Sizes::Several) {
    ENFOLD_TRY(writer.pool_, ConstantPool::create());
  }
  return writer;
}

Result<> NativeFileWriter::add(const LoadedModel& model, lower::Plan& plan,
                               const PipelineReport& report) {
  const auto shapes = [](const codegen::ProgramDesc& program) {
    std::vector<std::vector<int64_t>> dims;
    for (const codegen::TensorInfo& input : program.inputs) dims.push_back(input.dims);
    return dims;
  };
  ENFOLD_TRY(ProgramParts parts, nativeProgram(plan, pool_.get()));
  codegen::ProgramDesc& program = parts.desc;
  if (std::ranges::find(programs_, shapes(program), shapes) != programs_.end())
    return usageError(
        fmt::format("{}: sizes are stated twice: {}", model_, fmt::join(shapes(program), ", ")));
  program.annotation = jsonText(toJson(artifactOf(model_, program, target_, report)));
  programs_.push_back(std::move(program));
  std::ranges::move(parts.leases, std::back_inserter(leases_));
  declared_ = model.signature.inputs;
  return {};
}

Result<> NativeFileWriter::write() {
  ENFOLD_TRY(const codegen::NativeForm form, checkOutput(output_));
  if (pool_)
    for (codegen::ProgramDesc& program : programs_) program.constants = pool_->block();
  ENFOLD_TRY(const std::string bytes,
             codegen::nativeFile(programs_, target_, form, output_.symbol, output_.texts));
  std::unique_ptr<NewFile> header;
  if (!output_.header.empty()) {
    ENFOLD_TRY(NewFile file, NewFile::create(output_.header));
    ENFOLD_RETURN_IF_ERROR(file.append(pool_
                                           ? cHeader(programs_, declared_, target_, output_.symbol)
                                           : cHeader(programs_.front(), target_, output_.symbol)));
    header = std::make_unique<NewFile>(std::move(file));
  }
  ENFOLD_RETURN_IF_ERROR(writeFile(output_.file, bytes));
  return header ? header->commit() : Result<>();
}

} // namespace enfold::diagnose
