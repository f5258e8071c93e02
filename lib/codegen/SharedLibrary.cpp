// The linker works on files, in a temporary folder that is gone afterwards.
#include "codegen/SharedLibrary.h"

#include "support/ErrorCodes.h"

#include <fmt/format.h>
#include <llvm/ADT/StringRef.h>
#include <llvm/Support/Program.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <span>
#include <vector>

namespace enfold::codegen {
namespace {

namespace fs = std::filesystem;

struct Linker {
  const char* program;
  std::vector<llvm::StringRef> options;   ///< before and
  std::vector<llvm::StringRef> libraries; ///< after the object
};

/// In order of preference. A bare linker does not know where the C library is, and leaves its
/// functions to the program that loads the library.
const std::vector<Linker>& linkers(kir::Architecture architecture) {
  static const std::vector<Linker> native = {
      {"cc", {"-shared"}, {"-lm"}}, {"gcc", {"-shared"}, {"-lm"}},  {"clang", {"-shared"}, {"-lm"}},
      {"ld.lld", {"-shared"}, {}},  {"ld.lld-19", {"-shared"}, {}}, {"ld", {"-shared"}, {}},
  };
  static const std::vector<Linker> arm = {
      {"aarch64-linux-gnu-gcc", {"-shared"}, {"-lm"}},
      {"ld.lld", {"-shared"}, {}},
      {"ld.lld-19", {"-shared"}, {}},
      {"aarch64-linux-gnu-ld", {"-shared"}, {}},
  };
  return architecture == kir::Architecture::AArch64 ? arm : native;
}

/// A folder of this object's own.
class TemporaryFolder {
public:
  TemporaryFolder() {
    std::error_code error;
    std::string name = (fs::temp_directory_path(error) / "enfold-").string() + std::string(6, 'X');
    if (!error && mkdtemp(name.data())) path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  /// Empty if it could not be made.
  const fs::path& path() const { return path_; }

private:
  fs::path path_;
};

std::string contents(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// Runs the linker; what it says goes to `log`. Returns what went wrong, or "".
std::string run(const Linker& linker, const std::string& program, const fs::path& folder) {
  const std::string object = (folder / "model.o").string();
  const std::string library = (folder / "model.so").string();
  const std::string log = (folder / "log").string();
  std::vector<llvm::StringRef> arguments = {program};
  arguments.insert(arguments.end(), linker.options.begin(), linker.options.end());
  arguments.insert(arguments.end(), {"-o", library, object});
  arguments.insert(arguments.end(), linker.libraries.begin(), linker.libraries.end());
  const std::optional<llvm::StringRef> redirects[] = {llvm::StringRef(), log, log};
  std::string message;
  const int code =
      llvm::sys::ExecuteAndWait(program, arguments, std::nullopt, redirects, 0, 0, &message);
  if (code == 0) return {};
  return fmt::format("{} failed: {}{}", program, message, contents(log));
}

} // namespace

Result<std::string> linkShared(const std::string& object, const kir::Target& target) {
  const TemporaryFolder folder;
  if (folder.path().empty())
    return failure(ErrorCode::CannotWrite,
                   fmt::format("no folder for temporary files: {}", std::strerror(errno)));
  std::ofstream(folder.path() / "model.o", std::ios::binary) << object;
  std::error_code error;
  if (fs::file_size(folder.path() / "model.o", error) != object.size())
    return failure(ErrorCode::CannotWrite,
                   fmt::format("{}: cannot hold the object", folder.path().string()));
  for (const Linker& linker : linkers(target.architecture)) {
    const auto program = llvm::sys::findProgramByName(linker.program);
    if (!program) continue;
    if (std::string failure = run(linker, *program, folder.path()); !failure.empty())
      return unsupported(failure);
    return contents(folder.path() / "model.so");
  }
  std::string names;
  for (const Linker& linker : linkers(target.architecture))
    names += fmt::format("{}{}", names.empty() ? "" : ", ", linker.program);
  return failure(ErrorCode::MissingProgram,
                 fmt::format("making a shared library for {} needs one of {} on the PATH; a .o "
                             "or .a file needs none",
                             kir::name(target.architecture), names));
}

} // namespace enfold::codegen
