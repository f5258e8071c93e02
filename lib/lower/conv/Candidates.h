// The kernels that could compute a convolution, one list for all algorithms, and the choice among
// them, which is made once and handed to the lowering.
#pragma once

#include "ir/OpLayouts.h"
#include "lower/Families.h"
#include "lower/conv/Polyphase.h"
#include "lower/conv/Schedule.h"
#include "lower/conv/TileSchedule.h"
#include "lower/conv/WinogradSchedule.h"

#include <array>
#include <variant>

namespace enfold::lower {

/// The kernels for groups within a block of channels, and for plain tensors: where one of them fits
/// it is the only candidate.
struct GroupedCandidate {};
struct PlainCandidate {};
/// The kernel for all transposed convolutions.
struct TransposedCandidate {};

struct ConvCandidate {
  std::string name; ///< unlike that of any other: a value of the op's attribute `algorithm`
  std::string kind; ///< "winograd f4"; else the name
  double cycles;    ///< estimated, on one core; 0 of an only candidate
  std::variant<GroupedCandidate, TileCandidate, WinogradCandidate, DirectCandidate, PlainCandidate,
               TransposedCandidate>
      how;

  bool isDirect() const {
    return std::holds_alternative<DirectCandidate>(how) ||
           std::holds_alternative<TransposedCandidate>(how);
  }
};

/// What computes them, by the place of `how`, if the op is not transposed; and two ops together.
inline constexpr std::array<std::string_view, 6> kConvKernels = {
    "conv_grouped", "conv_tiles", "conv_winograd", "conv_direct", "conv_plain", "conv_separable"};

/// Plain inputs are read through this many channels at most; above, blocks are better.
inline constexpr int64_t kMaxPlainChannels = 16;

/// The layouts in which convolutions, transposed ones too, are computed best.
OpLayouts convLayouts(const Op& op, const kir::Target& target);

/// What a direct kernel computes: short rows of a 1x1 window are made one long row, and pixels that
/// it would skip are copied away first.
WindowProblem directProblem(const Op& op);
/// Whether the latter is so.
bool isSampled(const Op& op);
/// The same for tiles that span rows: padding is part of the input.
WindowProblem spanningProblem(const Op& op);
/// Whether kernels that multiply f32, in tiles along rows, read a copy of the input as f32.
bool isWidened(const Op& op);

/// Why there is no candidate. Empty if there is one.
std::string refuseConv(const Op& op, const kir::Target& target);

/// All candidates, the best first; of the op's first run, if groups are computed in several.
std::vector<ConvCandidate> convCandidates(const Op& op, const kir::Target& target);

struct ConvChoice {
  ConvCandidate chosen;
  /// What the cost model finds best beside candidates of the chosen kind, and how much longer it
  /// takes than the best: "direct 6x2 +40 %". Empty if there is no other.
  std::string secondChoice;
};
/// The candidate that the op's `algorithm` names, or else the best. There must be one. What is
/// named with " of any width" need not be among those that fit the op's size best.
ConvChoice chooseConv(const Op& op, const kir::Target& target);

/// The kernel an op gets, "conv_direct" say, and why not those that are preferred to it.
Choice explainConv(const Op& op, const kir::Target& target);

/// Whether the op can be computed by what the attribute `algorithm` might say.
bool hasAlgorithm(const Op& op, const std::string& algorithm, const kir::Target& target);

/// That `algorithm` of every convolution is "auto", "direct", "winograd" where there is such a
/// candidate, or the name of one.
Result<> checkAlgorithms(const Graph& graph, const kir::Target& target);

} // namespace enfold::lower
