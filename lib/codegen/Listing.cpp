// The kernels are compiled with debug information, which is then taken out of the texts again.
#include "codegen/Listing.h"

#include "codegen/KernelModule.h"
#include "kernel/Printer.h"
#include "support/Parallel.h"

#include <llvm/Support/raw_ostream.h>

#include <charconv>

namespace enfold::codegen {
namespace {

std::vector<std::string_view> linesOf(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

/// The number that begins behind `prefix` wherever it stands in the text.
std::optional<int> numberBehind(std::string_view text, std::string_view prefix) {
  const size_t at = text.find(prefix);
  if (at == std::string_view::npos) return std::nullopt;
  text.remove_prefix(at + prefix.size());
  int number = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), number).ec != std::errc())
    return std::nullopt;
  return number;
}

void add(ListedText& listed, std::string_view line, int origin) {
  listed.text.append(line) += '\n';
  listed.origin.push_back(origin);
}

/// The functions of a module: without its head, attributes and metadata, whose uses are at the ends
/// of lines (", !dbg !12").
ListedText listLlvm(std::string_view text) {
  const std::vector<std::string_view> lines = linesOf(text);
  std::unordered_map<int, int> locations; ///< line of Kernel IR by number of the metadata
  for (const std::string_view line : lines)
    if (line.starts_with('!') && line.find("!DILocation(line: ") != std::string_view::npos)
      locations.emplace(numberBehind(line, "!").value_or(0),
                        numberBehind(line, "!DILocation(line: ").value_or(0));
  ListedText listed;
  bool inside = false;
  for (std::string_view line : lines) {
    if (line.starts_with("define ")) {
      inside = true;
      line = line.substr(0, line.find(" #"));
      add(listed, std::string(line) + " {", 1);
      continue;
    }
    if (!inside) continue;
    const auto location = locations.find(numberBehind(line, ", !dbg !").value_or(-1));
    const size_t end = std::min(line.find(", !"), line.size());
    add(listed, line.substr(0, end), location == locations.end() ? 0 : location->second);
    inside = line != "}";
  }
  return listed;
}

bool isDirective(std::string_view line) {
  // Data of constants stay: an instruction reads them.
  static constexpr std::string_view kData[] = {"\t.long",  "\t.quad",  "\t.zero", "\t.byte",
                                               "\t.short", "\t.xword", "\t.word", "\t.hword"};
  return line.starts_with("\t.") &&
         !std::ranges::any_of(kData, [&](std::string_view data) { return line.starts_with(data); });
}

/// Labels that debug information and the end of the function need.
bool isMarker(std::string_view line) {
  return line.starts_with(".Ltmp") || line.starts_with(".Lfunc_") || line.starts_with(".Lsec_");
}

/// Of a line of its own, or an empty line.
bool isComment(std::string_view line) {
  const size_t begin = line.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return true;
  line.remove_prefix(begin);
  return line.starts_with('#') || line.starts_with("//");
}

ListedText listAssembly(std::string_view text) {
  ListedText listed;
  int origin = 0;
  for (std::string_view line : linesOf(text)) {
    if (line.starts_with("\t.section\t.debug")) break;
    if (line.starts_with("\t.loc\t")) {
      line.remove_prefix(std::string_view("\t.loc\t").size());
      origin = numberBehind(line, " ").value_or(0);
      continue;
    }
    if (isDirective(line) || isMarker(line) || isComment(line)) continue;
    if (const size_t comment = line.find("# @"); comment != std::string_view::npos)
      line = line.substr(0, line.find_last_not_of(' ', comment - 1) + 1);
    add(listed, line, line.starts_with('\t') ? origin : 0);
  }
  return listed;
}

Listing listingOf(const UniqueKernels::Entry& entry, const Target& target) {
  return withLlvm([&](LlvmWork& work) {
    makeModule(work, {&entry, 1}, target, DebugInfo::Lines);
    std::string text;
    llvm::raw_string_ostream(text) << *work.module;
    return Listing{.name = entry.kernel->name,
                   .kir = kir::print(*entry.kernel),
                   .llvm = listLlvm(text),
                   .assembly = listAssembly(generate(work, llvm::CodeGenFileType::AssemblyFile))};
  });
}

} // namespace

Result<Listings> listings(std::span<const kir::Kernel> kernels, const Target& target) {
  ProgramDesc program;
  program.kernels.assign(kernels.begin(), kernels.end());
  ENFOLD_TRY(const UniqueKernels unique, uniqueKernels({&program, 1}, "enfold"));
  return catchLlvmErrors("listing kernels", [&]() -> Result<Listings> {
    Listings listings{.entries = std::vector<Listing>(unique.entries.size()),
                      .entryOf = unique.entryOf.front()};
    forEachInParallel(unique.entries.size(), hardwareThreads(), [&](size_t i) {
      listings.entries[i] = listingOf(unique.entries[i], target);
    });
    return listings;
  });
}

} // namespace enfold::codegen
