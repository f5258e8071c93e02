// Places of values: a forest of links whose roots own buffers.
#include "lower/Storage.h"

#include "ir/Verifier.h"
#include "lower/Reorder.h"

#include <algorithm>

namespace enfold::lower {
namespace {

int64_t outerSize(const Shape& shape, int64_t axis) {
  int64_t size = 1;
  for (int64_t i = 0; i < axis; ++i) size *= shape[static_cast<size_t>(i)];
  return size;
}

int64_t innerSize(const Shape& shape, int64_t axis) {
  int64_t size = 1;
  for (size_t i = static_cast<size_t>(axis) + 1; i < shape.size(); ++i) size *= shape[i];
  return size;
}

bool isMadeByOp(const Value* value) {
  const Op* op = value->producer();
  return op && op->kind() != OpKind::Constant && !isReorderedConstant(*op);
}

} // namespace

std::optional<int64_t> contiguousOffset(const Type& whole, const Type& part, int64_t axis,
                                        int64_t begin) {
  if (whole.layout != part.layout || outerSize(whole.shape, axis) != 1) return std::nullopt;
  const int64_t step = innerSize(whole.shape, axis) * static_cast<int64_t>(byteSize(whole.elem));
  if (whole.layout.isPlain()) return begin * step;
  // Blocked: whole images, or whole blocks of channels; a ragged block only at the very end.
  const int64_t block = whole.layout.block, length = part.shape[static_cast<size_t>(axis)];
  if (axis == 0) return begin * (part.numBytes() / std::max<int64_t>(length, 1));
  if (axis != 1 || begin % block != 0) return std::nullopt;
  if (length % block != 0 && begin + length != whole.shape[1]) return std::nullopt;
  return begin * step;
}

bool reorderIsNoOp(const Type& from, const Type& to) {
  if (from.layout == to.layout) return true;
  if (!from.layout.isPlain() && !to.layout.isPlain()) return false;
  const int block = std::max(from.layout.block, to.layout.block);
  return innerSize(from.shape, 1) == 1 && from.shape[1] % block == 0;
}

std::optional<SlicedAxis> simpleSlice(const Op& op) {
  const auto axes = slicedAxes(op);
  if (!axes || axes->size() > 1 || (axes->size() == 1 && axes->front().step != 1))
    return std::nullopt;
  return axes->empty() ? SlicedAxis{0, 0, 1} : axes->front();
}

StorageMap::StorageMap(Plan& plan, const Graph& graph) : plan_(plan) {
  for (const auto& op : graph.ops())
    if (op->kind() != OpKind::Constant && linkView(*op)) views_.insert(op.get());
  // From the last concatenation to the first, so that nested ones all end up in the outermost.
  for (auto it = graph.ops().rbegin(); it != graph.ops().rend(); ++it)
    if ((*it)->kind() == OpKind::Concat) linkConcat(**it);
  placeRoots(graph);
}

StorageMap::Root StorageMap::rootOf(const Value* value) const {
  int64_t offset = 0;
  for (auto it = links_.find(value); it != links_.end(); it = links_.find(value)) {
    offset += it->second.offset;
    value = it->second.parent;
  }
  return {value, offset};
}

void StorageMap::link(const Value* value, const Value* parent, int64_t offset) {
  links_[value] = {parent, offset};
}

bool StorageMap::linkView(const Op& op) {
  const Value* operand = op.own(0);
  if (!operand || (operand->producer() && !isMadeByOp(operand))) return false;
  const bool renames =
      (op.info().is(traits::ShapeOnly) && operand->type().layout.isPlain() &&
       op.result()->type().layout.isPlain()) ||
      (op.kind() == OpKind::Identity && operand->type() == op.result()->type()) ||
      (op.kind() == OpKind::Reorder && reorderIsNoOp(operand->type(), op.result()->type()));
  const bool isPart = op.kind() == OpKind::Slice || op.kind() == OpKind::Split;
  if ((!renames && !isPart) || dependsOnData(op)) return false;
  if (!renames) return linkSlices(op);
  link(op.result(), operand, 0);
  return true;
}

bool StorageMap::linkSlices(const Op& op) {
  const Type& whole = op.own(0)->type();
  int64_t axis = 0, begin = 0;
  if (op.kind() == OpKind::Slice) {
    const auto range = simpleSlice(op);
    if (!range) return false;
    axis = range->axis;
    begin = range->begin;
  } else {
    axis = frontAxis(op.integer("axis"), whole.rank());
  }
  std::vector<int64_t> offsets;
  for (size_t i = 0; i < op.numResults(); ++i) {
    const auto offset = contiguousOffset(whole, op.result(i)->type(), axis, begin);
    if (!offset) return false;
    offsets.push_back(*offset);
    begin += op.result(i)->shape()[static_cast<size_t>(axis)];
  }
  for (size_t i = 0; i < offsets.size(); ++i) link(op.result(i), op.own(0), offsets[i]);
  return true;
}

bool StorageMap::canEmbed(const Value* operand, const Value* into) const {
  const Root root = rootOf(operand);
  return isMadeByOp(root.value) && root.offset == 0 &&
         root.value->type().numBytes() == operand->type().numBytes() &&
         rootOf(into).value != root.value;
}

void StorageMap::linkConcat(const Op& op) {
  const Value* result = op.result();
  const int64_t axis = frontAxis(op.integer("axis"), result->type().rank());
  int64_t begin = 0;
  bool allInPlace = true;
  for (const Value* operand : op.ownOperands()) {
    const auto offset = contiguousOffset(result->type(), operand->type(), axis, begin);
    begin += operand->shape()[static_cast<size_t>(axis)];
    if (offset && canEmbed(operand, result))
      link(rootOf(operand).value, result, *offset);
    else
      allInPlace = false;
  }
  if (allInPlace) views_.insert(&op);
}

void StorageMap::placeRoots(const Graph& graph) {
  const auto add = [&](const Value* root, Space space, int64_t index) {
    roots_[root] = static_cast<BufferId>(plan_.buffers.size());
    plan_.buffers.push_back({.space = space, .bytes = root->type().numBytes(), .index = index});
  };
  for (size_t i = 0; i < graph.inputs().size(); ++i)
    add(graph.inputs()[i].get(), Space::Input, static_cast<int64_t>(i));
  for (size_t i = 0; i < graph.outputs().size(); ++i) {
    const Root root = rootOf(graph.outputs()[i]);
    if (isMadeByOp(root.value) && root.offset == 0 && !roots_.contains(root.value) &&
        root.value->type().numBytes() == graph.outputs()[i]->type().numBytes() &&
        graph.outputs()[i]->type().layout.isPlain())
      add(root.value, Space::Output, static_cast<int64_t>(i));
  }
  for (const auto& op : graph.ops()) {
    if (op->kind() == OpKind::Constant) continue;
    for (size_t i = 0; i < op->numResults(); ++i) {
      const Root root = rootOf(op->result(i));
      if (isMadeByOp(root.value) && !roots_.contains(root.value)) add(root.value, Space::Arena, 0);
    }
  }
}

std::optional<BufferRef> StorageMap::find(const Value* value) const {
  const Root root = rootOf(value);
  auto it = roots_.find(root.value);
  if (it == roots_.end()) return std::nullopt;
  return BufferRef{it->second, root.offset};
}

} // namespace enfold::lower
