// fold-pad: an explicit padding in front of a convolution or pool becomes its own padding, where
// that is the same: zeros for a convolution and for an average that counts its padding, minus
// infinity for a maximum, or zeros for a maximum of numbers that are not negative.
#include "passes/Match.h"
#include "passes/Pass.h"

#include <algorithm>
#include <limits>

namespace enfold {
namespace {

/// Pads per axis of the padded tensor: all befores, then all afters.
OrRefusal<std::vector<int64_t>> padsOf(const Op& pad) {
  if (pad.string("mode") != "constant")
    return refuse(Reason::PadMode, "it pads with mode " + pad.string("mode"));
  const auto amounts = constantInts(pad.own(1));
  const auto axes = pad.own(3) ? constantInts(pad.own(3)) : std::vector<int64_t>();
  if (!amounts || !axes) return refuse(Reason::DataDependent, "its pads are computed");
  const int64_t rank = pad.own(0)->type().rank();
  std::vector<int64_t> pads(static_cast<size_t>(2 * rank), 0);
  const size_t count = amounts->size() / 2;
  for (size_t i = 0; i < count; ++i) {
    const auto axis =
        static_cast<size_t>(axes->empty() ? static_cast<int64_t>(i) : frontAxis((*axes)[i], rank));
    pads[axis] = (*amounts)[i];
    pads[axis + static_cast<size_t>(rank)] = (*amounts)[count + i];
  }
  const auto r = static_cast<size_t>(rank);
  for (size_t i = 0; i < pads.size(); ++i)
    if (pads[i] < 0 || (i % r < 2 && pads[i] != 0))
      return refuse(Reason::PadAxis, "it pads batch or channels, or crops");
  return pads;
}

OrRefusal<void> checkReader(const Op& pad, const Op& user) {
  double value = 0;
  if (pad.own(2)) {
    const auto number = scalarValue(pad.own(2));
    if (!number) return refuse(Reason::DataDependent, "its value is computed");
    value = *number;
  }
  if (user.kind() == OpKind::MaxPool) {
    const bool isLeast = value == -std::numeric_limits<double>::infinity() ||
                         (value == 0 && isNonNegative(pad.own(0)));
    if (!isLeast) return refuse(Reason::PadValue, "a maximum pool pads with minus infinity");
  } else if (value != 0) {
    return refuse(Reason::PadValue, "its reader pads with zeros");
  }
  if (user.kind() == OpKind::Conv) return {};
  if (user.integer("ceil_mode")) return refuse(Reason::PadCounts, "the pool rounds its size up");
  const std::vector<int64_t> own = user.ints("pads");
  const bool padsItself = std::ranges::any_of(own, [](int64_t p) { return p != 0; });
  if (user.kind() == OpKind::AveragePool && !user.integer("count_include_pad") && padsItself)
    return refuse(Reason::PadCounts, "the pool has padding of its own that it does not count");
  return {};
}

/// The padding of both together, as the reader's attribute.
std::vector<int64_t> mergedPads(const std::vector<int64_t>& pads, const Op& user) {
  const size_t rank = pads.size() / 2, spatial = rank - 2;
  std::vector<int64_t> merged = user.ints("pads");
  if (merged.empty()) merged.assign(2 * spatial, 0);
  for (size_t i = 0; i < spatial; ++i) {
    merged[i] += pads[2 + i];
    merged[spatial + i] += pads[rank + 2 + i];
  }
  return merged;
}

/// True when a window of the pool could lie in the padding as a whole: it must see some data.
bool windowMissesData(const Op& pool, const std::vector<int64_t>& pads) {
  const std::vector<int64_t> kernel = pool.ints("kernel_shape"), dilations = pool.ints("dilations");
  for (size_t i = 0; i < pads.size(); ++i) {
    const size_t axis = i % kernel.size();
    // With dilation a window may step over data that it spans.
    const bool dilated = !dilations.empty() && dilations[axis] != 1;
    if (pads[i] >= kernel[axis] || (dilated && pads[i] > 0)) return true;
  }
  return false;
}

void tryFold(PassContext& context, Op& pad) {
  Op* user = onlyUser(pad.result());
  if (!user || user->own(0) != pad.result()) return;
  const bool isPool = user->kind() == OpKind::AveragePool ||
                      (user->kind() == OpKind::MaxPool && user->numResults() == 1);
  if ((user->kind() != OpKind::Conv && !isPool) || user->own(1) == pad.result()) return;
  const auto pads = padsOf(pad);
  if (!pads) return context.refused(pads.error(), pad);
  if (auto fits = checkReader(pad, *user); !fits) return context.refused(fits.error(), pad);
  std::vector<int64_t> merged = mergedPads(*pads, *user);
  if (isPool && windowMissesData(*user, merged))
    return context.refused(Reason::PadCounts, pad, "a window of the pool could hold padding only");
  if (std::ranges::max(merged) > std::numeric_limits<int32_t>::max())
    return context.refused(Reason::TooLarge, pad, "a window does not pad as much");
  if (!context.begin(pad)) return;
  context.applied(Reason::Folded, pad, "became the padding of " + user->describe());
  Rewriter& rewriter = context.rewriter();
  rewriter.setOperand(user, 0, pad.own(0));
  rewriter.setAttr(user, "pads", std::move(merged));
  if (user->kind() == OpKind::AveragePool) rewriter.setAttr(user, "count_include_pad", int64_t{1});
  rewriter.addOrigins(user, pad.origins());
  rewriter.eraseDead(&pad);
}

} // namespace

Result<> foldPad(PassContext& context) {
  std::vector<Value*> candidates;
  for (const auto& op : context.graph().ops())
    if (op->kind() == OpKind::Pad) candidates.push_back(op->result());
  for (Value* candidate : candidates) tryFold(context, *candidate->producer());
  return {};
}

} // namespace enfold
