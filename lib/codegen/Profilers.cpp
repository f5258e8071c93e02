// The forms are those of tools/perf/Documentation in Linux: jit-interface.txt and
// jitdump-specification.txt.
#include "codegen/Profilers.h"

#include "codegen/Debugger.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>
#include <llvm/BinaryFormat/ELF.h>
#include <llvm/DebugInfo/DWARF/DWARFContext.h>
#include <llvm/Object/ELFObjectFile.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <mutex>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace enfold::codegen {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

bool wantsMap() { return variable("ENFOLD_PERF") == "map"; }
bool wantsDump() { return variable("ENFOLD_PERF") == "jitdump"; }
bool wantsDebugger() { return variable("ENFOLD_GDB") == "1"; }

struct Line {
  uint64_t address; ///< in this process
  uint32_t number;
  std::string file;
};

/// A function in memory.
struct Placed {
  std::string name;
  const void* address;
  uint64_t bytes;
  llvm::object::SectionedAddress begin; ///< in the object
  std::vector<Line> lines;
};

template <typename... T> void append(std::string& out, T... numbers) {
  (out.append(reinterpret_cast<const char*>(&numbers), sizeof numbers), ...);
}

uint64_t nanoseconds() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000000000 + static_cast<uint64_t>(now.tv_nsec);
}

/// A file of this process that profilers read, open until it ends.
class ProfilerFile {
public:
  explicit ProfilerFile(std::string path) : path_(std::move(path)) {
    file_ = std::fopen(path_.c_str(), "w+");
  }
  Result<> write(std::string_view bytes) {
    if (file_ && std::fwrite(bytes.data(), 1, bytes.size(), file_) == bytes.size() &&
        std::fflush(file_) == 0)
      return {};
    return failure(ErrorCode::CannotWrite, fmt::format("ENFOLD_PERF: cannot write {}", path_));
  }
  int descriptor() const { return file_ ? ::fileno(file_) : -1; }

private:
  std::string path_;
  std::FILE* file_;
};

Result<> addToMap(const std::vector<Placed>& functions) {
  static ProfilerFile map(fmt::format("/tmp/perf-{}.map", ::getpid()));
  std::string text;
  for (const Placed& function : functions)
    text += fmt::format("{:x} {:x} {}\n", reinterpret_cast<uintptr_t>(function.address),
                        function.bytes, function.name);
  return map.write(text);
}

enum class Record : uint32_t { Load = 0, Lines = 2 };

std::string headerOfDump() {
#if defined(__aarch64__)
  constexpr uint32_t kMachine = llvm::ELF::EM_AARCH64;
#else
  constexpr uint32_t kMachine = llvm::ELF::EM_X86_64;
#endif
  std::string bytes;
  append(bytes, uint32_t{0x4a695444}, uint32_t{1}, uint32_t{40}, kMachine, uint32_t{0},
         static_cast<uint32_t>(::getpid()), nanoseconds(), uint64_t{0});
  return bytes;
}

void addRecord(std::string& bytes, Record kind, const std::string& contents) {
  constexpr uint32_t kHead = 16;
  append(bytes, kind, static_cast<uint32_t>(kHead + contents.size()), nanoseconds());
  bytes += contents;
}

/// perf finds the file by the mapping of its first page, which it sees as it is made.
Result<ProfilerFile*> dumpFile() {
  static ProfilerFile dump(fmt::format("jit-{}.dump", ::getpid()));
  static bool isNew = true;
  if (!isNew) return &dump;
  isNew = false;
  ENFOLD_RETURN_IF_ERROR(dump.write(headerOfDump()));
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  if (::mmap(nullptr, page, PROT_READ | PROT_EXEC, MAP_PRIVATE, dump.descriptor(), 0) == MAP_FAILED)
    return failure(ErrorCode::BadValue,
                   "ENFOLD_PERF: the dump cannot be mapped as code in this folder");
  return &dump;
}

Result<> addToDump(const std::vector<Placed>& functions) {
  static uint64_t index = 0;
  ENFOLD_TRY(ProfilerFile * dump, dumpFile());
  std::string bytes;
  for (const auto& [name, address, size, begin, lines] : functions) {
    const auto at = reinterpret_cast<uint64_t>(address);
    if (!lines.empty()) {
      std::string contents;
      append(contents, at, static_cast<uint64_t>(lines.size()));
      for (const Line& line : lines) {
        append(contents, line.address, line.number, uint32_t{0});
        contents.append(line.file.c_str(), line.file.size() + 1);
      }
      addRecord(bytes, Record::Lines, contents);
    }
    std::string contents;
    append(contents, static_cast<uint32_t>(::getpid()),
           static_cast<uint32_t>(::syscall(SYS_gettid)), at, at, size, index++);
    contents.append(name.c_str(), name.size() + 1);
    contents.append(static_cast<const char*>(address), size);
    addRecord(bytes, Record::Load, contents);
  }
  return dump->write(bytes);
}

/// The lines that the object tells of a function whose start it puts at `begin` of a section.
std::vector<Line> linesOf(llvm::DWARFContext& debug, llvm::object::SectionedAddress begin,
                          uint64_t bytes, const void* address) {
  std::vector<Line> lines;
  using Specifier = llvm::DILineInfoSpecifier;
  for (const auto& [from, info] : debug.getLineInfoForAddressRange(
           begin, bytes, Specifier(Specifier::FileLineInfoKind::AbsoluteFilePath)))
    lines.push_back(
        {reinterpret_cast<uint64_t>(address) + (from - begin.Address), info.Line, info.FileName});
  return lines;
}

Result<std::vector<Placed>>
functionsOf(const std::string& bytes,
            const std::function<Result<const void*>(const std::string&)>& addressOf) {
  auto object = llvm::object::ObjectFile::createObjectFile(llvm::MemoryBufferRef(bytes, "kernels"));
  if (!object) return unsupported(llvm::toString(object.takeError()));
  const auto debug = llvm::DWARFContext::create(**object);
  std::vector<Placed> functions;
  for (const llvm::object::SymbolRef& symbol : (*object)->symbols()) {
    // The object is our own: what it holds can be read.
    if (llvm::cantFail(symbol.getType()) != llvm::object::SymbolRef::ST_Function) continue;
    const std::string name = llvm::cantFail(symbol.getName()).str();
    const uint64_t offset = llvm::cantFail(symbol.getAddress());
    const uint64_t section = llvm::cantFail(symbol.getSection())->getIndex();
    const uint64_t size = llvm::object::ELFSymbolRef(symbol).getSize();
    ENFOLD_TRY(const void* address, addressOf(name));
    const llvm::object::SectionedAddress begin{offset, section};
    functions.push_back({name, address, size, begin, linesOf(*debug, begin, size, address)});
  }
  return functions;
}

/// The object, with its sections of functions where they are in memory.
std::string inPlace(std::string object, const std::vector<Placed>& functions) {
  const auto* header = reinterpret_cast<const llvm::ELF::Elf64_Ehdr*>(object.data());
  auto* sections = reinterpret_cast<llvm::ELF::Elf64_Shdr*>(object.data() + header->e_shoff);
  for (const Placed& function : functions)
    sections[function.begin.SectionIndex].sh_addr =
        reinterpret_cast<uint64_t>(function.address) - function.begin.Address;
  return object;
}

} // namespace

Result<> checkProfilers() {
  if (const std::string form = variable("ENFOLD_PERF");
      !form.empty() && !wantsMap() && !wantsDump())
    return failure(ErrorCode::BadValue, fmt::format("ENFOLD_PERF={}: it is map or jitdump", form));
  if (const std::string on = variable("ENFOLD_GDB"); !on.empty() && on != "0" && on != "1")
    return failure(ErrorCode::BadValue, fmt::format("ENFOLD_GDB={}: it is 0 or 1", on));
  return {};
}

bool isCodeWatched() {
  return !variable("ENFOLD_PERF").empty() || wantsDebugger() || !variable("ENFOLD_DUMP_IR").empty();
}

DebugInfo debugInfoOfJit() {
  return wantsDump() || wantsDebugger() ? DebugInfo::Lines : DebugInfo::None;
}

Result<> announce(const std::vector<std::string>& objects,
                  const std::function<Result<const void*>(const std::string&)>& addressOf) {
  if (!wantsMap() && !wantsDump() && !wantsDebugger()) return {};
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  for (const std::string& object : objects) {
    ENFOLD_TRY(const std::vector<Placed> functions, functionsOf(object, addressOf));
    if (wantsMap()) ENFOLD_RETURN_IF_ERROR(addToMap(functions));
    if (wantsDump()) ENFOLD_RETURN_IF_ERROR(addToDump(functions));
    if (wantsDebugger()) showToDebuggers(inPlace(object, functions));
  }
  return {};
}

bool isAnnouncedForGood() { return wantsDebugger(); }

} // namespace enfold::codegen
