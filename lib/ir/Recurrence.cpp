// Types of recurrent ops, and their activations by name.
#include "ir/Recurrence.h"

#include "ir/Infer.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <optional>

namespace enfold {
namespace {

/// Names of ONNX, which count in any case, as in ONNX Runtime.
struct ActivationRow {
  std::string_view name;
  RecurrentActivation::Form form;
  OpKind kind;
  bool takesAlpha, takesBeta;
};
using enum RecurrentActivation::Form;
constexpr ActivationRow kActivations[] = {
    {"relu", Elementwise, OpKind::Relu, false, false},
    {"tanh", Elementwise, OpKind::Tanh, false, false},
    {"sigmoid", Elementwise, OpKind::Sigmoid, false, false},
    {"affine", Affine, OpKind::Identity, true, true},
    {"leakyrelu", Elementwise, OpKind::LeakyRelu, true, false},
    {"thresholdedrelu", Elementwise, OpKind::ThresholdedRelu, true, false},
    {"scaledtanh", ScaledTanh, OpKind::Identity, true, true},
    {"hardsigmoid", Elementwise, OpKind::HardSigmoid, true, true},
    {"elu", Elementwise, OpKind::Elu, true, false},
    {"softsign", Elementwise, OpKind::Softsign, false, false},
    {"softplus", Elementwise, OpKind::Softplus, false, false},
};

std::string lowerCase(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

/// The next number of a list of which every function takes those it needs; none when it is at its
/// end.
std::optional<float> next(const std::vector<float>& numbers, size_t& at) {
  return at < numbers.size() ? std::optional(numbers[at++]) : std::nullopt;
}

int64_t directionsOf(const AttrMap& attrs, OpKind kind) {
  return attrOr<std::string>(info(kind), attrs, "direction") == "bidirectional" ? 2 : 1;
}

enum Operand : size_t { X, W, R, B, SequenceLens, InitialH, InitialC, P };

/// An error unless a present operand has that shape.
Result<> needsShape(const InferContext& c, size_t operand, const Shape& shape) {
  if (!c.has(operand) || c.shape(operand) == shape) return {};
  return failure(ErrorCode::ShapeMismatch,
                 fmt::format("operand '{}' of {} is {} where {} is needed",
                             c.info().operands[operand].name, c.info().name, str(c.shape(operand)),
                             str(shape)));
}

} // namespace

int64_t gatesOf(OpKind kind) { return kind == OpKind::LSTM ? 4 : kind == OpKind::GRU ? 3 : 1; }

size_t activationsOf(OpKind kind) { return kind == OpKind::LSTM ? 3 : kind == OpKind::GRU ? 2 : 1; }

bool isRecurrent(OpKind kind) {
  return kind == OpKind::LSTM || kind == OpKind::GRU || kind == OpKind::RNN;
}

Result<std::vector<RecurrentActivation>> recurrentActivations(OpKind kind, const AttrMap& attrs) {
  const OpInfo& row = info(kind);
  const size_t needed = activationsOf(kind) * static_cast<size_t>(directionsOf(attrs, kind));
  auto names = attrOr<std::vector<std::string>>(row, attrs, "activations");
  if (names.empty())
    for (size_t i = 0; i < needed; ++i)
      names.emplace_back(kind != OpKind::RNN && i % activationsOf(kind) == 0 ? "Sigmoid" : "Tanh");
  if (names.size() != needed)
    return failure(ErrorCode::BadAttribute,
                   fmt::format("attribute 'activations' of {} has {} names where {} are needed",
                               row.name, names.size(), needed));
  const auto alphas = attrOr<std::vector<float>>(row, attrs, "activation_alpha");
  const auto betas = attrOr<std::vector<float>>(row, attrs, "activation_beta");
  size_t alphaAt = 0, betaAt = 0;
  std::vector<RecurrentActivation> activations;
  for (const std::string& name : names) {
    const auto* known = std::ranges::find(kActivations, lowerCase(name), &ActivationRow::name);
    if (known == std::end(kActivations))
      return failure(
          ErrorCode::BadAttribute,
          fmt::format("attribute 'activations' of {} has no function '{}'", row.name, name));
    RecurrentActivation activation{known->form, known->kind};
    const auto alpha = known->takesAlpha ? next(alphas, alphaAt) : std::nullopt;
    const auto beta = known->takesBeta ? next(betas, betaAt) : std::nullopt;
    if (known->form == Elementwise) {
      if (alpha) activation.attrs.emplace("alpha", *alpha);
      if (beta) activation.attrs.emplace("beta", *beta);
    } else {
      activation.alpha = alpha.value_or(1.0f);
      activation.beta = beta.value_or(known->form == Affine ? 0.0f : 1.0f);
    }
    activations.push_back(std::move(activation));
  }
  return activations;
}

RecurrentShape recurrentShape(OpKind kind, std::span<const Shape* const> operands,
                              const AttrMap& attrs) {
  const OpInfo& row = info(kind);
  const Shape &x = *operands[X], &r = *operands[R];
  RecurrentShape shape;
  shape.batchFirst = attrOr<int64_t>(row, attrs, "layout") != 0;
  shape.time = x[shape.batchFirst ? 1 : 0];
  shape.batch = x[shape.batchFirst ? 0 : 1];
  shape.hidden = r[2];
  shape.gates = gatesOf(kind);
  shape.directions = directionsOf(attrs, kind);
  shape.reverse = attrOr<std::string>(row, attrs, "direction") == "reverse";
  shape.projected = operands[W] == nullptr;
  return shape;
}

Result<std::vector<Type>> inferRecurrence(const InferContext& c) {
  const OpKind kind = c.info().kind;
  const ElemType elem = c.type(X).elem;
  if (!isFloat(elem))
    return failure(ErrorCode::TypeMismatch,
                   fmt::format("{} is not defined for {}", c.info().name, name(elem)));
  for (const size_t operand : {X, W, R})
    if (c.has(operand)) ENFOLD_RETURN_IF_ERROR(needsRank(c, operand, 3));
  std::vector<const Shape*> shapes;
  for (size_t i = 0; i < c.info().operands.size(); ++i) {
    shapes.push_back(c.has(i) ? &c.shape(i) : nullptr);
    if (!c.has(i)) continue;
    const ElemType wanted = i == SequenceLens ? ElemType::I32 : elem;
    if (c.type(i).elem != wanted)
      return failure(ErrorCode::TypeMismatch,
                     fmt::format("operand '{}' of {} holds {} where {} is needed",
                                 c.info().operands[i].name, c.info().name, name(c.type(i).elem),
                                 name(wanted)));
  }
  const RecurrentShape s = recurrentShape(kind, shapes, c.attrs());
  const int64_t rows = s.gates * s.hidden;
  if (s.hidden < 1)
    return failure(ErrorCode::ShapeMismatch, fmt::format("{} has no hidden units", c.info().name));
  if (c.hasAttr("hidden_size") && c.integer("hidden_size") != s.hidden)
    return failure(
        ErrorCode::BadAttribute,
        fmt::format("attribute 'hidden_size' of {} is {} where its weights have {} units",
                    c.info().name, c.integer("hidden_size"), s.hidden));
  ENFOLD_RETURN_IF_ERROR(needsShape(c, R, {s.directions, rows, s.hidden}));
  if (s.projected)
    ENFOLD_RETURN_IF_ERROR(needsShape(c, X, {c.shape(X)[0], c.shape(X)[1], s.directions * rows}));
  else
    ENFOLD_RETURN_IF_ERROR(needsShape(c, W, {s.directions, rows, c.shape(X)[2]}));
  ENFOLD_RETURN_IF_ERROR(needsShape(c, B, {s.directions, (s.projected ? 1 : 2) * rows}));
  ENFOLD_RETURN_IF_ERROR(needsShape(c, SequenceLens, {s.batch}));
  const Shape state = s.batchFirst ? Shape{s.batch, s.directions, s.hidden}
                                   : Shape{s.directions, s.batch, s.hidden};
  ENFOLD_RETURN_IF_ERROR(needsShape(c, InitialH, state));
  ENFOLD_RETURN_IF_ERROR(needsShape(c, InitialC, state));
  ENFOLD_RETURN_IF_ERROR(needsShape(c, P, {s.directions, 3 * s.hidden}));
  ENFOLD_RETURN_IF_ERROR(recurrentActivations(kind, c.attrs()));
  const Shape y = s.batchFirst ? Shape{s.batch, s.time, s.directions, s.hidden}
                               : Shape{s.time, s.directions, s.batch, s.hidden};
  std::vector<Type> types = {{elem, y, {}}, {elem, state, {}}};
  if (kind == OpKind::LSTM) types.push_back({elem, state, {}});
  return types;
}

} // namespace enfold
