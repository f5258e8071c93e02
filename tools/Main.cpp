// The `enfold` program.
#include <enfold/enfold_compiler.h>

#include <cstddef>

namespace {

/// Where addresses are limited, the stack cannot grow any more once everything else has taken its
/// share: it is grown at once, further than passes and code generation recurse.
__attribute__((noinline)) void growStack() {
  constexpr size_t kBytes = size_t{2} << 20;
  [[maybe_unused]] volatile char room[kBytes];
  room[0] = 0; // the far end
}

} // namespace

int main(int argc, char** argv) {
  growStack();
  return enfold_command(argc, argv);
}
