// Blocks of channels.
#include "lower/Layouts.h"

#include "lower/Operand.h"

namespace enfold::lower {
namespace {

/// Blocks of fewer lanes are not worth their instructions.
constexpr int kLeastLanes = 8;
/// What tiles of vectors half as wide reach of the cycles they should take: they start twice as
/// many instructions. Measured on Zen 4 with tiles of 4x2.
constexpr double kNarrowReach = 0.8;

} // namespace

bool isBlockable(const Type& type) {
  return hasArithmetic(type.elem) && type.rank() >= 3 && type.rank() <= 5;
}

bool isVector(const Layout& layout, const kir::Target& target) {
  const int lanes = target.lanes(kir::Scalar::F32);
  return layout.block == lanes || (layout.block >= kLeastLanes && 2 * layout.block == lanes);
}

Layout blockedFor(int64_t channels, const kir::Target& target) {
  const kir::Machine& machine = target.machine;
  const int wide = target.lanes(kir::Scalar::F32), narrow = wide / 2;
  const auto vectors = [&](int lanes) { return (channels + lanes - 1) / lanes; };
  const auto cycles = [&](int lanes) {
    return static_cast<double>(vectors(lanes)) / machine.fma.of(4 * lanes);
  };
  const bool isHalfEmpty = vectors(narrow) == vectors(wide);
  if (narrow >= kLeastLanes && (isHalfEmpty || cycles(narrow) < kNarrowReach * cycles(wide)))
    return {narrow};
  return {wide};
}

std::vector<size_t> misfits(const Op& op, const Layout& result) {
  const Type &y = op.result()->type(), blocked = {y.elem, y.shape, result};
  std::vector<size_t> found;
  const size_t first = op.info().is(traits::Elementwise) ? 0 : op.numOwnOperands();
  for (size_t i = first; i < op.operands().size(); ++i) {
    const Value* v = op.operand(i);
    if (!v || v->shape() == y.shape) continue;
    // What is blocked otherwise is read plain.
    const Type plain = {v->elem(), v->shape(), {}};
    const bool keeps = v->type().layout == result;
    if (!Operand::fits(keeps ? v->type() : plain, blocked)) found.push_back(i);
  }
  return found;
}

OpLayouts asItComes(const Op& op) {
  const Layout layout = op.own(0)->type().layout;
  return misfits(op, layout).empty() ? OpLayouts{layout, layout} : OpLayouts{};
}

} // namespace enfold::lower
