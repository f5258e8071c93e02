// Writing graphs in C++: one call an op, with names as PyTorch's exporter gives them.
//
// Every op belongs to a module, named by a dotted path: its result, its constants
// ("layer1.0.conv1.weight") and its origin ("/layer1/layer1.0/conv1/Conv") are named after it. The
// first op that cannot be made is remembered and finish() tells it; what is built behind it is
// dropped, so that code which builds needs no checks of its own.
#pragma once

#include "ir/Graph.h"

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace enfold {

class GraphBuilder {
public:
  explicit GraphBuilder(std::string name);
  ~GraphBuilder();
  GraphBuilder(const GraphBuilder&) = delete;
  GraphBuilder& operator=(const GraphBuilder&) = delete;

  /// While it lives, modules are named below that one.
  class Scope {
  public:
    Scope(GraphBuilder& builder, std::string_view module);
    ~Scope() { builder_.path_ = std::move(outer_); }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

  private:
    GraphBuilder& builder_;
    std::string outer_;
  };
  [[nodiscard]] Scope scope(std::string_view module) { return Scope(*this, module); }

  Value* input(std::string name, Type type);
  /// A constant of the present module.
  Value* constant(std::string_view name, Tensor tensor);
  /// The same, of floats uniform in [low, high), seeded by the constant's whole name.
  Value* uniform(std::string_view name, Shape shape, double low, double high);

  /// The op that the module `name` is; an empty name is for a function the present module calls.
  Value* op(OpKind kind, std::string_view name, std::vector<Value*> operands, AttrMap attrs = {});
  /// An op whose result has a type that data decide, of which `stated` is one.
  Value* opOf(const Type& stated, OpKind kind, std::string_view name, std::vector<Value*> operands,
              AttrMap attrs = {});
  /// An op of several results.
  std::vector<Value*> ops(OpKind kind, std::string_view name, std::vector<Value*> operands,
                          AttrMap attrs, size_t numResults);

  Value* reshape(Value* x, const Shape& shape);
  Value* transpose(Value* x, std::vector<int64_t> perm);
  Value* concat(std::vector<Value*> values, int64_t axis = 1);
  std::vector<Value*> split(Value* x, size_t parts, int64_t axis = 1);
  /// x limited to [low, high].
  Value* clip(std::string_view name, Value* x, float low, float high);

  /// The graph whose one output is `result`, or why it could not be built.
  Result<std::unique_ptr<Graph>> finish(Value* result, std::string outputName);

private:
  /// With types, if they cannot be inferred.
  std::vector<Value*> make(OpKind kind, std::string_view name, std::vector<Value*> operands,
                           AttrMap attrs, size_t numResults, std::vector<Type> types);
  std::string below(std::string_view name) const;
  std::string unique(std::string name);

  std::unique_ptr<Graph> graph_;
  std::string path_;                          ///< of the present module
  std::unordered_map<std::string, int> uses_; ///< how often a name was asked for
  std::optional<Error> error_;
};

} // namespace enfold
