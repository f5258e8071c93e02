// Parameters as classes of numbers, and kernels with their numbers replaced.
#include "kernel/Template.h"

#include "support/Result.h"

#include <iterator>
#include <map>
#include <tuple>
#include <type_traits>

namespace enfold::kir {
namespace {

/// a - b, which wraps: numbers may be the bits of doubles.
int64_t difference(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) - static_cast<uint64_t>(b));
}

void defineNumbers(const Block& block, NumberTable& numbers) {
  for (const Inst& inst : block) {
    if (NumberTable::isNumber(inst)) numbers.define(inst);
    for (const Block& inner : inst.blocks) defineNumbers(inner, numbers);
  }
}

class Generalizer {
public:
  Generalizer(const Kernel& kernel, const Parameters& parameters)
      : kernel_(kernel), parameters_(parameters) {
    defineNumbers(kernel.body, numbers_);
  }

  Kernel run() && {
    Kernel& made = made_;
    made = {.name = kernel_.name,
            .buffers = kernel_.buffers,
            .values = kernel_.values,
            .vars = kernel_.vars,
            .body = {},
            .iterations = kernel_.iterations,
            .scratchBytes = kernel_.scratchBytes,
            .skeleton = nullptr};
    // Where buffers of the scratch begin is in the numbers, so that each is all of it.
    for (BufferInfo& buffer : made.buffers)
      if (buffer.space == Space::Scratch) {
        buffer.offset = 0;
        buffer.size = made.scratchBytes / static_cast<int64_t>(sizeInBytes(buffer.elem));
      }
    for (ValueId id = 0; id < made.values.size(); ++id)
      if (!numbers_.of(id)) made.values[id].range = signOf(made.values[id].range);
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
  ValueId loaded(int64_t parameter) {
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
    visitNumbers(kernel_, numbers_, inst, [&](Part part, size_t which, int64_t, bool) {
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
      const ValueId constant = inst.operands[which];
      made.operands[which] =
          value(number, numbers_.of(constant)->type, signOf(kernel_.values[constant].range));
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
  NumberTable numbers_;
  const Parameters& parameters_;
  Kernel made_;
  Block top_;
  size_t next_ = 0; ///< number
  ValueId zero_ = kNoId;
  std::map<int64_t, ValueId> loaded_;
  std::map<std::tuple<int64_t, int64_t, Scalar, int>, ValueId> values_;
};

} // namespace

template <typename KeyOf>
void Parameters::assign(const std::vector<int64_t>& numbers, const KeyOf& keyOf) {
  sources_.clear();
  numbers_.resize(numbers.size());
  std::map<typename std::invoke_result_t<KeyOf, size_t>::value_type, int64_t> parameters;
  for (size_t i = 0; i < numbers.size(); ++i) {
    const auto key = keyOf(i);
    if (!key) {
      numbers_[i] = {-1, numbers[i]};
      continue;
    }
    const auto [known, isNew] = parameters.try_emplace(*key, static_cast<int64_t>(sources_.size()));
    if (isNew) sources_.push_back(i);
    const size_t source = sources_[static_cast<size_t>(known->second)];
    numbers_[i] = {known->second, difference(numbers[i], numbers[source])};
  }
}

Parameters::Parameters(const std::vector<int64_t>& numbers, const std::vector<int32_t>& groups) {
  assign(numbers,
         [&](size_t i) { return groups[i] == Skeleton::kLoose ? std::optional(i) : std::nullopt; });
}

Parameters Parameters::like(const std::vector<int64_t>& numbers,
                            const std::vector<int32_t>& groups) const {
  using Key = std::tuple<int64_t, int64_t>; // the parameter there, and what must be equal
  Parameters made;
  made.assign(numbers, [&](size_t i) -> std::optional<Key> {
    if (numbers_[i].parameter < 0) return std::nullopt;
    return Key(numbers_[i].parameter, groups[i] < 0 ? numbers[i] : 0);
  });
  return made;
}

void Parameters::admit(const std::vector<int64_t>& numbers, const std::vector<int32_t>& groups) {
  // Parameters are split where their numbers do not differ by what they did; of constants that
  // vary, those of a group share a parameter that vary by the same amount.
  using Key = std::tuple<int64_t, int64_t, int32_t, int64_t>;
  const std::vector<Number> before = numbers_;
  assign(numbers, [&](size_t i) -> std::optional<Key> {
    const auto [parameter, offset] = before[i];
    const int64_t moved = difference(numbers[i], offset);
    if (parameter >= 0) return Key(parameter, moved, 0, 0);
    if (moved == 0) return std::nullopt;
    return Key(-1, moved, groups[i], groups[i] < 0 ? numbers[i] : 0);
  });
}

std::optional<std::vector<int64_t>> Parameters::solve(const std::vector<int64_t>& numbers) const {
  std::vector<int64_t> parameters;
  for (const size_t source : sources_) parameters.push_back(numbers[source]);
  for (size_t i = 0; i < numbers.size(); ++i) {
    const auto [parameter, offset] = numbers_[i];
    const int64_t base = parameter < 0 ? 0 : parameters[static_cast<size_t>(parameter)];
    if (difference(numbers[i], offset) != base) return std::nullopt;
  }
  return parameters;
}

Kernel generalized(const Kernel& kernel, const Parameters& parameters) {
  return Generalizer(kernel, parameters).run();
}

} // namespace enfold::kir
