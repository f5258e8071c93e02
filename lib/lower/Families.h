// The kernel families: for every op kind the ways to lower it, best first. The first one that
// accepts an op lowers it; what none accepts runs as its reference function.
#pragma once

#include "ir/OpLayouts.h"
#include "lower/Lowering.h"

namespace enfold::lower {

/// Layouts of the operands and results that a family takes.
enum class Layouts : uint8_t {
  Plain,
  Vectors, ///< plain, or channels in blocks of one f32 vector, which may be narrower than the
           ///< target's widest; which goes with which, `refusal` says
  Any,     ///< the same with blocks of any size
};

/// How an op would run: "conv_direct", "view" or "reference", with the refusals on the way.
struct Choice {
  std::string how;
  std::vector<std::pair<std::string, std::string>> refused; ///< family, reason
};

struct Family {
  std::string_view name;
  Layouts layouts;
  /// Empty when the family can lower the op, whose layouts are of those it takes; else the reason
  /// why not.
  std::string (*refusal)(const Op& op, const kir::Target& target);
  void (*lower)(const Op& op, Lowering& lowering);
  std::vector<OpKind> kinds; ///< the op kinds it is asked about
  /// The layouts in which it computes an op best, given those of its operands; plain if it cannot
  /// take blocks of this op. Null: it takes none of any.
  OpLayouts (*best)(const Op& op, const kir::Target& target) = nullptr;
  /// Of a family of several kernels: which one an op gets.
  Choice (*explain)(const Op& op, const kir::Target& target) = nullptr;
};

/// All families, best first.
std::span<const Family> families();

/// What a target may disable: the families, and the kernels of convolutions.
std::vector<std::string_view> kernelNames();
bool isKernelName(std::string_view name);

/// The family that lowers the op, or null if only its reference function can.
const Family* familyFor(const Op& op, const kir::Target& target);

/// The layouts in which the op is computed best: what the first family states that takes blocks of
/// it; else plain.
OpLayouts bestLayouts(const Op& op, const kir::Target& target);

/// Whether a family lowers the op, whose tensors are plain, as it is or in the layouts that are
/// best for it.
bool hasKernel(const Op& op, const kir::Target& target);

/// How the op would run.
Choice explainChoice(const Op& op, const kir::Target& target);

} // namespace enfold::lower
