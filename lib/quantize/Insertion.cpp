// quantize_linear and dequantize_linear by the Rewriter.
#include "quantize/Insertion.h"

#include "ir/Rewriter.h"

namespace enfold::quantize {
namespace {

class Insertion {
public:
  Insertion(const Graph& graph, const Plan& plan, std::span<const GroupScale> scales)
      : plan_(plan), scales_(scales) {
    result_.graph = graph.clone();
    rewriter_.emplace(*result_.graph);
    // What stands behind each op, before others are put in between.
    Op* last = nullptr;
    for (const auto& op : result_.graph->ops()) {
      next_[last] = op.get();
      last = op.get();
    }
  }

  void insertCodes();
  void quantizeLayer(const Op& layer, WeightRange range, const Biases& biases);
  QuantizedGraph take() { return std::move(result_); }

private:
  void insertPair(Value* value, const Scale& scale);
  Value* dequantized(const Tensor& codes, std::span<const float> scales, int64_t axis,
                     const std::string& name, Op* before);
  /// In front of everything, as in models of ONNX.
  Value* constant(const Tensor& tensor, std::string name) {
    Op* first = result_.graph->ops().front().get();
    return rewriter_->constant(tensor, std::move(name), first);
  }
  void setConstant(Op* op, size_t operand, Value* value);

  const Plan& plan_;
  std::span<const GroupScale> scales_;
  QuantizedGraph result_;
  std::optional<Rewriter> rewriter_;
  std::unordered_map<const Op*, Op*> next_;
};

void Insertion::insertPair(Value* value, const Scale& scale) {
  Op* producer = value->producer();
  const auto next = next_.find(producer);
  Op* before = next == next_.end() ? nullptr : next->second;
  const std::string name = value->name();
  Op* subject = producer ? producer : before;
  if (!rewriter_->begin("quantize", *subject)) return;
  Value* factor = constant(Tensor::scalar(scale.scale), name + "_scale");
  Value* zero = constant(Tensor::scalar(static_cast<uint8_t>(scale.zero)), name + "_zero_point");
  Op* quantize = rewriter_->create({.kind = OpKind::QuantizeLinear,
                                    .operands = {value, factor, zero},
                                    .resultNames = {name + "_quantized"}},
                                   before);
  Op* dequantize = rewriter_->create({.kind = OpKind::DequantizeLinear,
                                      .operands = {quantize->result(), factor, zero},
                                      .resultNames = {name + "_dequantized"}},
                                     before);
  rewriter_->replace(value, dequantize->result());
  rewriter_->setOperand(quantize, 0, value);
  result_.dequantized[name] = dequantize->result()->name();
}

void Insertion::insertCodes() {
  for (size_t group = 0; group < plan_.groups.size(); ++group)
    for (const Value* member : plan_.groups[group].members)
      insertPair(result_.graph->find(member->name()), scales_[group].scale);
}

Value* Insertion::dequantized(const Tensor& codes, std::span<const float> scales, int64_t axis,
                              const std::string& name, Op* before) {
  const Shape shape = {std::ssize(scales)};
  Value* factor = constant(Tensor::of(shape, scales), name + "_scale");
  Value* zero = constant(Tensor(codes.elem(), shape), name + "_zero_point");
  Value* numbers = constant(codes, name + "_quantized");
  return rewriter_
      ->create({.kind = OpKind::DequantizeLinear,
                .operands = {numbers, factor, zero},
                .attrs = {{"axis", axis}},
                .resultNames = {name + "_dequantized"}},
               before)
      ->result();
}

void Insertion::setConstant(Op* op, size_t operand, Value* value) {
  Value* old = op->own(operand);
  rewriter_->setOperand(op, operand, value);
  if (old->numUses() == 0) rewriter_->erase(old->producer());
}

void Insertion::quantizeLayer(const Op& layer, WeightRange range, const Biases& biases) {
  Op* op = result_.graph->find(layer.result()->name())->producer();
  const bool carries = canCarryBias(layer);
  std::vector<double> bias = carries ? biasOf(layer) : std::vector<double>();
  if (const auto given = biases.find(layer.result()->name()); given != biases.end())
    bias = given->second;
  const Scale& input = scales_[plan_.groupOf.at(layer.own(0))].scale;
  const QuantizedWeights weights = quantizedWeights(layer, range, input.scale, bias);
  if (!rewriter_->begin("quantize", *op)) return;
  setConstant(op, 1,
              dequantized(weights.codes, weights.scales, weights.axis, op->own(1)->name(), op));
  if (weights.bias.empty()) return;
  const auto codes = Tensor::of(Shape{std::ssize(weights.bias)}, std::span(weights.bias));
  const std::string name = op->own(2) ? op->own(2)->name() : op->result()->name() + "_bias";
  Value* value = dequantized(codes, weights.biasScales, 0, name, op);
  if (op->own(2)) return setConstant(op, 2, value);
  // Another op of the same name: operands cannot be added to one.
  OpSpec spec{
      .kind = op->kind(), .operands = {op->own(0), op->own(1), value}, .attrs = op->attrs()};
  spec.origins.assign(op->origins().begin(), op->origins().end());
  Op* made = rewriter_->create(std::move(spec), op);
  const std::string result = op->result()->name();
  rewriter_->replace(op->result(), made->result());
  rewriter_->erase(op);
  rewriter_->rename(made->result(), result);
}

} // namespace

QuantizedGraph insertQuantization(const Graph& graph, const Plan& plan,
                                  std::span<const GroupScale> scales, WeightRange weights,
                                  const Biases& biases) {
  Insertion insertion(graph, plan, scales);
  insertion.insertCodes();
  for (const Layer& layer : plan.layers)
    if (layer.isQuantized()) insertion.quantizeLayer(*layer.op, weights, biases);
  return insertion.take();
}

} // namespace enfold::quantize
