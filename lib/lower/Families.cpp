// The table of kernel families.
#include "lower/Families.h"

#include "ir/Products.h"
#include "ir/Verifier.h"
#include "lower/Layouts.h"
#include "lower/Pointwise.h"
#include "lower/Reorder.h"
#include "lower/Select.h"
#include "lower/Storage.h"
#include "lower/conv/Candidates.h"
#include "lower/conv/Conv.h"
#include "lower/conv/Transposed.h"
#include "lower/gemm/Gemm.h"
#include "lower/index/Gather.h"
#include "lower/index/Lookup.h"
#include "lower/index/Scatter.h"
#include "lower/movement/EdgePad.h"
#include "lower/movement/Movement.h"
#include "lower/norm/ChannelNorm.h"
#include "lower/norm/RowNorm.h"
#include "lower/pool/BlockedPool.h"
#include "lower/pool/PlainPool.h"
#include "lower/quantize/DynamicQuantize.h"
#include "lower/recurrent/Recurrence.h"
#include "lower/reduce/ArgReduce.h"
#include "lower/reduce/Reduction.h"
#include "lower/reduce/Scan.h"
#include "lower/reduce/Softmax.h"
#include "lower/reduce/TopK.h"
#include "lower/resize/BlockedResize.h"
#include "lower/resize/PlainResize.h"

#include <fmt/format.h>

#include <algorithm>

namespace enfold::lower {
namespace {

std::vector<OpKind> elementwiseKinds() {
  std::vector<OpKind> kinds;
  for (const OpInfo& row : opTable())
    if (row.is(traits::Elementwise)) kinds.push_back(row.kind);
  return kinds;
}

bool fits(const Type& type, Layouts layouts, const kir::Target& target) {
  if (type.layout.isPlain() || layouts == Layouts::Any) return true;
  return layouts == Layouts::Vectors && isBlockable(type) && isVector(type.layout, target);
}

/// Whether the op adds or compares elements of which there are none: a rare case, which kernels
/// need not know of.
bool readsNothing(const Op& op) {
  const auto isEmpty = [&](size_t i) { return op.own(i) && op.own(i)->type().numElements() == 0; };
  if (op.kind() == OpKind::Concat || op.kind() == OpKind::Pad) return false;
  return isEmpty(0) || (sumsProducts(op.kind()) && isEmpty(1));
}

std::string refusalOf(const Family& family, const Op& op, const kir::Target& target) {
  if (target.disabledKernels.contains(family.name)) return "disabled";
  if (readsNothing(op)) return "an operand has no elements";
  if (dependsOnData(op)) return "the result's shape depends on data";
  const auto wrong = [&](const Value* v) { return v && !fits(v->type(), family.layouts, target); };
  for (const Value* operand : op.operands())
    if (wrong(operand)) return fmt::format("%{} is {}", operand->name(), operand->type().str());
  for (size_t i = 0; i < op.numResults(); ++i)
    if (wrong(op.result(i)))
      return fmt::format("%{} is {}", op.result(i)->name(), op.result(i)->type().str());
  return family.refusal(op, target);
}

} // namespace

std::span<const Family> families() {
  static const std::vector<Family> table = {
      {"conv",
       Layouts::Vectors,
       refuseConv,
       lowerConv,
       {OpKind::Conv, OpKind::ConvInteger},
       convLayouts,
       explainConv},
      {"conv_transposed",
       Layouts::Vectors,
       refuseConvTransposed,
       lowerConvTransposed,
       {OpKind::ConvTranspose},
       convLayouts},
      {"pool_blocked",
       Layouts::Vectors,
       refuseBlockedPool,
       lowerBlockedPool,
       {OpKind::MaxPool, OpKind::AveragePool},
       blockedPoolLayouts},
      {"pool_plain",
       Layouts::Plain,
       refusePlainPool,
       lowerPlainPool,
       {OpKind::MaxPool, OpKind::AveragePool, OpKind::LpPool}},
      {"global_pool_blocked",
       Layouts::Vectors,
       refuseBlockedGlobalPool,
       lowerBlockedGlobalPool,
       {OpKind::GlobalAveragePool, OpKind::GlobalMaxPool},
       blockedGlobalPoolLayouts},
      {"resize_blocked",
       Layouts::Vectors,
       refuseBlockedResize,
       lowerBlockedResize,
       {OpKind::Resize},
       blockedResizeLayouts},
      {"resize_plain", Layouts::Plain, refusePlainResize, lowerPlainResize, {OpKind::Resize}},
      {"gemm",
       Layouts::Plain,
       refuseGemm,
       lowerGemm,
       {OpKind::Gemm, OpKind::MatMul, OpKind::MatMulInteger}},
      {"strided_copy",
       Layouts::Any,
       refuseMovement,
       lowerMovement,
       {OpKind::Transpose, OpKind::Slice, OpKind::Split, OpKind::Concat, OpKind::Expand,
        OpKind::Tile, OpKind::DepthToSpace, OpKind::SpaceToDepth, OpKind::Reorder, OpKind::Pad,
        OpKind::Reshape, OpKind::Flatten, OpKind::Squeeze, OpKind::Unsqueeze},
       movementLayouts},
      {"pad", Layouts::Vectors, refuseEdgePad, lowerEdgePad, {OpKind::Pad}, edgePadLayouts},
      {"lookup", Layouts::Any, refuseLookup, lowerLookup, {OpKind::Gather}, lookupLayouts},
      {"gather_rows",
       Layouts::Plain,
       refuseGatherRows,
       lowerGatherRows,
       {OpKind::Gather, OpKind::GatherND}},
      {"gather_elements",
       Layouts::Plain,
       refuseGatherElements,
       lowerGatherElements,
       {OpKind::GatherElements}},
      {"reverse_sequence",
       Layouts::Plain,
       refuseReverseSequence,
       lowerReverseSequence,
       {OpKind::ReverseSequence}},
      {"scatter_elements",
       Layouts::Plain,
       refuseScatterElements,
       lowerScatterElements,
       {OpKind::ScatterElements}},
      {"scatter_nd", Layouts::Plain, refuseScatterND, lowerScatterND, {OpKind::ScatterND}},
      {"topk", Layouts::Plain, refuseTopK, lowerTopK, {OpKind::TopK}},
      {"scan", Layouts::Plain, refuseScan, lowerScan, {OpKind::CumSum, OpKind::CumProd}},
      {"arg_reduce",
       Layouts::Plain,
       refuseArgReduce,
       lowerArgReduce,
       {OpKind::ArgMax, OpKind::ArgMin}},
      {"reduction",
       Layouts::Vectors,
       refuseReduction,
       lowerReduction,
       {OpKind::ReduceSum, OpKind::ReduceMean, OpKind::ReduceMax, OpKind::ReduceMin,
        OpKind::ReduceProd, OpKind::ReduceL1, OpKind::ReduceL2, OpKind::ReduceSumSquare,
        OpKind::ReduceLogSum, OpKind::GlobalAveragePool, OpKind::GlobalMaxPool},
       reductionLayouts},
      {"softmax",
       Layouts::Plain,
       refuseSoftmax,
       lowerSoftmax,
       {OpKind::Softmax, OpKind::LogSoftmax}},
      {"recurrence",
       Layouts::Plain,
       refuseRecurrence,
       lowerRecurrence,
       {OpKind::LSTM, OpKind::GRU, OpKind::RNN}},
      {"select", Layouts::Plain, refuseSelect, lowerSelect, {OpKind::Select}},
      {"norm_rows",
       Layouts::Plain,
       refuseRowNorm,
       lowerRowNorm,
       {OpKind::LayerNormalization, OpKind::RMSNormalization}},
      {"norm_channels",
       Layouts::Vectors,
       refuseChannelNorm,
       lowerChannelNorm,
       {OpKind::InstanceNormalization, OpKind::GroupNormalization},
       channelNormLayouts},
      {"dynamic_quantize",
       Layouts::Vectors,
       refuseDynamicQuantize,
       lowerDynamicQuantize,
       {OpKind::DynamicQuantizeLinear},
       dynamicQuantizeLayouts},
      {"pointwise", Layouts::Vectors, refusePointwise, lowerPointwise, elementwiseKinds(),
       pointwiseLayouts},
  };
  return table;
}

std::vector<std::string_view> kernelNames() {
  std::vector<std::string_view> names(kConvKernels.begin(), kConvKernels.end());
  for (const Family& family : families()) names.push_back(family.name);
  return names;
}

bool isKernelName(std::string_view name) {
  const std::vector<std::string_view> names = kernelNames();
  return std::ranges::find(names, name) != names.end();
}

const Family* familyFor(const Op& op, const kir::Target& target) {
  for (const Family& family : families())
    if (std::ranges::find(family.kinds, op.kind()) != family.kinds.end() &&
        refusalOf(family, op, target).empty())
      return &family;
  return nullptr;
}

/// Whether the op has a kernel of blocks for the element type that it reads. What its epilogue
/// makes of it may be of any type.
static bool readsBlocks(const Op& op) {
  const ElemType elem = op.own(0)->elem();
  switch (op.kind()) {
  case OpKind::Conv:
  case OpKind::ConvTranspose:
    return sumsInF32(op);
  case OpKind::ConvInteger:
    return elem == ElemType::U8 || elem == ElemType::I8;
  case OpKind::MaxPool:
  case OpKind::GlobalMaxPool:
    return elem != ElemType::Bool;
  default:
    return elem == ElemType::F32 || elem == ElemType::F16 || elem == ElemType::BF16;
  }
}

OpLayouts bestLayouts(const Op& op, const kir::Target& target) {
  if (target.disabledKernels.contains("strided_copy")) return {}; // which makes the blocks
  if (op.numResults() == 0 || !op.own(0) || target.lanes(kir::Scalar::F32) < 2) return {};
  // Only the reference function can compute those.
  if (op.own(0)->type().numElements() == 0 || readsNothing(op) || dependsOnData(op)) return {};
  const auto lacksArithmetic = [](const Value* v) { return v && !hasArithmetic(v->elem()); };
  if (std::ranges::any_of(op.operands().subspan(op.numOwnOperands()), lacksArithmetic)) return {};
  // The extreme of a tensor in blocks is none itself.
  const bool isExtreme = op.kind() == OpKind::ReduceMax || op.kind() == OpKind::ReduceMin;
  const Type& y = isExtreme ? op.own(0)->type() : op.result()->type();
  const bool computes = !op.info().is(traits::Elementwise) && op.info().supportsEpilogue();
  if (!isBlockable(y) || (computes && !readsBlocks(op))) return {};
  for (const Family& family : families()) {
    if (!family.best || target.disabledKernels.contains(family.name) ||
        std::ranges::find(family.kinds, op.kind()) == family.kinds.end())
      continue;
    if (OpLayouts layouts = family.best(op, target); !layouts.arePlain()) return layouts;
  }
  return {};
}

bool hasKernel(const Op& op, const kir::Target& target) {
  return !bestLayouts(op, target).arePlain() || familyFor(op, target) != nullptr;
}

Choice explainChoice(const Op& op, const kir::Target& target) {
  if (isReorderedConstant(op)) return {"constant", {}};
  Choice choice{"reference", {}};
  for (const Family& family : families()) {
    if (std::ranges::find(family.kinds, op.kind()) == family.kinds.end()) continue;
    std::string reason = refusalOf(family, op, target);
    if (reason.empty()) {
      if (family.explain) return family.explain(op, target);
      choice.how = family.name;
      return choice;
    }
    choice.refused.emplace_back(family.name, std::move(reason));
  }
  return choice;
}

} // namespace enfold::lower
