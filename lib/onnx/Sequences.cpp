// Sequences and optional values. They exist only while a model is imported: a sequence is the list
// of its tensors, and an optional value is there or not.
#include "onnx/Attributes.h"
#include "onnx/GraphImporter.h"
#include "onnx/OperatorTable.h"
#include "onnx/adapters/Compose.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>

#include <algorithm>

namespace enfold::onnx {
namespace {

/// Tensors of a sequence, which a model of a few bytes can ask for.
constexpr int64_t kMostTensors = 1 << 16;

/// The number a position operand holds.
Result<int64_t> positionIn(const Tensor* known, std::string_view what) {
  if (!known)
    return std::unexpected(
        Error(ErrorKind::DataDependent,
              fmt::format("its {} is not known when the model is compiled", what)));
  if (known->numElements() != 1 || !isInteger(known->elem()))
    return failure(ErrorCode::TypeMismatch,
                   fmt::format("its {} must be one integer, not {}", what, known->type().str()));
  return known->asInt(0);
}

/// The sizes that a split of `length` elements gives.
Result<std::vector<int64_t>> pieces(const Tensor* split, int64_t length) {
  if (!split) return std::vector<int64_t>(static_cast<size_t>(length), 1);
  if (!isInteger(split->elem()) || split->rank() > 1)
    return failure(ErrorCode::TypeMismatch, fmt::format("its split is {}", split->type().str()));
  if (split->rank() == 1) {
    std::vector<int64_t> sizes = split->toInts();
    int64_t rest = length;
    for (const int64_t size : sizes) {
      if (size < 0 || size > rest)
        return failure(ErrorCode::ShapeMismatch, "its split does not fit");
      rest -= size;
    }
    if (rest != 0) return failure(ErrorCode::ShapeMismatch, "its split does not fit");
    return sizes;
  }
  const int64_t size = split->asInt(0);
  if (size < 1) return invalid(fmt::format("its split into pieces of {}", size));
  std::vector<int64_t> sizes;
  for (int64_t rest = length; rest > 0; rest -= size) sizes.push_back(std::min(rest, size));
  return sizes;
}

} // namespace

/// One operator of sequences or optional values: its inputs, and what its results are.
class GraphImporter::SequenceNode {
public:
  SequenceNode(GraphImporter& importer, Node& node, Bindings inputs, int numInputs)
      : importer_(importer), node_(node), inputs_(std::move(inputs)), numInputs_(numInputs) {}

  Result<Binding> construct();
  Result<Binding> at();
  Result<Binding> insert();
  Result<Binding> erase();
  Result<Binding> length();
  Result<Binding> split();
  Result<Binding> concat();
  Result<Binding> identity() { return input(0); }
  Result<Binding> hasElement();
  Result<Binding> getElement();
  Result<Binding> optional();

private:
  static Binding known(Value* value) { return {Binding::State::Known, value}; }
  static Binding known(Values sequence) {
    return {Binding::State::Known, nullptr, std::make_shared<const Values>(std::move(sequence))};
  }
  Binding input(size_t i) const {
    return i < inputs_.size() ? inputs_[i] : Binding{Binding::State::Absent, nullptr};
  }
  Result<Value*> tensor(size_t i) const;
  Result<Values> sequence(size_t i) const;
  /// The place that operand `i` names in a sequence of `count` places.
  Result<int64_t> place(size_t i, int64_t count) const;

  GraphImporter& importer_;
  Node& node_;
  Bindings inputs_;
  int numInputs_;
};

Result<Value*> GraphImporter::SequenceNode::tensor(size_t i) const {
  if (Value* value = input(i).value) return value;
  return failure(ErrorCode::TypeMismatch, fmt::format("its input {} is no tensor", i));
}

Result<Values> GraphImporter::SequenceNode::sequence(size_t i) const {
  if (const auto list = input(i).sequence) return *list;
  return failure(ErrorCode::TypeMismatch, fmt::format("its input {} is no sequence", i));
}

Result<int64_t> GraphImporter::SequenceNode::place(size_t i, int64_t count) const {
  ENFOLD_TRY(const Value* value, tensor(i));
  ENFOLD_TRY(int64_t at, positionIn(node_.known(value), "position"));
  if (at < -count || at >= count)
    return failure(ErrorCode::BadData,
                   fmt::format("position {} in a sequence of {} places", at, count));
  return at < 0 ? at + count : at;
}

Result<GraphImporter::Binding> GraphImporter::SequenceNode::construct() {
  Values all;
  for (size_t i = 0; i < inputs_.size(); ++i) {
    ENFOLD_TRY(Value * value, tensor(i));
    all.push_back(value);
  }
  return known(std::move(all));
}

Result<GraphImporter::Binding> GraphImporter::SequenceNode::at() {
  ENFOLD_TRY(const Values all, sequence(0));
  ENFOLD_TRY(const int64_t i, place(1, static_cast<int64_t>(all.size())));
  return known(all[static_cast<size_t>(i)]);
}

Result<GraphImporter::Binding> GraphImporter::SequenceNode::insert() {
  ENFOLD_TRY(Values all, sequence(0));
  ENFOLD_TRY(Value * value, tensor(1));
  const auto count = static_cast<int64_t>(all.size());
  if (count == kMostTensors)
    return unsupported(fmt::format("a sequence of more than {} tensors", kMostTensors));
  int64_t i = count;
  if (input(2).value) {
    ENFOLD_TRY(const Value* position, tensor(2));
    ENFOLD_TRY(i, positionIn(node_.known(position), "position"));
    if (i < -count || i > count)
      return failure(ErrorCode::BadData,
                     fmt::format("position {} in a sequence of {} tensors", i, count));
    if (i < 0) i += count;
  }
  all.insert(all.begin() + static_cast<ptrdiff_t>(i), value);
  return known(std::move(all));
}

Result<GraphImporter::Binding> GraphImporter::SequenceNode::erase() {
  ENFOLD_TRY(Values all, sequence(0));
  if (all.empty())
    return failure(ErrorCode::BadData, "nothing can be erased from an empty sequence");
  int64_t i = static_cast<int64_t>(all.size()) - 1;
  if (input(1).value) {
    ENFOLD_TRY(i, place(1, static_cast<int64_t>(all.size())));
  }
  all.erase(all.begin() + static_cast<ptrdiff_t>(i));
  return known(std::move(all));
}

Result<GraphImporter::Binding> GraphImporter::SequenceNode::length() {
  ENFOLD_TRY(const Values all, sequence(0));
  return known(node_.constant(Tensor::scalar(static_cast<int64_t>(all.size())), "length"));
}

Result<GraphImporter::Binding> GraphImporter::SequenceNode::split() {
  ENFOLD_TRY(const int64_t axis, node_.takeRow<int64_t>("axis: int = 0"));
  ENFOLD_TRY(const int64_t keeps, node_.takeRow<int64_t>("keepdims: flag = 1"));
  ENFOLD_TRY(Value * x, tensor(0));
  ENFOLD_TRY(const int64_t along, normalizeAxis(axis, x->type().rank()));
  const Tensor* split = nullptr;
  if (const Value* sizes = input(1).value) {
    split = node_.known(sizes);
    if (!split)
      return std::unexpected(
          Error(ErrorKind::DataDependent, "its split is not known when the model is compiled"));
  }
  const int64_t length = x->shape()[static_cast<size_t>(along)];
  if (length > kMostTensors)
    return unsupported(fmt::format("a sequence of more than {} tensors", kMostTensors));
  ENFOLD_TRY(const std::vector<int64_t> sizes, pieces(split, length));
  Compose to(node_);
  Values parts;
  int64_t begin = 0;
  for (const int64_t size : sizes) {
    ENFOLD_TRY(Value * part, to.slice(x, along, begin, begin + size));
    begin += size;
    if (!split && !keeps) {
      Shape shape = part->shape();
      shape.erase(shape.begin() + static_cast<ptrdiff_t>(along));
      ENFOLD_TRY(part, to.reshape(part, shape));
    }
    parts.push_back(part);
  }
  return known(std::move(parts));
}

Result<GraphImporter::Binding> GraphImporter::SequenceNode::concat() {
  ENFOLD_TRY(const int64_t axis, node_.takeRow<int64_t>("axis: int"));
  ENFOLD_TRY(const int64_t isNew, node_.takeRow<int64_t>("new_axis: flag = 0"));
  ENFOLD_TRY(Values all, sequence(0));
  if (all.empty())
    return failure(ErrorCode::BadData, "a sequence without tensors has nothing to join");
  Compose to(node_);
  ENFOLD_TRY(const int64_t along,
             normalizeAxis(axis, all.front()->type().rank() + (isNew ? 1 : 0)));
  if (isNew)
    for (Value*& value : all) {
      Shape shape = value->shape();
      if (along > value->type().rank())
        return failure(ErrorCode::ShapeMismatch, "its tensors are of different ranks");
      shape.insert(shape.begin() + static_cast<ptrdiff_t>(along), 1);
      ENFOLD_TRY(value, to.reshape(value, shape));
    }
  ENFOLD_TRY(Value * joined, to.concat(std::move(all), along));
  return known(joined);
}

Result<GraphImporter::Binding> GraphImporter::SequenceNode::hasElement() {
  return known(node_.constant(
      Tensor::scalar(numInputs_ > 0 && input(0).state == Binding::State::Known), "has_element"));
}

Result<GraphImporter::Binding> GraphImporter::SequenceNode::getElement() {
  if (input(0).state == Binding::State::Known) return input(0);
  return failure(ErrorCode::BadData, "an optional value that is not there");
}

Result<GraphImporter::Binding> GraphImporter::SequenceNode::optional() { return input(0); }

Result<bool> GraphImporter::importSequenceNode(pb::NodeProto& proto, const std::string& origin,
                                               Scope& scope) {
  struct Row {
    std::string_view type;
    int64_t since;
    Result<Binding> (SequenceNode::*import)();
  };
  constexpr Row kRows[] = {
      {"ConcatFromSequence", 11, &SequenceNode::concat},
      {"Identity", 14, &SequenceNode::identity},
      {"Optional", 15, &SequenceNode::optional},
      {"OptionalGetElement", 15, &SequenceNode::getElement},
      {"OptionalHasElement", 15, &SequenceNode::hasElement},
      {"SequenceAt", 11, &SequenceNode::at},
      {"SequenceConstruct", 11, &SequenceNode::construct},
      {"SequenceEmpty", 11, &SequenceNode::construct},
      {"SequenceErase", 11, &SequenceNode::erase},
      {"SequenceInsert", 11, &SequenceNode::insert},
      {"SequenceLength", 11, &SequenceNode::length},
      {"SplitToSequence", 11, &SequenceNode::split},
  };
  const auto* row = std::ranges::find(kRows, proto.op_type(), &Row::type);
  if (row == std::end(kRows)) return false;
  ENFOLD_CHECK(row->type == "Identity" || isStructural("", row->type), "signatures refuse it");
  const int64_t opset = opsetOf(proto, scope);
  ENFOLD_TRY(auto inputs, bindingsOf(proto, scope));
  if (!inputs) return true;
  if (proto.op_type() == "Identity" &&
      (inputs->size() != 1 || proto.input(0).empty() || inputs->front().value))
    return false; // of a tensor
  if (opset < row->since)
    return failure(ErrorCode::UnsupportedOpset,
                   fmt::format("the operator exists from opset {} on", row->since));
  Node node = makeNode(proto, origin, opset);
  ENFOLD_TRY(node.attrs, decodeAttributes(proto, external_, options_.limits));
  node.drop({"dtype", "type"}); // of what is not there
  SequenceNode sequence(*this, node, *std::move(inputs), proto.input_size());
  ENFOLD_TRY(const Binding result, (sequence.*row->import)());
  if (!node.attrs.empty())
    return failure(ErrorCode::BadAttribute,
                   fmt::format("it has no attribute '{}'", node.attrs.begin()->first));
  if (proto.output_size() != 1) return failure(ErrorCode::BadOperands, "it must have one output");
  bindCalled(proto.output(0), &result, scope);
  return true;
}

// A function of the elements of sequences, or of these and tensors.
Result<> GraphImporter::importSequenceMap(pb::NodeProto& proto, const std::string& origin,
                                          Scope& scope) {
  ENFOLD_TRY(const auto inputs, bindingsOf(proto, scope));
  if (!inputs) return {};
  ENFOLD_RETURN_IF_ERROR(checkDepth(scope));
  ENFOLD_TRY(pb::GraphProto * body, subgraphOf(proto, "body"));
  if (inputs->empty() || !inputs->front().sequence)
    return failure(ErrorCode::TypeMismatch, "its first input is no sequence");
  if (static_cast<size_t>(body->input_size()) != inputs->size() ||
      body->output_size() != proto.output_size())
    return failure(ErrorCode::BadOperands, fmt::format("its body has {} inputs and {} outputs",
                                                       body->input_size(), body->output_size()));
  std::vector<Values> results(static_cast<size_t>(proto.output_size()));
  for (size_t i = 0; i < inputs->front().sequence->size(); ++i) {
    if (overLimits_) return {};
    ENFOLD_RETURN_IF_ERROR(countInlined(static_cast<int64_t>(body->ByteSizeLong())));
    Bindings given;
    for (const Binding& binding : *inputs) {
      if (binding.sequence && i >= binding.sequence->size())
        return failure(ErrorCode::ShapeMismatch, "its sequences are of different lengths");
      given.push_back(binding.sequence ? Binding{Binding::State::Known, (*binding.sequence)[i]}
                                       : binding);
    }
    pb::GraphProto element = *body;
    Scope inner = scopeWithin(scope, fmt::format("{}/{}", origin, i));
    const Bindings made = importBody(element, given, inner);
    for (size_t k = 0; k < results.size(); ++k) {
      if (!made[k].value) return {};
      results[k].push_back(made[k].value);
    }
  }
  for (int k = 0; k < proto.output_size(); ++k) {
    const Binding list{Binding::State::Known, nullptr,
                       std::make_shared<const Values>(std::move(results[static_cast<size_t>(k)]))};
    bindCalled(proto.output(k), &list, scope);
  }
  return {};
}

} // namespace enfold::onnx
