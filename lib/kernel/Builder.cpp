// Writing of kernels: blocks under construction are a stack of frames, innermost last.
#include "kernel/Builder.h"

#include "kernel/LooseRanges.h"
#include "kernel/Skeleton.h"
#include "support/Result.h"

#include <algorithm>
#include <bit>
#include <numeric>
#include <utility>

namespace enfold::kir {
namespace {

thread_local bool wantsLooseRanges = false;
/// Memory for the values of the next outline: a network has hundreds.
thread_local std::vector<ValueInfo> spareValues;

/// More than any size of a kernel is compared with.
constexpr int64_t kAnything = int64_t{1} << 40;
/// Loops of more iterations count what sizes decide.
constexpr int64_t kLongLoop = 4;

} // namespace

LooseRanges::LooseRanges() : outer_(std::exchange(wantsLooseRanges, true)) {}
LooseRanges::~LooseRanges() { wantsLooseRanges = outer_; }
bool LooseRanges::areWanted() { return wantsLooseRanges; }

Index looseNumber(Builder& b, int64_t number) {
  if (!wantsLooseRanges) return number;
  return b.index(b.constantInt(i64(), number), {std::min<int64_t>(number, 0), kAnything});
}

Builder::Builder(std::string name) {
  kernel_.name = std::move(name);
  frames_.emplace_back();
  if (!Outlines::areWanted()) return;
  outline_ = std::make_unique<SkeletonWriter>(kernel_);
  kernel_.values = std::exchange(spareValues, {});
}

Builder::~Builder() = default;

Kernel Builder::finish() {
  ENFOLD_CHECK(frames_.size() == 1, "finish() inside a block");
  kernel_.body = std::move(frames_.back().block);
  if (outline_) {
    outline_->endBlock();
    kernel_.skeleton = std::make_shared<const Skeleton>(std::move(*outline_).finish());
    kernel_.values.clear(); // there is no body that refers to them
    spareValues = std::exchange(kernel_.values, {});
  }
  return std::move(kernel_);
}

// ---- Buffers ----

Buffer Builder::addBuffer(BufferInfo info) {
  kernel_.buffers.push_back(std::move(info));
  return {this, static_cast<BufferId>(kernel_.buffers.size() - 1)};
}

Buffer Builder::input(std::string name, Scalar elem, int64_t size) {
  return addBuffer({std::move(name), elem, size, Access::Read, Space::Param});
}

Buffer Builder::output(std::string name, Scalar elem, int64_t size) {
  return addBuffer({std::move(name), elem, size, Access::Write, Space::Param});
}

Buffer Builder::inout(std::string name, Scalar elem, int64_t size) {
  return addBuffer({std::move(name), elem, size, Access::ReadWrite, Space::Param});
}

Buffer Builder::scratch(std::string name, Scalar elem, int64_t size) {
  BufferInfo info{std::move(name),   elem,           size,
                  Access::ReadWrite, Space::Scratch, kernel_.scratchBytes};
  kernel_.scratchBytes += (info.bytes() + 63) / 64 * 64;
  return addBuffer(std::move(info));
}

Buffer Builder::local(std::string name, Scalar elem, int64_t size) {
  return addBuffer({std::move(name), elem, size, Access::ReadWrite, Space::Local});
}

// ---- Instructions ----

ValueId Builder::newValue(Type type, Range range) {
  kernel_.values.push_back({type, range});
  return static_cast<ValueId>(kernel_.values.size() - 1);
}

Value Builder::emit(Inst inst) {
  inst.result = newValue(inst.type);
  Value value(this, inst.result, inst.type);
  append(std::move(inst));
  return value;
}

void Builder::emitEffect(Inst inst) { append(std::move(inst)); }

void Builder::append(Inst&& inst) {
  if (outline_)
    outline_->instruction(inst);
  else
    frames_.back().block.push_back(std::move(inst));
}

ValueId Builder::emitShared(Inst inst, Range range) {
  if (const auto known = shared_.find(inst)) return *known;
  return addShared(std::move(inst), range);
}

ValueId Builder::addShared(Inst inst, Range range) {
  const ValueId id = inst.result = newValue(inst.type, range);
  shared_.add(id);
  append(std::move(inst));
  return id;
}

Value apply(Op op, const Value& a) {
  return a.builder().emit({.op = op, .type = a.type(), .operands = {a.id()}});
}

Value apply(Op op, const Value& a, const Value& b) {
  Type type = info(op).kind == OpKind::Compare ? a.type().withScalar(Scalar::Bool) : a.type();
  return a.builder().emit({.op = op, .type = type, .operands = {a.id(), b.id()}});
}

Value constantLike(const Value& like, double number) {
  return like.builder().constant(like.type(), number);
}

Value constantLike(const Value& like, int64_t number) {
  return like.builder().constantInt(like.type(), number);
}

// ---- Constants and indices ----

Value Builder::constant(Type type, double number) {
  if (!isFloat(type.scalar)) {
    ENFOLD_CHECK(number == static_cast<double>(static_cast<int64_t>(number)),
                 "an integer constant must be a whole number");
    return constantInt(type, static_cast<int64_t>(number));
  }
  Inst inst{.op = Op::Const, .type = type, .imm = std::bit_cast<int64_t>(number)};
  return {this, emitShared(std::move(inst), {}), type};
}

Value Builder::constantInt(Type type, int64_t number) {
  if (isFloat(type.scalar)) return constant(type, static_cast<double>(number));
  Inst inst{.op = Op::Const, .type = type, .imm = number};
  return {this, emitShared(std::move(inst), {number, number}), type};
}

Value Builder::iota(Type type) {
  return {this, emitShared({.op = Op::Iota, .type = type}, {}), type};
}

Value Builder::sum(const Index::Terms& terms, int64_t offset) {
  if (terms.empty()) return constantInt(kir::index(), offset);
  if (terms.size() == 1 && terms[0].coeff == 1 && offset == 0)
    return {this, terms[0].value, kir::index()};
  if (const auto known = shared_.find(terms, offset)) return {this, *known, kir::index()};
  Inst inst{.op = Op::Affine, .type = kir::index(), .imm = offset};
  inst.operands.reserve(terms.size());
  inst.ints.reserve(terms.size());
  for (const Index::Term& term : terms) {
    inst.operands.push_back(term.value);
    inst.ints.push_back(term.coeff);
  }
  return {this, addShared(std::move(inst), Index(this, offset, terms).range()), kir::index()};
}

Index Builder::index(const Value& value) { return index(value, rangeOf(value.id())); }

Index Builder::index(const Value& value, Range range) {
  Value i = cast(value, Scalar::Index);
  kernel_.values[i.id()].range = range;
  return {this, 0, {{i.id(), 1}}};
}

Value Builder::value(const Condition& condition) {
  if (auto known = condition.known()) return constantInt(boolean(), *known);
  return condition.value();
}

Index Builder::indexOp(Op op, const Index& a, const Index& b, Range range) {
  ValueId x = value(a).id(), y = value(b).id();
  ValueId id = emitShared({.op = op, .type = kir::index(), .operands = {x, y}}, range);
  return {this, 0, {{id, 1}}};
}

Condition Builder::compare(Op op, const Index& a, const Index& b) {
  ValueId x = value(a).id(), y = value(b).id();
  return Value(this, emitShared({.op = op, .type = boolean(), .operands = {x, y}}, {}), boolean());
}

// ---- Arithmetic, conversions ----

Value Builder::fma(const Value& a, const Value& b, const Value& c) {
  return emit({.op = Op::Fma, .type = a.type(), .operands = {a.id(), b.id(), c.id()}});
}

Value Builder::dot(const Value& sum, const Value& a, const Value& b) {
  return emit({.op = Op::Dot, .type = sum.type(), .operands = {sum.id(), a.id(), b.id()}});
}

Value Builder::select(const Value& condition, const Value& yes, const Value& no) {
  return emit(
      {.op = Op::Select, .type = yes.type(), .operands = {condition.id(), yes.id(), no.id()}});
}

Value Builder::cast(const Value& a, Scalar to) {
  if (a.type().scalar == to) return a;
  return emit({.op = Op::Cast, .type = a.type().withScalar(to), .operands = {a.id()}});
}

Value Builder::castSat(const Value& a, Scalar to) {
  if (a.type().scalar == to) return a;
  return emit({.op = Op::CastSat, .type = a.type().withScalar(to), .operands = {a.id()}});
}

Value Builder::bitcast(const Value& a, Scalar to) {
  const auto lanes = static_cast<int>(a.type().sizeInBytes() / sizeInBytes(to));
  return emit({.op = Op::Bitcast, .type = {to, lanes}, .operands = {a.id()}});
}

// ---- Lanes ----

Value Builder::splat(const Value& scalar, int lanes) {
  if (lanes == scalar.lanes()) return scalar;
  return emit({.op = Op::Splat, .type = scalar.type().withLanes(lanes), .operands = {scalar.id()}});
}

Value Builder::extract(const Value& vector, int lane) {
  return emit({.op = Op::Extract,
               .type = vector.type().withLanes(1),
               .imm = lane,
               .operands = {vector.id()}});
}

Value Builder::insert(const Value& vector, const Value& scalar, int lane) {
  return emit({.op = Op::Insert,
               .type = vector.type(),
               .imm = lane,
               .operands = {vector.id(), scalar.id()}});
}

Value Builder::shuffle(const Value& a, const Value& b, std::span<const int> mask) {
  return emit({.op = Op::Shuffle,
               .type = a.type().withLanes(static_cast<int>(mask.size())),
               .operands = {a.id(), b.id()},
               .ints = {mask.begin(), mask.end()}});
}

Value Builder::slice(const Value& a, int first, int lanes) {
  std::vector<int> mask(lanes);
  std::iota(mask.begin(), mask.end(), first);
  return shuffle(a, a, mask);
}

Value Builder::concat(const Value& a, const Value& b) {
  std::vector<int> mask(a.lanes() + b.lanes());
  std::iota(mask.begin(), mask.end(), 0);
  return shuffle(a, b, mask);
}

Value Builder::interleave(const Value& a, const Value& b) {
  std::vector<int> mask;
  for (int i = 0; i < a.lanes(); ++i) mask.insert(mask.end(), {i, a.lanes() + i});
  return shuffle(a, b, mask);
}

Value Builder::everyLane(const Value& a, int first, int step) {
  std::vector<int> mask;
  for (int i = first; i < a.lanes(); i += step) mask.push_back(i);
  return shuffle(a, a, mask);
}

Value Builder::reduce(Op op, const Value& a) {
  if (a.lanes() == 1) return a;
  return emit({.op = op, .type = a.type().withLanes(1), .operands = {a.id()}});
}

// ---- Memory ----

Inst Builder::memoryInst(Op op, const Place& place, Type type) {
  constexpr size_t kMostOperands = 3;
  Inst inst{.op = op, .type = type, .buffer = place.buffer.id(), .imm = place.element.offset()};
  inst.operands.reserve(kMostOperands);
  inst.operands.push_back(sum(place.element.terms(), 0).id());
  return inst;
}

Value Builder::load(const Place& from, int lanes) {
  return emit(memoryInst(Op::Load, from, {from.buffer.elem(), lanes}));
}

Value Builder::broadcast(const Place& from, int lanes) {
  return emit(memoryInst(Op::Broadcast, from, {from.buffer.elem(), lanes}));
}

Value Builder::broadcastWord(const Place& from, int word, int times) {
  if (word == 1) return broadcast(from, times);
  Inst inst = memoryInst(Op::BroadcastWord, from, {from.buffer.elem(), word * times});
  inst.stride = word;
  return emit(std::move(inst));
}

Value Builder::loadPartial(const Place& from, const Index& count, const Value& fill) {
  Inst inst = memoryInst(Op::LoadPartial, from, fill.type());
  inst.operands.insert(inst.operands.end(), {value(count).id(), fill.id()});
  return emit(std::move(inst));
}

Value Builder::loadStrided(const Place& from, int64_t stride, int lanes) {
  Inst inst = memoryInst(Op::LoadStrided, from, {from.buffer.elem(), lanes});
  inst.stride = stride;
  return emit(std::move(inst));
}

Value Builder::gather(const Place& from, const Value& offsets) {
  Inst inst = memoryInst(Op::Gather, from, {from.buffer.elem(), offsets.lanes()});
  inst.operands.push_back(offsets.id());
  return emit(std::move(inst));
}

void Builder::store(const Place& to, const Value& value) {
  Inst inst = memoryInst(Op::Store, to, value.type());
  inst.operands.push_back(value.id());
  emitEffect(std::move(inst));
}

void Builder::storePartial(const Place& to, const Value& value, const Index& count) {
  Inst inst = memoryInst(Op::StorePartial, to, value.type());
  inst.operands.insert(inst.operands.end(), {value.id(), this->value(count).id()});
  emitEffect(std::move(inst));
}

void Builder::storeStream(const Place& to, const Value& value) {
  Inst inst = memoryInst(Op::StoreStream, to, value.type());
  inst.operands.push_back(value.id());
  emitEffect(std::move(inst));
}

void Builder::scatter(const Place& to, const Value& offsets, const Value& value) {
  Inst inst = memoryInst(Op::Scatter, to, value.type());
  inst.operands.insert(inst.operands.end(), {offsets.id(), value.id()});
  emitEffect(std::move(inst));
}

void Builder::prefetch(const Place& place) {
  emitEffect(memoryInst(Op::Prefetch, place, {place.buffer.elem(), 1}));
}

void Builder::barrier() { emitEffect({.op = Op::Barrier}); }

// ---- Tiles ----

void Builder::tileZero(int tile) {
  emitEffect({.op = Op::TileZero, .type = tileRow(Scalar::I32), .ints = {tile}});
}

void Builder::tileLoad(int tile, const Place& from, int64_t stride) {
  Inst inst = memoryInst(Op::TileLoad, from, tileRow(from.buffer.elem()));
  inst.stride = stride;
  inst.ints = {tile};
  emitEffect(std::move(inst));
}

void Builder::tileDot(int sum, int a, int b, Scalar scalar) {
  emitEffect({.op = Op::TileDot, .type = tileRow(scalar), .ints = {sum, a, b}});
}

void Builder::tileStore(const Place& to, int64_t stride, int tile) {
  Inst inst = memoryInst(Op::TileStore, to, tileRow(to.buffer.elem()));
  inst.stride = stride;
  inst.ints = {tile};
  emitEffect(std::move(inst));
}

// ---- Control ----

bool Builder::isEmpty(const Index& lo, const Index& hi) {
  return lo.constant() && hi.constant() && *lo.constant() >= *hi.constant();
}

std::optional<Index> Builder::onlyIteration(const Index& lo, const Index& hi, int64_t step) {
  ENFOLD_CHECK(step > 0, "a loop's step must be positive");
  auto distance = (hi - lo).constant();
  if (distance && *distance > 0 && *distance <= step) return lo;
  return std::nullopt;
}

Index Builder::beginParallel(std::string_view name, int64_t iterations) {
  kernel_.iterations = iterations;
  const int64_t last = wantsLooseRanges ? kAnything : iterations - 1;
  ValueId id = newValue(kir::index(), {0, std::max<int64_t>(last, 0)});
  Inst loop{.op = Op::Parallel, .result = id, .imm = iterations, .name = std::string(name)};
  open(std::move(loop));
  return {this, 0, {{id, 1}}};
}

std::vector<Index> Builder::beginGrid(std::span<const int64_t> extents,
                                      std::span<const std::string_view> names,
                                      std::initializer_list<size_t> varying) {
  int64_t total = 1;
  std::string joined;
  for (size_t i = 0; i < extents.size(); ++i) {
    total *= extents[i];
    joined += names[i];
  }
  const auto isAny = [&](size_t i) {
    return wantsLooseRanges && (i == 0 || std::ranges::find(varying, i) != varying.end());
  };
  const auto isOne = [&](size_t i) { return extents[i] == 1 && !isAny(i); };
  std::vector<Index> coordinates(extents.size(), 0);
  Index rest = beginParallel(joined, total);
  size_t outermost = 0;
  while (outermost + 1 < extents.size() && isOne(outermost)) ++outermost;
  for (size_t i = extents.size(); i-- > outermost;) {
    if (i > 0 && isOne(i)) continue;
    if (i == outermost) {
      coordinates[i] = rest;
    } else if (wantsLooseRanges) {
      const Index extent = isAny(i) ? looseNumber(*this, extents[i]) : Index(extents[i]);
      coordinates[i] = indexOp(Op::FloorMod, rest, extent, {0, kAnything});
      rest = indexOp(Op::FloorDiv, rest, extent, {0, kAnything});
    } else {
      coordinates[i] = rest % extents[i];
      rest = rest / extents[i];
    }
  }
  return coordinates;
}

Index Builder::beginFor(std::string_view name, const Index& lo, const Index& hi, int64_t step,
                        Unroll unroll) {
  ValueId from = value(lo).id(), to = value(hi).id();
  Range range{lo.range().lo, hi.range().hi};
  if (range.hi != Range{}.hi) range.hi = std::max(range.hi - 1, range.lo);
  if (auto distance = (hi - lo).constant(); distance && *distance > 0 && lo.constant())
    range.hi = *lo.constant() + (*distance - 1) / step * step;
  const bool isLong = range.lo != Range{}.lo && range.hi - range.lo >= kLongLoop;
  if (wantsLooseRanges && unroll == Unroll::None && isLong)
    range.hi = std::max(range.hi, kAnything);
  ValueId id = newValue(kir::index(), range);
  Inst loop{.op = Op::For,
            .unroll = unroll,
            .result = id,
            .imm = step,
            .operands = {from, to},
            .name = std::string(name)};
  open(std::move(loop));
  return {this, 0, {{id, 1}}};
}

void Builder::open(Inst owner) {
  if (outline_) outline_->instruction(owner);
  frames_.push_back({std::move(owner), {}, shared_.size()});
}

void Builder::beginIf(const Value& condition) {
  open({.op = Op::If, .operands = {condition.id()}});
}

void Builder::beginElse() {
  Frame& frame = frames_.back();
  frame.owner.blocks.push_back(std::move(frame.block));
  frame.block = {};
  if (outline_) outline_->endBlock();
  shared_.shrink(frame.numShared);
}

void Builder::endBlock() {
  ENFOLD_CHECK(frames_.size() > 1, "no open block");
  Frame frame = std::move(frames_.back());
  frames_.pop_back();
  shared_.shrink(frame.numShared);
  if (outline_) return outline_->endBlock();
  frame.owner.blocks.push_back(std::move(frame.block));
  frames_.back().block.push_back(std::move(frame.owner));
}

// ---- Variables ----

Var Builder::var(std::string name, const Value& initial) {
  VarId id = static_cast<VarId>(kernel_.vars.size());
  kernel_.vars.push_back({std::move(name), initial.type()});
  emitEffect({.op = Op::VarDecl, .type = initial.type(), .var = id, .operands = {initial.id()}});
  return {this, id, initial.type()};
}

Value Var::get() const { return builder_->emit({.op = Op::VarGet, .type = type_, .var = id_}); }

void Var::set(const Value& value) const {
  builder_->emitEffect({.op = Op::VarSet, .type = type_, .var = id_, .operands = {value.id()}});
}

} // namespace enfold::kir
