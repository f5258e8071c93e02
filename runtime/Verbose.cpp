// A line is one write, so that those of several threads do not mix.
#include "runtime/Verbose.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace enfold::rt {
namespace {

/// A name of a model, as far as there is room, without what a terminal would take as commands.
struct Printable {
  explicit Printable(const char* name) {
    size_t length = 0;
    for (; name != nullptr && name[length] != '\0' && length + 1 < sizeof text; ++length) {
      const auto code = static_cast<unsigned char>(name[length]);
      text[length] = code < 0x20 || code == 0x7f ? '?' : name[length];
    }
    text[length] = '\0';
  }
  char text[1024];
};

} // namespace

int32_t wantsLines() {
  const char* text = getenv("ENFOLD_VERBOSE");
  if (text == nullptr || *text == '\0' || strcmp(text, "0") == 0) return 0;
  return strcmp(text, "1") == 0 ? 1 : -1;
}

void printRun(const enfold_program& program, int32_t threads) {
  fprintf(stderr, "enfold,run,%s,%d\n", Printable(program.name).text, threads);
}

void printStep(const enfold_step& step, int32_t threads, int64_t nanoseconds) {
  const double gflops = nanoseconds > 0 ? step.flops / double(nanoseconds) : 0;
  fprintf(stderr, "enfold,step,%s,%d,%.4f,%.2f,%s\n", Printable(step.name).text, threads,
          double(nanoseconds) / 1e6, gflops, Printable(step.origin).text);
}

} // namespace enfold::rt
