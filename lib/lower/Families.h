// The kernel families: for every op kind the ways to lower it, best first. The first one that
// accepts an op lowers it; what none accepts runs as its reference function.
#pragma once

#include "lower/Lowering.h"

namespace enfold::lower {

struct Family {
  std::string_view name;
  /// Empty when the family can lower the op, else the reason why not.
  std::string (*refusal)(const Op& op, const kir::Target& target);
  void (*lower)(const Op& op, Lowering& lowering);
  std::vector<OpKind> kinds; ///< the op kinds it is asked about
};

/// All families, best first.
std::span<const Family> families();

/// The family that lowers the op, or null if only its reference function can.
const Family* familyFor(const Op& op, const kir::Target& target);

/// How an op would run: "conv_direct", "view" or "reference", with the refusals on the way.
struct Choice {
  std::string how;
  std::vector<std::pair<std::string, std::string>> refused; ///< family, reason
};
Choice explainChoice(const Op& op, const kir::Target& target);

} // namespace enfold::lower
