// Sections are found by LLVM's readers of object files.
#include "codegen/Annotation.h"

#include "support/ErrorCodes.h"

#include <fmt/format.h>
#include <llvm/Object/Archive.h>
#include <llvm/Object/ELFObjectFile.h>
#include <llvm/Object/ObjectFile.h>

namespace enfold::codegen {
namespace {

using llvm::object::Archive;
using llvm::object::ObjectFile;

/// A linker puts the texts of several networks behind each other, each with its zero.
llvm::Error collect(const ObjectFile& object, std::vector<std::string>& texts) {
  for (const llvm::object::SectionRef& section : object.sections()) {
    llvm::Expected<llvm::StringRef> name = section.getName();
    if (!name) return name.takeError();
    if (*name != kAnnotationSection) continue;
    llvm::Expected<llvm::StringRef> contents = section.getContents();
    if (!contents) return contents.takeError();
    llvm::SmallVector<llvm::StringRef> parts;
    contents->split(parts, '\0', /*MaxSplit=*/-1, /*KeepEmpty=*/false);
    for (const llvm::StringRef part : parts) texts.push_back(part.str());
  }
  return llvm::Error::success();
}

llvm::Error collect(const Archive& archive, std::vector<std::string>& texts) {
  llvm::Error failed = llvm::Error::success();
  for (const Archive::Child& child : archive.children(failed)) {
    auto member = child.getAsBinary();
    if (!member) {
      llvm::consumeError(member.takeError()); // archives hold other things too
      continue;
    }
    if (const auto* object = llvm::dyn_cast<ObjectFile>(member->get()))
      if (llvm::Error error = collect(*object, texts)) {
        llvm::consumeError(std::move(failed));
        return error;
      }
  }
  return failed;
}

} // namespace

Result<std::vector<std::string>> annotationsIn(const std::filesystem::path& path) {
  const auto refuse = [&](llvm::Error error) {
    return failure(ErrorCode::DamagedFile,
                   fmt::format("{}: {}", path.string(), llvm::toString(std::move(error))));
  };
  auto file = llvm::object::createBinary(path.string());
  if (!file) return refuse(file.takeError());
  std::vector<std::string> texts;
  if (const auto* archive = llvm::dyn_cast<Archive>(file->getBinary())) {
    if (llvm::Error error = collect(*archive, texts)) return refuse(std::move(error));
  } else if (const auto* object = llvm::dyn_cast<ObjectFile>(file->getBinary())) {
    if (llvm::Error error = collect(*object, texts)) return refuse(std::move(error));
  }
  if (texts.empty())
    return failure(ErrorCode::DamagedFile,
                   path.string() + ": contains no network compiled by enfold");
  return texts;
}

Result<std::string> programFunctionIn(const std::filesystem::path& path) {
  ENFOLD_RETURN_IF_ERROR(annotationsIn(path));
  auto file = llvm::object::createBinary(path.string());
  if (!file)
    return failure(ErrorCode::DamagedFile, path.string() + ": " + llvm::toString(file.takeError()));
  std::string found;
  if (const auto* elf = llvm::dyn_cast<llvm::object::ELFObjectFileBase>(file->getBinary()))
    for (const llvm::object::ELFSymbolRef symbol : elf->getDynamicSymbolIterators()) {
      llvm::Expected<llvm::StringRef> name = symbol.getName();
      if (!name)
        llvm::consumeError(name.takeError());
      else if (symbol.getBinding() == llvm::ELF::STB_GLOBAL && name->ends_with("_program"))
        found = name->str();
    }
  if (found.empty())
    return failure(ErrorCode::DamagedFile,
                   path.string() + ": is no shared library of a compiled network");
  return found;
}

} // namespace enfold::codegen
