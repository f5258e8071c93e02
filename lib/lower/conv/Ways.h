// The ways in which a convolution of channel-blocked tensors can be computed, direct and by
// Winograd's algorithm, and which one is taken.
#pragma once

#include "lower/conv/Schedule.h"
#include "lower/conv/WinogradSchedule.h"

#include <optional>
#include <variant>

namespace enfold::lower {

struct ConvWay {
  std::string name; ///< unlike that of any other way: a value of the op's attribute `algorithm`
  std::string kind; ///< "winograd f4"; the name of a direct way
  double cycles;    ///< estimated, on one core
  std::variant<DirectWay, WinogradWay> how;
};

/// What a direct kernel computes: short rows of a 1x1 window are made one long row, and pixels that
/// it would skip are copied away first.
WindowProblem directProblem(const Op& op);
/// Whether the latter is so.
bool isSampled(const Op& op);

/// Why the op has no direct kernel, or none by Winograd's algorithm, whichever is faster. Empty if
/// it has.
std::string directRefusal(const Op& op, const kir::Target& target);
std::string winogradRefusal(const Op& op, const kir::Target& target);

/// All ways that the op could be lowered in, the best first; of its first run, if groups are
/// computed in several. None if another family lowers it.
std::vector<ConvWay> convWays(const Op& op, const kir::Target& target);

/// The direct way that the op's `algorithm` names, or else the best; for a run of its groups.
DirectWay chooseDirect(const Op& op, const WindowProblem& run, const kir::Target& target);
/// The schedule by Winograd's algorithm that the op's `algorithm` names, or else the best if it
/// beats direct convolution; none where it does not, or must not be.
std::optional<WinogradSchedule> chooseWinograd(const Op& op, const kir::Target& target);

/// What the cost model finds best beside ways of the kind `chosen`, and how much longer it takes
/// than the best: "direct 6x2 +40 %". Empty if there is no other.
std::string runnerUp(const Op& op, const kir::Target& target, std::string_view chosen);

/// That `algorithm` of every convolution is "auto", "direct" or the name of one of its ways.
Result<> checkAlgorithms(const Graph& graph, const kir::Target& target);

} // namespace enfold::lower
