// One module holds everything; the forms differ in what is made of it.
#include "codegen/NativeFile.h"

#include "codegen/KernelModule.h"
#include "codegen/Llvm.h"
#include "codegen/ProgramTables.h"
#include "codegen/SharedLibrary.h"
#include "kernel/Printer.h"
#include "support/ErrorCodes.h"
#include "support/NewFile.h"

#include <fmt/format.h>
#include <llvm/Bitcode/BitcodeWriter.h>
#include <llvm/IR/Verifier.h>
#include <llvm/Object/ArchiveWriter.h>
#include <llvm/Support/raw_ostream.h>

#include <algorithm>
#include <array>

namespace enfold::codegen {
namespace {

constexpr std::array<std::pair<std::string_view, NativeForm>, 6> kExtensions = {{
    {".o", NativeForm::Object},
    {".a", NativeForm::Archive},
    {".so", NativeForm::SharedLibrary},
    {".s", NativeForm::Assembly},
    {".ll", NativeForm::LlvmText},
    {".bc", NativeForm::LlvmBitcode},
}};

/// A static library in the GNU format, without times or owners.
Result<std::string> archive(const std::string& object, const std::string& symbol) {
  const std::string member = symbol + ".o";
  std::array members = {llvm::NewArchiveMember(llvm::MemoryBufferRef(object, member))};
  auto written = llvm::writeArchiveToBuffer(members, llvm::SymtabWritingMode::NormalSymtab,
                                            llvm::object::Archive::K_GNU,
                                            /*Deterministic=*/true, /*Thin=*/false);
  if (!written)
    return unsupported("cannot write the archive: " + llvm::toString(written.takeError()));
  return (*written)->getBuffer().str();
}

std::string text(const llvm::Module& module) {
  std::string text;
  llvm::raw_string_ostream(text) << module;
  return text;
}

std::string bitcode(const llvm::Module& module) {
  std::string bytes;
  llvm::raw_string_ostream out(bytes);
  llvm::WriteBitcodeToFile(module, out);
  return bytes;
}

Result<> writeTexts(const UniqueKernels& kernels, const std::filesystem::path& folder) {
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed)
    return failure(ErrorCode::CannotWrite,
                   fmt::format("{}: {}", folder.string(), failed.message()));
  for (const UniqueKernels::Entry& entry : kernels.entries)
    ENFOLD_RETURN_IF_ERROR(writeFile(folder / (entry.symbol + ".kir"), kir::print(*entry.kernel)));
  return {};
}

} // namespace

std::optional<NativeForm> nativeFormOf(std::string_view extension) {
  const auto* found =
      std::ranges::find(kExtensions, extension, &std::pair<std::string_view, NativeForm>::first);
  if (found == kExtensions.end()) return std::nullopt;
  return found->second;
}

Result<std::string> nativeFile(std::span<const ProgramDesc> programs, const Target& target,
                               NativeForm form, const std::string& symbol,
                               const std::filesystem::path& texts) {
  for (const ProgramDesc& program : programs)
    for (const Step& step : program.steps)
      ENFOLD_CHECK(step.function == nullptr, "a function of this process cannot be in a file");
  ENFOLD_TRY(const UniqueKernels kernels, uniqueKernels(programs, symbol));
  std::error_code failed;
  const std::filesystem::path folder = std::filesystem::absolute(texts, failed);
  const DebugInfo debug = texts.empty() ? DebugInfo::None : DebugInfo::Lines;
  if (debug == DebugInfo::Lines) ENFOLD_RETURN_IF_ERROR(writeTexts(kernels, folder));
  return catchLlvmErrors("generating code", [&]() -> Result<std::string> {
    dumpKernels(kernels.entries, target);
    std::string bytes = withLlvm([&](LlvmWork& work) {
      makeModule(work, kernels.entries, target, debug, folder);
      addProgramTables(*work.module, programs, kernels, target, symbol);
      ENFOLD_CHECK(!llvm::verifyModule(*work.module, &llvm::errs()), symbol);
      if (form == NativeForm::LlvmText) return text(*work.module);
      if (form == NativeForm::LlvmBitcode) return bitcode(*work.module);
      return generate(work, form == NativeForm::Assembly ? llvm::CodeGenFileType::AssemblyFile
                                                         : llvm::CodeGenFileType::ObjectFile);
    });
    if (form == NativeForm::Archive) return archive(bytes, symbol);
    if (form == NativeForm::SharedLibrary) return linkShared(bytes, target);
    return bytes;
  });
}

} // namespace enfold::codegen
