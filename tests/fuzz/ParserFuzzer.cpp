// libFuzzer's entry to the text form: any text is an error with a message, or a graph that is read
// again as it was from what is printed of it. If it is small, it compiles and runs, as it is and
// after the passes, or there is an error with a message.
#include "driver/Compiler.h"
#include "ir/ConstantText.h"
#include "ir/Parser.h"
#include "ir/Printer.h"
#include "ir/Verifier.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace {

using namespace enfold;

void require(bool holds) {
  if (!holds) std::abort();
}

template <typename T> const T* valueOf(const Result<T>& result) {
  if (result) return &*result;
  require(!result.error().str().empty());
  return nullptr;
}

/// Few ops on little data, no window or count that makes long loops of it.
bool isSmall(const Graph& graph) {
  constexpr int64_t kMostBytes = 1 << 14, kMostNumber = 64;
  if (graph.numOps() > 24) return false;
  const auto isLittle = [](const Value* value) { return value->type().numBytes() <= kMostBytes; };
  const auto isLow = [](int64_t number) { return std::abs(number) <= kMostNumber; };
  for (const auto& input : graph.inputs())
    if (!isLittle(input.get())) return false;
  for (const auto& op : graph.ops()) {
    for (size_t i = 0; i < op->numResults(); ++i)
      if (!isLittle(op->result(i))) return false;
    for (const auto& [name, value] : op->attrs()) {
      if (const auto* number = std::get_if<int64_t>(&value); number && !isLow(*number))
        return false;
      if (const auto* numbers = std::get_if<std::vector<int64_t>>(&value);
          numbers && !std::ranges::all_of(*numbers, isLow))
        return false;
    }
  }
  return true;
}

void run(const Graph& graph, const CompileOptions& options) {
  const auto compiled = compile(graph.clone(), options);
  const Compilation* compilation = valueOf(compiled);
  if (!compilation) return;
  const auto session = Session::create(compilation->executable, {.threads = 1});
  if (!valueOf(session)) return;
  std::vector<Tensor> inputs;
  for (const auto& input : graph.inputs()) {
    inputs.emplace_back(input->elem(), input->shape());
    fillRandom(inputs.back(), inputs.size(), -2, 2);
  }
  const auto outputs = (*session)->run(inputs);
  valueOf(outputs);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const ParseOptions options{.allowElided = true, .constantBytes = 1 << 20};
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto graph = parseGraph(text, options);
  if (!valueOf(graph)) return 0;
  const auto again =
      parseGraph(print(**graph, {.constants = PrintOptions::Constants::Hex}), options);
  require(again && (*again)->structurallyEquals(**graph));
  const auto sound = verify(**graph);
  if (!sound) {
    require(!sound.error().str().empty());
    return 0;
  }
  if (!isSmall(**graph)) return 0;
  run(**graph, {.pipeline = "none", .passes = {}});
  run(**graph, {});
  return 0;
}
