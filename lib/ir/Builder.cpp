// Names of modules, and ops that need more than an operand.
#include "ir/Builder.h"

#include "ir/ConstantText.h"
#include "support/Hash.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace enfold {
namespace {

/// "layer1.0.conv1" as the exporter writes it: "/layer1/layer1.0/conv1". A numbered child carries
/// its parent's name.
std::string scopeText(std::string_view path) {
  std::string text, shown;
  while (!path.empty()) {
    const size_t dot = std::min(path.find('.'), path.size());
    const std::string_view part = path.substr(0, dot);
    const bool numbered = std::ranges::all_of(
        part, [](char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; });
    shown = numbered ? fmt::format("{}.{}", shown, part) : std::string(part);
    text += "/" + shown;
    path.remove_prefix(std::min(dot + 1, path.size()));
  }
  return text;
}

} // namespace

GraphBuilder::GraphBuilder(std::string name) : graph_(std::make_unique<Graph>(std::move(name))) {}
GraphBuilder::~GraphBuilder() = default;

GraphBuilder::Scope::Scope(GraphBuilder& builder, std::string_view module)
    : builder_(builder), outer_(builder.path_) {
  builder.path_ = builder.below(module);
}

std::string GraphBuilder::below(std::string_view name) const {
  return path_.empty() || name.empty() ? fmt::format("{}{}", path_, name)
                                       : fmt::format("{}.{}", path_, name);
}

std::string GraphBuilder::unique(std::string name) {
  const int before = uses_[name]++;
  return before == 0 ? name : fmt::format("{}_{}", name, before);
}

Value* GraphBuilder::input(std::string name, Type type) {
  return graph_->addInput(unique(std::move(name)), std::move(type));
}

Value* GraphBuilder::constant(std::string_view name, Tensor tensor) {
  return graph_->constant(std::move(tensor), unique(below(name)));
}

Value* GraphBuilder::uniform(std::string_view name, Shape shape, double low, double high) {
  const std::string full = unique(below(name));
  Tensor tensor(ElemType::F32, std::move(shape));
  fillRandom(tensor, hashString(full), low, high);
  return graph_->constant(std::move(tensor), full);
}

Value* GraphBuilder::op(OpKind kind, std::string_view name, std::vector<Value*> operands,
                        AttrMap attrs) {
  return ops(kind, name, std::move(operands), std::move(attrs), 1).front();
}

Value* GraphBuilder::opOf(const Type& stated, OpKind kind, std::string_view name,
                          std::vector<Value*> operands, AttrMap attrs) {
  return make(kind, name, std::move(operands), std::move(attrs), 1, {stated}).front();
}

std::vector<Value*> GraphBuilder::ops(OpKind kind, std::string_view name,
                                      std::vector<Value*> operands, AttrMap attrs,
                                      size_t numResults) {
  return make(kind, name, std::move(operands), std::move(attrs), numResults, {});
}

std::vector<Value*> GraphBuilder::make(OpKind kind, std::string_view name,
                                       std::vector<Value*> operands, AttrMap attrs,
                                       size_t numResults, std::vector<Type> types) {
  // Any value serves behind an error: the graph is never seen.
  const std::vector<Value*> stand(numResults, operands.front());
  if (error_) return stand;
  const OpInfo& row = info(kind);
  std::string result, origin;
  if (name.empty()) {
    result = unique(below(row.name));
    origin = unique(fmt::format("{}/{}", scopeText(path_), row.onnxName));
  } else {
    result = unique(below(name));
    origin = fmt::format("{}/{}", scopeText(result), row.onnxName);
  }
  OpSpec spec{.kind = kind, .operands = std::move(operands), .attrs = std::move(attrs)};
  spec.numResults = numResults;
  spec.resultTypes = std::move(types);
  spec.resultNames.push_back(result);
  for (size_t i = 1; i < numResults; ++i)
    spec.resultNames.push_back(unique(fmt::format("{}.{}", result, i)));
  spec.origins = {origin};
  auto made = graph_->create(std::move(spec));
  if (!made) {
    error_ = std::move(made).error();
    for (Diag& diag : error_->diags)
      if (diag.node.empty()) diag.node = fmt::format("{} '{}'", row.name, origin);
    return stand;
  }
  std::vector<Value*> results;
  for (size_t i = 0; i < numResults; ++i) results.push_back((*made)->result(i));
  return results;
}

Value* GraphBuilder::reshape(Value* x, const Shape& shape) {
  const auto rank = static_cast<int64_t>(shape.size());
  Value* sizes = constant("shape", Tensor::of<int64_t>({rank}, shape));
  return op(OpKind::Reshape, "", {x, sizes});
}

Value* GraphBuilder::transpose(Value* x, std::vector<int64_t> perm) {
  return op(OpKind::Transpose, "", {x}, {{"perm", std::move(perm)}});
}

Value* GraphBuilder::concat(std::vector<Value*> values, int64_t axis) {
  return op(OpKind::Concat, "", std::move(values), {{"axis", axis}});
}

std::vector<Value*> GraphBuilder::split(Value* x, size_t parts, int64_t axis) {
  return ops(OpKind::Split, "", {x}, {{"axis", axis}, {"num_outputs", static_cast<int64_t>(parts)}},
             parts);
}

Value* GraphBuilder::clip(std::string_view name, Value* x, float low, float high) {
  const Scope inside = scope(name);
  Value* least = constant("min", Tensor::scalar(low));
  Value* most = constant("max", Tensor::scalar(high));
  return op(OpKind::Clip, "", {x, least, most});
}

Result<std::unique_ptr<Graph>> GraphBuilder::finish(Value* result, std::string outputName) {
  if (error_) return std::unexpected(std::move(*error_));
  graph_->addOutput(result, std::move(outputName));
  return std::move(graph_);
}

} // namespace enfold
