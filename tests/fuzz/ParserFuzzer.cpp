// libFuzzer's entry to the parser of the text form: any text is an error with a message, or a graph
// that is read again as it was from what is printed of it.
#include "ir/Parser.h"
#include "ir/Printer.h"
#include "ir/Verifier.h"

#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace enfold;
  const ParseOptions options{.allowElided = true, .constantBytes = 1 << 20};
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto graph = parseGraph(text, options);
  if (!graph) {
    if (graph.error().str().empty()) std::abort();
    return 0;
  }
  if (!verify(**graph)) std::abort();
  const auto again =
      parseGraph(print(**graph, {.constants = PrintOptions::Constants::Hex}), options);
  if (!again || !(*again)->structurallyEquals(**graph)) std::abort();
  return 0;
}
