// The text form of machine descriptions: lines of "key = value", the processor's name first.
//
//   cpu = znver4              # LLVM's name, or native
//   vector_bytes = 64         # the widest vectors to write kernels for
//   …
//
// "#" starts a comment. What is not stated is as the processor named has it.
#pragma once

#include "kernel/Machine.h"
#include "support/Result.h"

#include <optional>
#include <string>

namespace enfold::kir {

/// What a text states.
struct MachineText {
  std::string cpu;
  std::vector<std::pair<std::string, double>> numbers; ///< by key, each in its range
  std::optional<std::set<DotProduct>> dotProducts;

  /// `machine` with everything that the text states.
  Machine over(Machine machine) const;
};

/// Errors name the line, and the key or what was expected.
Result<MachineText> parseMachine(std::string_view text);

/// All keys with their units. parseMachine() of it gives `machine` over any other.
std::string print(const Machine& machine, std::string_view cpu);

} // namespace enfold::kir
