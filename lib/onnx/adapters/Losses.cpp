// Losses of classifiers, taken apart as ONNX defines them.
#include "onnx/adapters/Adapters.h"

#include <fmt/format.h>

namespace enfold::onnx {
namespace {

/// The weights of the elements of `target` and the classes to read: element for element the class
/// itself and its weight, class 0 and weight 0 where the class is the ignored one.
struct Choice {
  Value* classes = nullptr;
  Value* weights = nullptr; ///< null if all are 1
};

Result<Choice> choose(Node& node, ElemType elem, Value* target, Value* weight) {
  ENFOLD_TRY(const auto ignored, node.take<int64_t>("ignore_index"));
  Choice choice{target, nullptr};
  Value* isIgnored = nullptr;
  if (ignored) {
    Value* index = node.scalarConstant(target->elem(), static_cast<double>(*ignored), "ignored");
    Value* first = node.scalarConstant(target->elem(), 0, "first");
    ENFOLD_TRY(isIgnored, node.emit(OpKind::Equal, {target, index}));
    ENFOLD_TRY(choice.classes, node.emit(OpKind::Where, {isIgnored, first, target}));
  }
  if (weight) {
    ENFOLD_TRY(choice.weights, node.emit(OpKind::Gather, {weight, choice.classes}));
  }
  if (isIgnored) {
    Value* counted = choice.weights ? choice.weights : node.scalarConstant(elem, 1, "one");
    Value* none = node.scalarConstant(elem, 0, "none");
    ENFOLD_TRY(choice.weights, node.emit(OpKind::Where, {isIgnored, none, counted}));
  }
  return choice;
}

Result<Value*> sumOfAll(Node& node, Value* x) {
  return node.emit(OpKind::ReduceSum, {x}, {{"keepdims", int64_t{0}}});
}

/// -weight of its class · logProb of its class for each element of the target, reduced. logProb is
/// [N, C, d…], target [N, d…], weight [C] or null.
Result<Value*> negativeLogLikelihood(Node& node, Value* logProb, Value* target, Value* weight) {
  ENFOLD_TRY(const std::string reduction,
             node.takeRow<std::string>("reduction: string = mean in {none, sum, mean}"));
  ENFOLD_TRY(const Choice choice, choose(node, logProb->elem(), target, weight));
  Value* axis = node.intsConstant({1}, "axis");
  ENFOLD_TRY(Value * index, node.emit(OpKind::Unsqueeze, {choice.classes, axis}));
  ENFOLD_TRY(Value * column,
             node.emit(OpKind::GatherElements, {logProb, index}, {{"axis", int64_t{1}}}));
  ENFOLD_TRY(Value * chosen, node.emit(OpKind::Squeeze, {column, axis}));
  ENFOLD_TRY(Value * loss, node.emit(OpKind::Neg, {chosen}));
  if (choice.weights) {
    ENFOLD_TRY(loss, node.emit(OpKind::Mul, {loss, choice.weights}));
  }
  if (reduction == "none") return loss;
  if (reduction == "sum") return sumOfAll(node, loss);
  if (!choice.weights) return node.emit(OpKind::ReduceMean, {loss}, {{"keepdims", int64_t{0}}});
  ENFOLD_TRY(Value * sum, sumOfAll(node, loss));
  ENFOLD_TRY(Value * count, sumOfAll(node, choice.weights));
  return node.emit(OpKind::Div, {sum, count});
}

} // namespace

Result<Values> negativeLogLikelihoodLoss(Node& node) {
  ENFOLD_TRY(Value * logProb, node.required(0));
  ENFOLD_TRY(Value * target, node.required(1));
  ENFOLD_TRY(Value * loss, negativeLogLikelihood(node, logProb, target, node.operand(2)));
  return node.finishAs({loss});
}

Result<Values> softmaxCrossEntropyLoss(Node& node) {
  ENFOLD_TRY(Value * scores, node.required(0));
  ENFOLD_TRY(Value * labels, node.required(1));
  ENFOLD_TRY(Value * logProb, node.emit(OpKind::LogSoftmax, {scores}, {{"axis", int64_t{1}}}));
  ENFOLD_TRY(Value * loss, negativeLogLikelihood(node, logProb, labels, node.operand(2)));
  return node.finishAs({loss, logProb});
}

} // namespace enfold::onnx
