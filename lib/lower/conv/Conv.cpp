// From the choice among the candidates to the kernel.
#include "lower/conv/Conv.h"

#include "lower/conv/Candidates.h"
#include "lower/conv/Direct.h"
#include "lower/conv/Grouped.h"
#include "lower/conv/IntegerWinograd.h"
#include "lower/conv/Plain.h"
#include "lower/conv/Separable.h"
#include "lower/conv/TileConv.h"
#include "lower/conv/Winograd.h"

namespace enfold::lower {

void lowerConv(const Op& op, Lowering& lowering) {
  if (isWithinPointwise(op, lowering.target())) return;
  if (const Op* depthwise = depthwiseWithin(op, lowering.target()))
    return lowerConvSeparable(*depthwise, op, lowering);
  ConvChoice choice = chooseConv(op, lowering.target());
  const auto& how = choice.chosen.how;
  if (const auto* winograd = std::get_if<WinogradCandidate>(&how))
    (op.kind() == OpKind::ConvInteger ? lowerIntegerWinograd : lowerConvWinograd)(
        op, *winograd, choice.secondChoice, lowering);
  else if (const auto* tiles = std::get_if<TileCandidate>(&how))
    lowerConvTiles(op, *tiles, choice.secondChoice, lowering);
  else if (const auto* direct = std::get_if<DirectCandidate>(&how))
    lowerConvDirect(op, *direct, choice.secondChoice, lowering);
  else if (std::holds_alternative<GroupedCandidate>(how))
    lowerConvGrouped(op, lowering);
  else
    lowerConvPlain(op, lowering);
}

} // namespace enfold::lower
