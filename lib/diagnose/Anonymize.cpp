// A copy of the graph, op by op, in which every name is made anew.
#include "diagnose/Anonymize.h"

#include "diagnose/RandomLike.h"
#include "ir/Infer.h"
#include "onnx/AnonymousSize.h"

#include <fmt/format.h>

#include <unordered_set>

namespace enfold::diagnose {
namespace {

constexpr int64_t kSmall = 64;

using Values = std::unordered_set<const Value*>;

/// Whether the numbers of its operands decide those of its results: not where only their sizes do.
bool readsNumbers(const Op& op) { return op.kind() != OpKind::Shape && op.kind() != OpKind::Size; }

/// Whatever types are inferred from, and what that is computed from.
Values decidersOfTypes(const Graph& graph) {
  Values deciders;
  for (const auto& op : graph.ops()) {
    const ConstantLookup lookUp = [&](const Value* value) {
      deciders.insert(value);
      return value->constant();
    };
    // That types depend on what is no constant yet does not matter here.
    static_cast<void>(
        inferTypes(op->kind(), op->ownOperands(), op->attrs(), op->numResults(), lookUp));
  }
  for (auto op = graph.ops().rbegin(); op != graph.ops().rend(); ++op)
    for (size_t i = 0; i < (*op)->numResults(); ++i)
      if (readsNumbers(**op) && deciders.contains((*op)->result(i)))
        deciders.insert((*op)->operands().begin(), (*op)->operands().end());
  return deciders;
}

bool isOfOneValue(const Tensor& tensor) {
  const size_t size = byteSize(tensor.elem());
  return std::equal(tensor.bytes(), tensor.bytes() + tensor.numBytes() - size,
                    tensor.bytes() + size);
}

/// Why a constant, which decides types or does not, keeps its numbers.
std::optional<Kept> reasonToKeep(const Tensor& tensor, bool decides) {
  if (tensor.numElements() <= 1) return Kept::Scalar;
  if (isOfOneValue(tensor)) return Kept::OneValue;
  // Sizes and the like are few; weights in front of what depends on data are not.
  if (decides && tensor.numElements() <= kSmall) return Kept::DecidesTypes;
  if ((tensor.elem() == ElemType::I64 || tensor.elem() == ElemType::Bool) &&
      tensor.numElements() <= kSmall)
    return Kept::SmallIntegers;
  return std::nullopt;
}

class Anonymizer {
public:
  explicit Anonymizer(const Graph& model)
      : model_(model), deciders_(decidersOfTypes(model)),
        made_{.graph = std::make_unique<Graph>("model")} {}

  Anonymized run(const std::map<std::string, Tensor>& inputDefaults,
                 const std::map<std::string, onnx::DeclaredType>& openTypes) {
    std::map<std::string, std::string> outerNames;
    for (const auto& input : model_.inputs()) {
      const std::string name = fmt::format("input{}", outerNames.size());
      map_[input.get()] = made_.graph->addInput(name, input->type());
      outerNames[input->name()] = name;
      if (const auto value = inputDefaults.find(input->name()); value != inputDefaults.end())
        made_.inputDefaults[name] = numbersOf(value->second, deciders_.contains(input.get()));
    }
    for (const auto& op : model_.ops()) copy(*op);
    for (size_t i = 0; i < model_.outputs().size(); ++i) {
      const std::string name = fmt::format("output{}", i);
      made_.graph->addOutput(map_.at(model_.outputs()[i]), name);
      outerNames[model_.outputNames()[i]] = name;
    }
    for (const auto& [name, type] : openTypes)
      if (const auto neutral = outerNames.find(name); neutral != outerNames.end())
        made_.openTypes[neutral->second] = neutralType(type);
    return std::move(made_);
  }

private:
  void copy(const Op& op) {
    OpSpec spec{.kind = op.kind(), .operands = {}, .attrs = op.attrs()};
    if (op.kind() == OpKind::Constant)
      spec.attrs["value"] = numbersOf(op.tensor("value"), deciders_.contains(op.result()));
    for (const Value* operand : op.ownOperands()) spec.operands.push_back(map_.at(operand));
    for (const Value* operand : op.operands().subspan(op.numOwnOperands()))
      spec.epilogueOperands.push_back(map_.at(operand));
    spec.epilogue.assign(op.epilogue().begin(), op.epilogue().end());
    for (const std::string& origin : op.origins())
      spec.origins.push_back(
          nodes_.try_emplace(origin, fmt::format("{}_{}", op.info().name, nodes_.size()))
              .first->second);
    spec.numResults = op.numResults();
    for (size_t i = 0; i < op.numResults(); ++i) {
      spec.resultNames.push_back(
          fmt::format("{}{}", op.kind() == OpKind::Constant ? 'c' : 't', map_.size() + i));
      spec.resultTypes.push_back(op.result(i)->type());
    }
    const auto copied = made_.graph->create(std::move(spec));
    ENFOLD_CHECK(copied.has_value(), copied.error().str());
    for (size_t i = 0; i < op.numResults(); ++i) map_[op.result(i)] = (*copied)->result(i);
  }

  Tensor numbersOf(const Tensor& tensor, bool decides) {
    if (const auto why = reasonToKeep(tensor, decides)) {
      ++made_.kept[*why];
      return tensor;
    }
    ++made_.replaced;
    made_.replacedBytes += static_cast<int64_t>(tensor.numBytes());
    return randomLike(tensor, seeds_.try_emplace(tensor.hash(), seeds_.size()).first->second);
  }

  onnx::DeclaredType neutralType(onnx::DeclaredType type) {
    if (!type.dims) return type;
    for (auto& dim : *type.dims)
      if (!onnx::isAnonymous(dim.symbol))
        dim.symbol =
            symbols_.try_emplace(dim.symbol, fmt::format("size{}", symbols_.size())).first->second;
    return type;
  }

  const Graph& model_;
  const Values deciders_;
  Anonymized made_;
  std::unordered_map<const Value*, Value*> map_ = {{nullptr, nullptr}};
  std::unordered_map<std::string, std::string> nodes_, symbols_; ///< neutral names
  std::unordered_map<uint64_t, uint64_t> seeds_;                 ///< by hash of the constant
};

} // namespace

std::string_view name(Kept why) {
  switch (why) {
  case Kept::Scalar:
    return "scalars";
  case Kept::OneValue:
    return "of one value";
  case Kept::DecidesTypes:
    return "deciding shapes";
  case Kept::SmallIntegers:
    return "few integers";
  }
  return "";
}

Anonymized anonymize(const Graph& model, const std::map<std::string, Tensor>& inputDefaults,
                     const std::map<std::string, onnx::DeclaredType>& openTypes) {
  return Anonymizer(model).run(inputDefaults, openTypes);
}

} // namespace enfold::diagnose
