// One table of keys serves parser and printer.
#include "kernel/MachineText.h"

#include "support/ErrorCodes.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <cmath>

namespace enfold::kir {
namespace {

/// A number of the description: where it is, what it may be, and what the printer says of it.
struct Key {
  std::string_view name;
  double least, most;
  enum class Kind : uint8_t { Real, Whole, PowerOfTwo } kind;
  double (*get)(const Machine& machine);
  void (*set)(Machine& machine, double value);
  std::string_view meaning;
};

constexpr double kMostBytes = 1 << 30; ///< of a cache
constexpr double kMostThreads = 4096, kMostCycles = 1e9;
constexpr auto kReal = Key::Kind::Real, kWhole = Key::Kind::Whole, kPower = Key::Kind::PowerOfTwo;

#define ENFOLD_FIELD(field)                                                                        \
  [](const Machine& m) { return static_cast<double>(m.field); },                                   \
      [](Machine& m, double v) { m.field = static_cast<decltype(m.field)>(v); }

constexpr Key kKeys[] = {
    {"vector_bytes", 4, 64, kPower, ENFOLD_FIELD(vectorBytes), "the widest vectors to use"},
    {"vector_registers", 8, 64, kWhole, ENFOLD_FIELD(vectorRegisters), ""},
    {"fmas_per_cycle", 0.01, 16, kReal, ENFOLD_FIELD(fma.perCycle),
     "multiply-adds of vectors, at most"},
    {"fma_bytes_per_cycle", 1, 4096, kReal, ENFOLD_FIELD(fma.bytesPerCycle),
     "of one operand: 64 is one vector of 64 bytes, or two of 32"},
    {"fma_latency", 1, 100, kReal, ENFOLD_FIELD(fmaLatency), "cycles from an addend to the sum"},
    {"dots_per_cycle", 0.01, 16, kReal, ENFOLD_FIELD(dot.perCycle),
     "dot products of vectors of integers, at most"},
    {"dot_bytes_per_cycle", 1, 4096, kReal, ENFOLD_FIELD(dot.bytesPerCycle), ""},
    {"half_dots_per_cycle", 0.01, 16, kReal, ENFOLD_FIELD(halfDot.perCycle),
     "dot products of vectors of bf16, at most"},
    {"half_dot_bytes_per_cycle", 1, 4096, kReal, ENFOLD_FIELD(halfDot.bytesPerCycle), ""},
    {"tile_dot_cycles", 1, kMostCycles, kReal, ENFOLD_FIELD(tileDotCycles),
     "from one product of tiles to the next, where there are tiles"},
    {"pairs_per_cycle", 0.01, 16, kReal, ENFOLD_FIELD(pairs.perCycle),
     "products of 16-bit pairs added to sums, without those"},
    {"pair_bytes_per_cycle", 1, 4096, kReal, ENFOLD_FIELD(pairs.bytesPerCycle), ""},
    {"loads_per_cycle", 0.01, 16, kReal, ENFOLD_FIELD(load.perCycle), "of vectors, sustained"},
    {"load_bytes_per_cycle", 1, 4096, kReal, ENFOLD_FIELD(load.bytesPerCycle), ""},
    {"stores_per_cycle", 0.01, 16, kReal, ENFOLD_FIELD(store.perCycle), "of vectors, sustained"},
    {"store_bytes_per_cycle", 1, 4096, kReal, ENFOLD_FIELD(store.bytesPerCycle), ""},
    {"l1_bytes", 1024, kMostBytes, kWhole, ENFOLD_FIELD(l1.bytes), "data, of one cache"},
    {"l1_shared_by", 1, kMostThreads, kWhole, ENFOLD_FIELD(l1.sharedBy), "hardware threads"},
    {"l1_bytes_per_cycle", 0.01, 4096, kReal, ENFOLD_FIELD(l1.bytesPerCycle),
     "that a core reads, sustained"},
    {"l2_bytes", 1024, kMostBytes, kWhole, ENFOLD_FIELD(l2.bytes), ""},
    {"l2_shared_by", 1, kMostThreads, kWhole, ENFOLD_FIELD(l2.sharedBy), ""},
    {"l2_bytes_per_cycle", 0.01, 4096, kReal, ENFOLD_FIELD(l2.bytesPerCycle), ""},
    {"l3_bytes", 0, kMostBytes, kWhole, ENFOLD_FIELD(l3.bytes), "0: there is none"},
    {"l3_shared_by", 1, kMostThreads, kWhole, ENFOLD_FIELD(l3.sharedBy), ""},
    {"l3_bytes_per_cycle", 0, 4096, kReal, ENFOLD_FIELD(l3.bytesPerCycle), ""},
    {"memory_bytes_per_cycle", 0.01, 4096, kReal, ENFOLD_FIELD(memoryBytesPerCycle), ""},
    {"call_cycles", 0, kMostCycles, kReal, ENFOLD_FIELD(callCycles),
     "from the end of a kernel to the start of the next"},
    {"barrier_cycles", 0, kMostCycles, kReal, ENFOLD_FIELD(barrierCycles),
     "more, when threads share kernels"},
    {"threads", 1, kMostThreads, kWhole, ENFOLD_FIELD(threads), "that share a kernel"},
};
#undef ENFOLD_FIELD

const Key* find(std::string_view name) {
  const auto* key = std::ranges::find(kKeys, name, &Key::name);
  return key == std::end(kKeys) ? nullptr : key;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r";
  const size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) + 1 - begin);
}

/// Empty, or what the value should have been.
std::string complaint(const Key& key, double value) {
  if (value < key.least || value > key.most || !std::isfinite(value))
    return fmt::format("from {} to {}", key.least, key.most);
  if (key.kind != kReal && value != std::floor(value)) return "a whole number";
  if (key.kind == kPower && (static_cast<int64_t>(value) & (static_cast<int64_t>(value) - 1)) != 0)
    return "a power of two";
  return {};
}

class Parser {
public:
  Result<MachineText> parse(std::string_view text) {
    for (size_t begin = 0; begin <= text.size();) {
      const size_t end = std::min(text.find('\n', begin), text.size());
      ++line_;
      ENFOLD_RETURN_IF_ERROR(parseLine(text.substr(begin, end - begin)));
      begin = end + 1;
    }
    if (result_.cpu.empty())
      return failure(ErrorCode::SyntaxError, "cpu is not stated: LLVM's name of the processor");
    return std::move(result_);
  }

private:
  std::unexpected<Error> error(std::string message) const {
    return failure(ErrorCode::SyntaxError, fmt::format("line {}: {}", line_, message));
  }

  Result<> parseLine(std::string_view line) {
    line = trimmed(line.substr(0, line.find('#')));
    if (line.empty()) return {};
    const size_t equals = line.find('=');
    if (equals == std::string_view::npos)
      return error(fmt::format("'{}' is not of the form key = value", line));
    const std::string key(trimmed(line.substr(0, equals)));
    const std::string_view value = trimmed(line.substr(equals + 1));
    if (!seen_.insert(key).second) return error(fmt::format("{} is stated twice", key));
    if (key == "cpu") return parseCpu(value);
    if (key == "dot_products") return parseDotProducts(value);
    return parseNumber(key, value);
  }

  Result<> parseCpu(std::string_view value) {
    if (value.empty()) return error("cpu has no value");
    result_.cpu = value;
    return {};
  }

  Result<> parseDotProducts(std::string_view value) {
    result_.dotProducts.emplace();
    if (value == "none") return {};
    do {
      const size_t end = std::min(value.find_first_of(" ,\t"), value.size());
      const std::string_view word = value.substr(0, end);
      const auto all = allDotProducts();
      const auto found =
          std::ranges::find(all, word, [](DotProduct instruction) { return name(instruction); });
      if (found == all.end())
        return error(
            fmt::format("dot_products: '{}' is none of {}, none", word, fmt::join(names(), ", ")));
      result_.dotProducts->insert(*found);
      value = value.substr(end);
      value = value.substr(std::min(value.find_first_not_of(" ,\t"), value.size()));
    } while (!value.empty());
    return {};
  }

  Result<> parseNumber(const std::string& name, std::string_view text) {
    const Key* key = find(name);
    if (!key) return error(fmt::format("no key is named '{}'", name));
    double value = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (code != std::errc() || end != text.data() + text.size())
      return error(fmt::format("{}: '{}' is not a number", name, text));
    if (const std::string expected = complaint(*key, value); !expected.empty())
      return error(fmt::format("{}: {} is not {}", name, text, expected));
    result_.numbers.emplace_back(name, value);
    return {};
  }

  static std::vector<std::string_view> names() {
    std::vector<std::string_view> names;
    for (const DotProduct instruction : allDotProducts()) names.push_back(name(instruction));
    return names;
  }

  MachineText result_;
  std::set<std::string> seen_;
  int line_ = 0;
};

} // namespace

Machine MachineText::over(Machine machine) const {
  for (const auto& [name, value] : numbers) find(name)->set(machine, value);
  if (dotProducts) machine.dotProducts = *dotProducts;
  return machine;
}

Result<MachineText> parseMachine(std::string_view text) { return Parser().parse(text); }

std::string print(const Machine& machine, std::string_view cpu) {
  std::string text =
      fmt::format("{:<32} # LLVM's name of the processor\n", fmt::format("cpu = {}", cpu));
  const auto line = [&](std::string_view key, std::string_view value, std::string_view meaning) {
    const std::string setting = fmt::format("{} = {}", key, value);
    text += meaning.empty() ? setting + "\n" : fmt::format("{:<32} # {}\n", setting, meaning);
  };
  for (const Key& key : kKeys) {
    const double value = key.get(machine);
    line(key.name, key.kind == kReal ? fmt::format("{}", value) : fmt::format("{:.0f}", value),
         key.meaning);
    if (key.name != "vector_registers") continue;
    std::vector<std::string_view> names;
    for (const DotProduct instruction : machine.dotProducts) names.push_back(name(instruction));
    line("dot_products", names.empty() ? "none" : fmt::format("{}", fmt::join(names, " ")), "");
  }
  return text;
}

} // namespace enfold::kir
