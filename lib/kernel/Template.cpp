// Numbers are visited in one order, by whoever reads them and by whoever replaces them: of each
// instruction the constants among its operands, then its offset, then its coefficients. Constants
// are numbers where they are used, so that it does not matter which of them happen to be equal.
#include "kernel/Template.h"

#include "kernel/ByteWriter.h"
#include "support/Result.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <iterator>
#include <map>
#include <tuple>

namespace enfold::kir {
namespace {

/// What of an instruction a number is.
enum class Part : uint8_t { Operand, Offset, Coefficient, Stride };

/// Doubles that are not normal as floats are no numbers: threads that flush them would read others.
bool isOrdinary(double x) {
  return x == 0 ? !std::signbit(x) : std::isnormal(static_cast<float>(x));
}

/// Whether the instruction defines a number. Bool and half floats are part of the shape.
bool isNumber(const Inst& inst) {
  if (inst.op != Op::Const || inst.type.scalar == Scalar::Bool || isHalf(inst.type.scalar))
    return false;
  return !isFloat(inst.type.scalar) || isOrdinary(std::bit_cast<double>(inst.imm));
}

void collect(const Block& block, std::vector<const Inst*>& definitions) {
  for (const Inst& inst : block) {
    if (isNumber(inst)) definitions[inst.result] = &inst;
    for (const Block& inner : inst.blocks) collect(inner, definitions);
  }
}

/// The definitions of values that are numbers, by value; null for others.
std::vector<const Inst*> numbersIn(const Kernel& kernel) {
  std::vector<const Inst*> definitions(kernel.values.size());
  collect(kernel.body, definitions);
  return definitions;
}

bool isUnrolled(const Inst& inst) { return inst.op == Op::For && inst.unroll == Unroll::Full; }

/// Whether a load by strides is made of loads of single lanes, whatever the stride.
bool hasAnyStride(const Inst& inst) {
  return inst.op == Op::LoadStrided && inst.type.isVector() &&
         (inst.stride > 2 || inst.stride < -1);
}

/// Where a buffer of the scratch begins, in its elements.
int64_t beginOf(const BufferInfo& buffer) {
  return buffer.space == Space::Scratch ? buffer.offset / sizeInBytes(buffer.elem) : 0;
}

/// Calls visit(part, which, number, isFloat) for each number of the instruction itself.
template <typename Visit>
void visitNumbers(const Kernel& kernel, const std::vector<const Inst*>& definitions,
                  const Inst& inst, Visit&& visit) {
  if (!isUnrolled(inst))
    for (size_t i = 0; i < inst.operands.size(); ++i)
      if (const Inst* number = definitions[inst.operands[i]])
        visit(Part::Operand, i, number->imm, isFloat(number->type.scalar));
  if (info(inst.op).kind == OpKind::Memory)
    visit(Part::Offset, 0, inst.imm + beginOf(kernel.buffers[inst.buffer]), false);
  if (hasAnyStride(inst)) visit(Part::Stride, 0, inst.stride, false);
  if (inst.op != Op::Affine) return;
  visit(Part::Offset, 0, inst.imm, false);
  for (size_t i = 0; i < inst.ints.size(); ++i) visit(Part::Coefficient, i, inst.ints[i], false);
}

// ---- Taking apart ----

class Reader : private ByteWriter {
public:
  explicit Reader(const Kernel& kernel)
      : kernel_(kernel), definitions_(numbersIn(kernel)), names_(kernel.values.size()) {}

  Skeleton run() && {
    number(static_cast<int64_t>(kernel_.buffers.size()));
    for (const BufferInfo& buffer : kernel_.buffers) {
      number(static_cast<int64_t>(buffer.elem));
      number(static_cast<int64_t>(buffer.access));
      number(static_cast<int64_t>(buffer.space));
      number(buffer.space == Space::Local ? buffer.size : 0);
    }
    number(static_cast<int64_t>(kernel_.vars.size()));
    for (const VarInfo& var : kernel_.vars) type(var.type);
    block(kernel_.body);
    skeleton_.shape = std::move(*this).take();
    return std::move(skeleton_);
  }

private:
  void block(const Block& insts) {
    for (const Inst& inst : insts)
      if (!isNumber(inst)) instruction(inst);
    number(-1);
  }

  void operand(const Inst& inst, ValueId id) {
    const Inst* definition = definitions_[id];
    if (!definition) return number(names_[id]);
    number(-1);
    type(definition->type);
    if (isUnrolled(inst)) number(definition->imm);
  }

  /// Offsets of one buffer, and coefficients of one value, tend to differ by constants whatever the
  /// size. Of other numbers that would mostly be so by chance.
  int32_t groupOf(const Inst& inst, Part part, size_t which, bool isFloat) const {
    constexpr int32_t kFloats = -1, kStrides = -2, kSums = -3, kOperands = -4;
    if (isFloat) return kFloats;
    if (part == Part::Stride) return kStrides;
    if (part == Part::Operand) return kOperands - static_cast<int32_t>(inst.op);
    if (part == Part::Coefficient)
      return static_cast<int32_t>(2 * names_[inst.operands[which]] + 1);
    return inst.op == Op::Affine ? kSums : static_cast<int32_t>(2 * inst.buffer);
  }

  void instruction(const Inst& inst) {
    number(static_cast<int64_t>(inst.op));
    number(static_cast<int64_t>(inst.unroll));
    type(inst.type);
    number(static_cast<int32_t>(inst.buffer));
    number(static_cast<int32_t>(inst.var));
    number(hasAnyStride(inst) ? 0 : inst.stride);
    number(static_cast<int64_t>(inst.operands.size()));
    for (const ValueId id : inst.operands) operand(inst, id);
    if (inst.op == Op::FloorDiv || inst.op == Op::FloorMod)
      for (const ValueId id : inst.operands) number(kernel_.values[id].range.lo >= 0);
    visitNumbers(kernel_, definitions_, inst,
                 [&](Part part, size_t which, int64_t x, bool isFloat) {
                   skeleton_.numbers.push_back(x);
                   skeleton_.groups.push_back(groupOf(inst, part, which, isFloat));
                 });
    const bool isMemory = info(inst.op).kind == OpKind::Memory;
    if (!isMemory && inst.op != Op::Affine && inst.op != Op::Parallel) number(inst.imm);
    number(static_cast<int64_t>(inst.ints.size()));
    if (inst.op != Op::Affine)
      for (const int64_t x : inst.ints) number(x);
    if (inst.result != kNoId) names_[inst.result] = next_++;
    for (const Block& inner : inst.blocks) block(inner);
  }

  const Kernel& kernel_;
  const std::vector<const Inst*> definitions_;
  std::vector<int64_t> names_; ///< of values, in the order of their definitions
  int64_t next_ = 0;
  Skeleton skeleton_;
};

// ---- Putting together ----

class Generalizer {
public:
  Generalizer(const Kernel& kernel, const Parameters& parameters)
      : kernel_(kernel), definitions_(numbersIn(kernel)), parameters_(parameters) {}

  Kernel run() && {
    Kernel& made = made_;
    made = {.name = kernel_.name,
            .buffers = kernel_.buffers,
            .values = kernel_.values,
            .vars = kernel_.vars,
            .body = {},
            .iterations = kernel_.iterations,
            .scratchBytes = kernel_.scratchBytes};
    for (BufferInfo& buffer : made.buffers)
      if (buffer.space == Space::Scratch) buffer.offset = 0;
    for (size_t id = 0; id < made.values.size(); ++id)
      if (!definitions_[id]) made.values[id].range = signOf(made.values[id].range);
    made.buffers.insert(made.buffers.begin(),
                        {"sizes", Scalar::I64, static_cast<int64_t>(parameters_.count()),
                         Access::Read, Space::Param});
    Block body = block(kernel_.body);
    ENFOLD_CHECK(next_ == parameters_.numbers().size(), "parameters of another kernel");
    made.body = std::move(top_);
    std::ranges::move(body, std::back_inserter(made.body));
    return std::move(made);
  }

private:
  static Range signOf(Range range) {
    if (range.lo < 0) return {};
    return {0, Range{}.hi};
  }

  ValueId newValue(Type type, Range range = {}) {
    made_.values.push_back({type, range});
    return static_cast<ValueId>(made_.values.size() - 1);
  }

  static ValueId append(Block& block, Inst inst) {
    block.push_back(std::move(inst));
    return block.back().result;
  }

  ValueId atTop(Inst inst, Range range = {}) {
    inst.result = newValue(inst.type, range);
    return append(top_, std::move(inst));
  }

  /// The number of the parameter as it is stored.
  ValueId loaded(int32_t parameter) {
    const auto [known, isNew] = loaded_.try_emplace(parameter);
    if (isNew) {
      if (zero_ == kNoId) zero_ = atTop({.op = Op::Const, .type = index()}, {0, 0});
      known->second = atTop(
          {.op = Op::Load, .type = i64(), .buffer = 0, .imm = parameter, .operands = {zero_}});
    }
    return known->second;
  }

  ValueId makeValue(const Parameters::Number& number, Type type, Range range) {
    ValueId value = loaded(number.parameter);
    if (isFloat(type.scalar)) {
      value = atTop({.op = Op::Bitcast, .type = f64(), .operands = {value}});
      if (type.scalar == Scalar::F32)
        value = atTop({.op = Op::Cast, .type = f32(), .operands = {value}});
    } else {
      value = atTop({.op = Op::Cast, .type = index(), .operands = {value}}, range);
      if (number.offset != 0)
        value = atTop({.op = Op::Affine,
                       .type = index(),
                       .imm = number.offset,
                       .operands = {value},
                       .ints = {1}},
                      range);
      if (type.scalar != Scalar::Index)
        value = atTop({.op = Op::Cast, .type = type.withLanes(1), .operands = {value}});
    }
    return type.isVector() ? atTop({.op = Op::Splat, .type = type, .operands = {value}}) : value;
  }

  /// A number as a value that is known at the top.
  ValueId value(const Parameters::Number& number, Type type, Range range) {
    const std::tuple key(number.parameter, number.offset, type.scalar, type.lanes);
    const auto [known, isNew] = values_.try_emplace(key);
    if (isNew) known->second = makeValue(number, type, range);
    return known->second;
  }

  Block block(const Block& insts) {
    Block made;
    for (const Inst& inst : insts) instruction(inst, made);
    return made;
  }

  void instruction(const Inst& inst, Block& to) {
    Inst made = inst;
    if (made.buffer != kNoId) ++made.buffer;
    ValueId stride = kNoId; // where it varies
    visitNumbers(kernel_, definitions_, inst, [&](Part part, size_t which, int64_t, bool) {
      const Parameters::Number& number = parameters_.numbers()[next_++];
      if (part == Part::Offset) made.imm = number.offset;
      if (number.parameter < 0) return;
      if (part == Part::Stride)
        stride = value(number, index(), {});
      else
        replace(inst, made, part, which, number, to);
    });
    if (inst.op == Op::Affine && made.ints.size() < made.operands.size())
      made.ints.insert(made.ints.begin(), 1);
    if (stride != kNoId) return loadLanes(std::move(made), stride, to);
    made.blocks.clear();
    for (const Block& inner : inst.blocks) made.blocks.push_back(block(inner));
    to.push_back(std::move(made));
  }

  /// A load by strides, lane by lane.
  void loadLanes(Inst load, ValueId stride, Block& to) {
    const Type type = load.type, lane = type.withLanes(1);
    const ValueId result = load.result;
    ValueId place = load.operands[0], vector = kNoId;
    load.op = Op::Load;
    load.type = lane;
    load.stride = 0;
    for (int i = 0; i < type.lanes; ++i) {
      if (i > 0) place = sum(to, place, stride);
      load.operands = {place};
      load.result = newValue(lane);
      const ValueId number = append(to, load);
      Inst whole =
          i == 0 ? Inst{.op = Op::Splat, .type = type, .operands = {number}}
                 : Inst{.op = Op::Insert, .type = type, .imm = i, .operands = {vector, number}};
      whole.result = i + 1 == type.lanes ? result : newValue(type);
      vector = append(to, std::move(whole));
    }
  }

  void replace(const Inst& inst, Inst& made, Part part, size_t which,
               const Parameters::Number& number, Block& to) {
    switch (part) {
    case Part::Operand: {
      const Inst& definition = *definitions_[inst.operands[which]];
      made.operands[which] =
          value(number, definition.type, signOf(kernel_.values[definition.result].range));
      break;
    }
    case Part::Offset: {
      // Outer terms come first.
      const ValueId parameter = value({number.parameter, 0}, index(), {});
      if (inst.op == Op::Affine)
        made.operands.insert(made.operands.begin(), parameter);
      else
        made.operands[0] = sum(to, parameter, made.operands[0]);
      break;
    }
    case Part::Stride:
      break;
    case Part::Coefficient: {
      ValueId& term = made.operands[made.operands.size() - inst.operands.size() + which];
      term = append(to, {.op = Op::Mul,
                         .type = index(),
                         .result = newValue(index()),
                         .operands = {term, value(number, index(), {})}});
      made.ints[which] = 1;
      break;
    }
    }
  }

  ValueId sum(Block& to, ValueId a, ValueId b) {
    return append(to, {.op = Op::Affine,
                       .type = index(),
                       .result = newValue(index()),
                       .operands = {a, b},
                       .ints = {1, 1}});
  }

  const Kernel& kernel_;
  const std::vector<const Inst*> definitions_;
  const Parameters& parameters_;
  Kernel made_;
  Block top_;
  size_t next_ = 0; ///< number
  ValueId zero_ = kNoId;
  std::map<int32_t, ValueId> loaded_;
  std::map<std::tuple<int32_t, int64_t, Scalar, int>, ValueId> values_;
};

} // namespace

Skeleton skeletonOf(const Kernel& kernel) { return Reader(kernel).run(); }

Parameters Parameters::over(std::span<const std::vector<int64_t>> samples,
                            const std::vector<int32_t>& groups) {
  Parameters made;
  const std::vector<int64_t>& first = samples.front();
  // Of each parameter the group, how far the samples are from the first one, and, if that counts,
  // the number of the first one.
  std::map<std::vector<int64_t>, int32_t> parameters;
  std::vector<int64_t> key(samples.size() + 2);
  for (size_t i = 0; i < first.size(); ++i) {
    bool varies = false;
    for (size_t k = 0; k < samples.size(); ++k) {
      key[k] = static_cast<int64_t>(static_cast<uint64_t>(samples[k][i]) -
                                    static_cast<uint64_t>(first[i]));
      varies |= key[k] != 0;
    }
    if (!varies) {
      made.numbers_.push_back({-1, first[i]});
      continue;
    }
    key[samples.size()] = groups[i];
    key[samples.size() + 1] = groups[i] < 0 ? first[i] : 0;
    const auto [known, isNew] =
        parameters.try_emplace(key, static_cast<int32_t>(made.sources_.size()));
    if (isNew) made.sources_.push_back(i);
    const size_t source = made.sources_[static_cast<size_t>(known->second)];
    made.numbers_.push_back(
        {known->second, static_cast<int64_t>(static_cast<uint64_t>(first[i]) -
                                             static_cast<uint64_t>(first[source]))});
  }
  return made;
}

std::optional<std::vector<int64_t>> Parameters::solve(const std::vector<int64_t>& numbers) const {
  std::vector<int64_t> parameters;
  for (const size_t source : sources_) parameters.push_back(numbers[source]);
  for (size_t i = 0; i < numbers.size(); ++i) {
    const auto [parameter, offset] = numbers_[i];
    const auto base =
        parameter < 0 ? 0 : static_cast<uint64_t>(parameters[static_cast<size_t>(parameter)]);
    if (static_cast<int64_t>(base + static_cast<uint64_t>(offset)) != numbers[i])
      return std::nullopt;
  }
  return parameters;
}

Kernel generalized(const Kernel& kernel, const Parameters& parameters) {
  return Generalizer(kernel, parameters).run();
}

} // namespace enfold::kir
