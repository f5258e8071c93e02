// Places of values against a simulation: whatever shares memory, every value is found whole at its
// place, however views, slices, concatenations and reorders are nested.
#include "lower/Storage.h"

#include "Differential.h"
#include "ir/ConstantText.h"
#include "ir/Parser.h"
#include "ir/Printer.h"
#include "lower/Reorder.h"
#include "reference/Reference.h"

#include <gtest/gtest.h>

#include <cstring>
#include <map>

namespace enfold::lower {
namespace {

std::vector<std::byte> stored(const Tensor& tensor, const Type& type) {
  if (!type.layout.isPlain()) return blockedBytes(tensor, type.layout.block);
  return {tensor.bytes(), tensor.bytes() + tensor.numBytes()};
}

/// Computes each op by the reference, writes what is no view to its place, and looks for all.
void expectFound(const Graph& graph) {
  SCOPED_TRACE(print(graph));
  std::vector<Tensor> inputs;
  for (const auto& input : graph.inputs()) {
    inputs.emplace_back(input->elem(), input->shape());
    fillRandom(inputs.back(), inputs.size(), -1, 1);
  }
  std::map<const Value*, Tensor> values;
  ASSERT_TRUE(reference::run(graph, inputs, [&](const Value& value, const Tensor& tensor) {
    values.emplace(&value, tensor);
  }));
  Plan plan;
  const StorageMap storage(plan, graph);
  std::vector<std::vector<std::byte>> memory;
  for (const PlanBuffer& buffer : plan.buffers)
    memory.emplace_back(static_cast<size_t>(buffer.bytes), std::byte{0xee});
  const auto place = [&](const Value* value, size_t bytes) {
    const auto ref = storage.find(value);
    EXPECT_TRUE(ref) << "%" << value->name() << " has no place";
    auto& buffer = memory[ref->buffer];
    EXPECT_LE(static_cast<size_t>(ref->offset) + bytes, buffer.size()) << "%" << value->name();
    return buffer.data() + ref->offset;
  };
  const auto write = [&](const Value* value) {
    const auto bytes = stored(values.at(value), value->type());
    if (!bytes.empty()) std::memcpy(place(value, bytes.size()), bytes.data(), bytes.size());
  };
  const auto isConstant = [](const Op& op) {
    return op.kind() == OpKind::Constant || isReorderedConstant(op);
  };
  for (const auto& input : graph.inputs()) write(input.get());
  for (const auto& op : graph.ops())
    for (size_t i = 0; !isConstant(*op) && !storage.isView(*op) && i < op->numResults(); ++i)
      write(op->result(i));
  for (const auto& [value, tensor] : values) {
    if (value->producer() && isConstant(*value->producer())) continue;
    const auto bytes = stored(tensor, value->type());
    if (bytes.empty()) continue;
    EXPECT_EQ(std::memcmp(place(value, bytes.size()), bytes.data(), bytes.size()), 0)
        << "%" << value->name();
  }
}

/// A graph of ops that move numbers, on tensors [n, channels, 2] that are plain or in blocks of 4.
class RandomMoves {
public:
  explicit RandomMoves(uint64_t seed) : sizes_(seed) {}

  std::unique_ptr<Graph> make() {
    for (int i = 0; i < 2; ++i)
      values_.push_back(graph_->addInput(
          "x",
          {ElemType::F32, {sizes_.oneOf<int64_t>({1, 1, 2}), 4 * sizes_.between(1, 3), 2}, {}}));
    if (sizes_.between(0, 3) == 0)
      values_.push_back(graph_->constant(Tensor(ElemType::F32, {1, 8, 2}), "k"));
    for (int64_t i = sizes_.between(1, 12); i > 0; --i) append();
    for (int64_t i = sizes_.between(1, 3); i > 0; --i) addOutput(any());
    return std::move(graph_);
  }

private:
  Value* any() { return values_[static_cast<size_t>(sizes_.between(0, std::ssize(values_) - 1))]; }
  Value* ints(std::vector<int64_t> numbers) {
    const Shape shape{std::ssize(numbers)};
    return graph_->constant(Tensor::of<int64_t>(shape, numbers), "i");
  }
  /// Results in the layout of the operands.
  void op(OpKind kind, std::vector<Value*> operands, AttrMap attrs, std::vector<Shape> shapes) {
    const Layout layout = operands[0]->type().layout;
    OpSpec spec{.kind = kind, .operands = std::move(operands), .attrs = std::move(attrs)};
    spec.numResults = shapes.size();
    for (Shape& shape : shapes)
      spec.resultTypes.push_back({ElemType::F32, std::move(shape), layout});
    const auto made = graph_->create(std::move(spec));
    ASSERT_TRUE(made) << made.error().str();
    for (size_t i = 0; i < (*made)->numResults(); ++i) values_.push_back((*made)->result(i));
  }
  void append() {
    Value* x = any();
    const Shape shape = x->shape();
    const bool plain = x->type().layout.isPlain();
    switch (sizes_.between(0, 6)) {
    case 0:
      return op(OpKind::Relu, {x}, {}, {shape});
    case 1:
      return op(OpKind::Identity, {x}, {}, {shape});
    case 2: { // to the other layout
      const auto made = graph_->create(
          {.kind = OpKind::Reorder, .operands = {x}, .attrs = {{"block", int64_t{plain ? 4 : 0}}}});
      values_.push_back((*made)->result());
      return;
    }
    case 3: { // slice, of whole blocks if there are any
      const int64_t axis = sizes_.between(0, 2), size = shape[static_cast<size_t>(axis)];
      const int64_t step = axis == 1 && !plain ? 4 : 1;
      const int64_t begin = sizes_.between(0, (size - 1) / step) * step;
      const int64_t end = axis == 1 && !plain ? size : sizes_.between(begin, size);
      Shape part = shape;
      part[static_cast<size_t>(axis)] = end - begin;
      if (numElements(part) == 0) return;
      return op(OpKind::Slice, {x, ints({begin}), ints({end}), ints({axis})}, {}, {part});
    }
    case 4: { // split, the last part ragged
      if (shape[1] < 5) return;
      Shape first = shape, second = shape;
      first[1] = 4, second[1] = shape[1] - 4;
      return op(OpKind::Split, {x, ints({first[1], second[1]})}, {{"axis", int64_t{1}}},
                {first, second});
    }
    case 5: { // concat, of one value twice now and then
      Value* y = any();
      if (x->type().layout != y->type().layout || shape[0] != y->shape()[0] ||
          shape[2] != y->shape()[2] || (!plain && shape[1] % 4 != 0))
        return;
      Shape whole = shape;
      whole[1] += y->shape()[1];
      return op(OpKind::Concat, {x, y}, {{"axis", int64_t{1}}}, {whole});
    }
    default: // reshape there, and back
      if (!plain) return;
      const Shape flat{numElements(shape)};
      op(OpKind::Reshape, {x, ints({-1})}, {}, {flat});
      Value* list = values_.back();
      values_.pop_back();
      return op(OpKind::Reshape, {list, ints(shape)}, {}, {shape});
    }
  }
  void addOutput(Value* value) {
    if (!value->type().layout.isPlain())
      value = (*graph_->create({.kind = OpKind::Reorder, .operands = {value}}))->result();
    graph_->addOutput(value, "y");
  }

  Sizes sizes_;
  std::unique_ptr<Graph> graph_ = std::make_unique<Graph>("moves");
  std::vector<Value*> values_;
};

TEST(StorageMap, EveryValueIsFoundAtItsPlace) {
  for (uint64_t seed = 0; seed < 400; ++seed) {
    SCOPED_TRACE(seed);
    const auto graph = RandomMoves(seed).make();
    if (!HasFatalFailure()) expectFound(*graph);
  }
}

std::unique_ptr<Graph> parsed(std::string_view text) {
  auto graph = parseGraph(text);
  EXPECT_TRUE(graph) << graph.error().str();
  return std::move(*graph);
}

TEST(StorageMap, ViewsShareAndPartsAreComputedInPlace) {
  const auto graph = parsed(R"(graph @g(%x: f32[1,8,2]) {
    %a = relu(%x) : f32[1,8,2]
    %b = abs(%x) : f32[1,8,2]
    %c = concat(%a, %b) {axis=1} : f32[1,16,2]
    %shape = const i64[1] [-1]
    %f = reshape(%c, %shape) : f32[32]
    return %f
  })");
  Plan plan;
  const StorageMap storage(plan, *graph);
  const auto at = [&](std::string_view name) { return *storage.find(graph->find(name)); };
  EXPECT_EQ(plan.buffers.size(), 2u) << "the input's and the output's";
  EXPECT_EQ(at("a").offset, 0);
  EXPECT_EQ(at("b").offset, 64);
  EXPECT_EQ(at("f").buffer, at("b").buffer);
  EXPECT_EQ(plan.buffers[at("f").buffer].space, Space::Output);
}

TEST(StorageMap, PartsOfReorderedConstantsAreNoViews) {
  const auto graph = parsed(R"(graph @g(%x: f32[1,8,2]) {
    %k = const f32[1,16,2] random(seed=3)
    %r = reorder(%k) {block=8} : f32[1,16,2]{c8}
    %i = identity(%r) : f32[1,16,2]{c8}
    %a, %b = split(%r) {axis=1} : f32[1,8,2]{c8}, f32[1,8,2]{c8}
    %p = reorder(%a) : f32[1,8,2]
    %q = reorder(%i) : f32[1,16,2]
    return %p, %q
  })");
  expectFound(*graph);
}

} // namespace
} // namespace enfold::lower
