// The table of kernel families.
#include "lower/Families.h"

#include "lower/Pointwise.h"
#include "lower/Reorder.h"
#include "lower/Storage.h"
#include "lower/conv/Direct.h"
#include "lower/conv/Grouped.h"
#include "lower/conv/Plain.h"
#include "lower/conv/Transposed.h"
#include "lower/conv/Ways.h"
#include "lower/conv/Winograd.h"
#include "lower/gemm/Gemm.h"
#include "lower/index/Gather.h"
#include "lower/index/Scatter.h"
#include "lower/movement/EdgePad.h"
#include "lower/movement/Movement.h"
#include "lower/norm/ChannelNorm.h"
#include "lower/norm/RowNorm.h"
#include "lower/pool/BlockedPool.h"
#include "lower/pool/PlainPool.h"
#include "lower/reduce/ArgReduce.h"
#include "lower/reduce/Reduction.h"
#include "lower/reduce/Scan.h"
#include "lower/reduce/Softmax.h"
#include "lower/reduce/TopK.h"
#include "lower/resize/BlockedResize.h"
#include "lower/resize/PlainResize.h"

#include <algorithm>

namespace enfold::lower {
namespace {

std::vector<OpKind> elementwiseKinds() {
  std::vector<OpKind> kinds;
  for (const OpInfo& row : opTable())
    if (row.is(traits::Elementwise)) kinds.push_back(row.kind);
  return kinds;
}

} // namespace

std::span<const Family> families() {
  static const std::vector<Family> table = {
      {"conv_grouped", refuseConvGrouped, lowerConvGrouped, {OpKind::Conv}},
      {"conv_winograd", refuseWinograd, lowerWinograd, {OpKind::Conv}},
      {"conv_direct", directRefusal, lowerConvDirect, {OpKind::Conv}},
      {"conv_transposed", refuseConvTransposed, lowerConvTransposed, {OpKind::ConvTranspose}},
      {"conv_plain", refuseConvPlain, lowerConvPlain, {OpKind::Conv}},
      {"pool_blocked", refuseBlockedPool, lowerBlockedPool, {OpKind::MaxPool, OpKind::AveragePool}},
      {"pool_plain",
       refusePlainPool,
       lowerPlainPool,
       {OpKind::MaxPool, OpKind::AveragePool, OpKind::LpPool}},
      {"global_pool_blocked",
       refuseBlockedGlobalPool,
       lowerBlockedGlobalPool,
       {OpKind::GlobalAveragePool, OpKind::GlobalMaxPool}},
      {"resize_blocked", refuseBlockedResize, lowerBlockedResize, {OpKind::Resize}},
      {"resize_plain", refusePlainResize, lowerPlainResize, {OpKind::Resize}},
      {"gemm", refuseGemm, lowerGemm, {OpKind::Gemm, OpKind::MatMul}},
      {"strided_copy",
       refuseMovement,
       lowerMovement,
       {OpKind::Transpose, OpKind::Slice, OpKind::Split, OpKind::Concat, OpKind::Expand,
        OpKind::Tile, OpKind::DepthToSpace, OpKind::SpaceToDepth, OpKind::Reorder, OpKind::Pad,
        OpKind::Reshape, OpKind::Flatten, OpKind::Squeeze, OpKind::Unsqueeze}},
      {"pad", refuseEdgePad, lowerEdgePad, {OpKind::Pad}},
      {"gather_rows", refuseGatherRows, lowerGatherRows, {OpKind::Gather, OpKind::GatherND}},
      {"gather_elements", refuseGatherElements, lowerGatherElements, {OpKind::GatherElements}},
      {"reverse_sequence", refuseReverseSequence, lowerReverseSequence, {OpKind::ReverseSequence}},
      {"scatter_elements", refuseScatterElements, lowerScatterElements, {OpKind::ScatterElements}},
      {"scatter_nd", refuseScatterND, lowerScatterND, {OpKind::ScatterND}},
      {"topk", refuseTopK, lowerTopK, {OpKind::TopK}},
      {"scan", refuseScan, lowerScan, {OpKind::CumSum, OpKind::CumProd}},
      {"arg_reduce", refuseArgReduce, lowerArgReduce, {OpKind::ArgMax, OpKind::ArgMin}},
      {"reduction",
       refuseReduction,
       lowerReduction,
       {OpKind::ReduceSum, OpKind::ReduceMean, OpKind::ReduceMax, OpKind::ReduceMin,
        OpKind::ReduceProd, OpKind::ReduceL1, OpKind::ReduceL2, OpKind::ReduceSumSquare,
        OpKind::ReduceLogSum, OpKind::GlobalAveragePool, OpKind::GlobalMaxPool}},
      {"softmax", refuseSoftmax, lowerSoftmax, {OpKind::Softmax, OpKind::LogSoftmax}},
      {"norm_rows",
       refuseRowNorm,
       lowerRowNorm,
       {OpKind::LayerNormalization, OpKind::RMSNormalization}},
      {"norm_channels",
       refuseChannelNorm,
       lowerChannelNorm,
       {OpKind::InstanceNormalization, OpKind::GroupNormalization}},
      {"pointwise", refusePointwise, lowerPointwise, elementwiseKinds()},
  };
  return table;
}

const Family* familyFor(const Op& op, const kir::Target& target) {
  for (const Family& family : families())
    if (std::ranges::find(family.kinds, op.kind()) != family.kinds.end() &&
        family.refusal(op, target).empty())
      return &family;
  return nullptr;
}

Choice explainChoice(const Op& op, const kir::Target& target) {
  if (isReorderedConstant(op)) return {"constant", {}};
  Choice choice{"reference", {}};
  for (const Family& family : families()) {
    if (std::ranges::find(family.kinds, op.kind()) == family.kinds.end()) continue;
    std::string reason = family.refusal(op, target);
    if (reason.empty()) {
      choice.how = family.name;
      return choice;
    }
    choice.refused.emplace_back(family.name, std::move(reason));
  }
  return choice;
}

} // namespace enfold::lower
