// Instructions as bytes, with their numbers left out and values renamed.
#include "kernel/Skeleton.h"

#include "support/Hash.h"

#include <cstring>
#include <utility>

namespace enfold::kir {
namespace {

thread_local bool wantsOutlines = false;

constexpr size_t kFirstBytes = 8192, kFirstNumbers = 256;

/// Writes it as it lies in memory; gives where the next one goes.
template <typename T> char* put(char* to, T x) {
  std::memcpy(to, &x, sizeof x);
  return to + sizeof x;
}

void write(const Block& block, SkeletonWriter& to) {
  for (const Inst& inst : block) {
    to.instruction(inst);
    for (const Block& inner : inst.blocks) write(inner, to);
  }
  to.endBlock();
}

} // namespace

Outlines::Outlines() : outer_(std::exchange(wantsOutlines, true)) {}
Outlines::~Outlines() { wantsOutlines = outer_; }
bool Outlines::areWanted() { return wantsOutlines; }

Skeleton skeletonOf(const Kernel& kernel) {
  SkeletonWriter writer(kernel);
  write(kernel.body, writer);
  return std::move(writer).finish();
}

SkeletonWriter::SkeletonWriter(const Kernel& kernel) : kernel_(kernel), bytes_(kFirstBytes, '\0') {
  skeleton_.numbers.reserve(kFirstNumbers);
  skeleton_.groups.reserve(kFirstNumbers);
}

char* SkeletonWriter::begin(size_t bytes) {
  if (bytes_.size() < used_ + bytes) bytes_.resize(2 * (used_ + bytes));
  return bytes_.data() + used_;
}

void SkeletonWriter::endBlock() {
  put(begin(sizeof(int64_t)), int64_t{-1});
  used_ += sizeof(int64_t);
}

char* SkeletonWriter::operand(char* to, const Inst& inst, ValueId id) const {
  const NumberTable::Number* constant = numbers_.of(id);
  if (!constant) return put(to, nameOf(id));
  to = put(to, kNoId);
  to = put(to, static_cast<uint32_t>(constant->type.scalar));
  to = put(to, constant->type.lanes);
  return isUnrolled(inst) ? put(to, constant->bits) : to;
}

/// Offsets of one buffer, and coefficients of one value, tend to differ by constants whatever the
/// size. Of other numbers that would mostly be so by chance.
int32_t SkeletonWriter::groupOf(const Inst& inst, Part part, size_t which, bool isFloat) const {
  constexpr int32_t kFloats = -1, kStrides = -2, kSums = -3, kOperands = -4;
  if (isFloat) return kFloats;
  if (part == Part::Stride) return kStrides;
  if (inst.op == Op::Cast && inst.type == index()) return Skeleton::kLoose;
  if (part == Part::Operand) return kOperands - static_cast<int32_t>(inst.op);
  if (part == Part::Coefficient) return static_cast<int32_t>(2 * nameOf(inst.operands[which]) + 1);
  return inst.op == Op::Affine ? kSums : static_cast<int32_t>(2 * inst.buffer);
}

/// What an instruction is, how many operands and integers it has, and whether an immediate follows,
/// in one number.
static uint64_t headOf(const Inst& inst, bool hasImm) {
  constexpr int kScalar = 9, kLanes = 13, kOperands = 28, kInts = 44, kImm = 60;
  return static_cast<uint64_t>(inst.op) | static_cast<uint64_t>(inst.unroll) << 8 |
         static_cast<uint64_t>(inst.type.scalar) << kScalar |
         static_cast<uint64_t>(inst.type.lanes) << kLanes |
         static_cast<uint64_t>(inst.operands.size()) << kOperands |
         static_cast<uint64_t>(inst.ints.size()) << kInts | static_cast<uint64_t>(hasImm) << kImm;
}

void SkeletonWriter::instruction(const Inst& inst) {
  if (NumberTable::isNumber(inst)) return numbers_.define(inst);
  constexpr size_t kMost = 32, kOfOperand = 21, kOfInt = sizeof(int64_t); // bytes
  char* to = begin(kMost + kOfOperand * inst.operands.size() + kOfInt * inst.ints.size());
  const OpKind kind = info(inst.op).kind;
  const bool hasImm =
      inst.imm != 0 && kind != OpKind::Memory && inst.op != Op::Affine && inst.op != Op::Parallel;
  to = put(to, headOf(inst, hasImm));
  if (kind == OpKind::Memory) {
    to = put(to, inst.buffer);
    to = put(to, hasAnyStride(inst) ? 0 : inst.stride);
  } else if (kind == OpKind::Variable) {
    to = put(to, inst.var);
  }
  for (const ValueId id : inst.operands) to = operand(to, inst, id);
  if (inst.op == Op::FloorDiv || inst.op == Op::FloorMod)
    for (const ValueId id : inst.operands) to = put(to, kernel_.values[id].range.lo >= 0);
  visitNumbers(kernel_, numbers_, inst, [&](Part part, size_t which, int64_t x, bool isFloat) {
    skeleton_.numbers.push_back(x);
    skeleton_.groups.push_back(groupOf(inst, part, which, isFloat));
  });
  if (hasImm) to = put(to, inst.imm);
  if (inst.op == Op::Shuffle)
    for (const int64_t x : inst.ints) to = put(to, x);
  used_ = static_cast<size_t>(to - bytes_.data());
  if (inst.result == kNoId) return;
  if (names_.size() <= inst.result) names_.resize(size_t{2} * inst.result + 1);
  names_[inst.result] = next_++;
}

Skeleton SkeletonWriter::finish() && {
  constexpr size_t kOfBuffer = 4, kOfVar = 2; // numbers
  const size_t count = 2 + kOfBuffer * kernel_.buffers.size() + kOfVar * kernel_.vars.size();
  char* to = begin(count * sizeof(int64_t));
  const auto number = [&](auto x) { to = put(to, static_cast<int64_t>(x)); };
  number(kernel_.buffers.size());
  for (const BufferInfo& buffer : kernel_.buffers) {
    number(buffer.elem);
    number(buffer.access);
    number(buffer.space);
    number(buffer.space == Space::Local ? buffer.size : 0);
  }
  number(kernel_.vars.size());
  for (const VarInfo& var : kernel_.vars) {
    number(var.type.scalar);
    number(var.type.lanes);
  }
  skeleton_.shape = bytes_.substr(0, static_cast<size_t>(to - bytes_.data()));
  skeleton_.hash = hashLarge(skeleton_.shape.data(), skeleton_.shape.size());
  return std::move(skeleton_);
}

} // namespace enfold::kir
