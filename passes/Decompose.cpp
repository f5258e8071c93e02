// decompose: an op without a kernel of its own, or one that is cheaper as something else, is
// written as ops that have kernels. Each kind has a function under passes/decompose.
#include "passes/Decompose.h"

#include "ir/Verifier.h"
#include "passes/Pass.h"
#include "passes/decompose/Parts.h"

#include <algorithm>

namespace enfold {
namespace {

enum class When : uint8_t {
  Always,
  NoKernel, ///< computes it on the target
};

struct Row {
  OpKind kind;
  Decomposition decompose;
  When when = When::Always;
};

constexpr Row kRows[] = {
    {OpKind::AffineGrid, decomposeAffineGrid},
    {OpKind::CastLike, decomposeCastLike},
    {OpKind::CenterCropPad, decomposeCenterCropPad},
    {OpKind::ConvInteger, decomposeConvInteger, When::NoKernel},
    {OpKind::ConvTranspose, decomposeConvTranspose},
    {OpKind::DequantizeLinear, decomposeDequantizeLinear},
    {OpKind::Einsum, decomposeEinsum},
    {OpKind::Gather, decomposeGather},
    {OpKind::GRU, decomposeRecurrence},
    {OpKind::GlobalLpPool, decomposeGlobalLpPool},
    {OpKind::Hardmax, decomposeHardmax},
    {OpKind::LRN, decomposeLRN},
    {OpKind::LSTM, decomposeRecurrence},
    {OpKind::LpNormalization, decomposeLpNormalization},
    {OpKind::MatMulInteger, decomposeMatMulInteger, When::NoKernel},
    {OpKind::MeanVarianceNormalization, decomposeMeanVarianceNormalization},
    {OpKind::OneHot, decomposeOneHot},
    {OpKind::QLinearConv, decomposeQLinearConv},
    {OpKind::QLinearMatMul, decomposeQLinearMatMul},
    {OpKind::QuantizeLinear, decomposeQuantizeLinear},
    {OpKind::RNN, decomposeRecurrence},
    {OpKind::ReduceLogSumExp, decomposeReduceLogSumExp},
    {OpKind::Trilu, decomposeTrilu},
};

const Row* rowOf(OpKind kind) {
  const auto* row = std::ranges::find(kRows, kind, &Row::kind);
  return row == std::end(kRows) ? nullptr : row;
}

/// The row of an op that is to be written as others.
const Row* rowFor(PassContext& context, const Op& op) {
  const Row* row = rowOf(op.kind());
  if (!row || !op.epilogue().empty() || dependsOnData(op)) return nullptr;
  return row->when == When::NoKernel && context.hasKernel(op) ? nullptr : row;
}

/// Parts that are to be taken apart themselves are.
void decompose(PassContext& context, Op& op) {
  const Row* row = rowFor(context, op);
  if (!row || !context.begin(op)) return;
  Rewriter& rewriter = context.rewriter();
  Parts parts(rewriter, op);
  const std::vector<Value*> values = row->decompose(parts).values;
  if (values.empty()) return rewriter.retract();
  context.applied(Reason::Expanded, op, "written as ops that have kernels");
  std::vector<std::pair<Value*, std::string>> names;
  for (size_t i = 0; i < op.numResults(); ++i) {
    const bool isNew = std::ranges::find(op.operands(), values[i]) == op.operands().end();
    if (isNew) names.emplace_back(values[i], op.result(i)->name());
    rewriter.replace(op.result(i), values[i]);
  }
  rewriter.eraseDead(&op);
  for (const auto& [value, name] : names) rewriter.rename(value, name);
  for (Op* part : parts.made())
    if (part->result()->numUses() > 0) decompose(context, *part);
}

} // namespace

bool isDecomposed(OpKind kind) { return rowOf(kind) != nullptr; }

Result<> decompose(PassContext& context) {
  for (auto it = context.graph().ops().begin(); it != context.graph().ops().end();) {
    decompose(context, **it++);
  }
  return {};
}

} // namespace enfold
