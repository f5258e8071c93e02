// Drawing values, constants and numbers.
#include "fuzz/Draft.h"

#include "ir/ConstantText.h"

#include <algorithm>
#include <cmath>

namespace enfold::fuzz {

Draft::Draft(uint64_t seed, const GraphOptions& options)
    : random(seed), graph(std::make_unique<Graph>("fuzz")), options_(options) {
  elem = random.chance(90) ? ElemType::F32
                           : random.pick({ElemType::F64, ElemType::F16, ElemType::BF16});
  spatial = random.chance(75) ? 2 : random.pick({1, 3});
  hasEmpty_ = random.chance(6);
}

Value* Draft::op(OpKind kind, std::vector<Value*> operands, AttrMap attrs, size_t results) {
  for (const Value* operand : operands)
    if (operand && operand->type().numElements() > options_.maxElements * 4) return nullptr;
  const std::string origin = "/" + info(kind).name + std::to_string(graph->numOps());
  auto made = graph->create({.kind = kind,
                             .operands = std::move(operands),
                             .attrs = std::move(attrs),
                             .numResults = results,
                             .origins = {origin}});
  if (!made) return nullptr;
  for (size_t i = 0; i < results; ++i) {
    Value* value = (*made)->result(i);
    const int64_t size = value->type().numElements();
    if (value->elem() == elem && size <= options_.maxElements && (size > 0 || hasEmpty_))
      values.push_back(value);
  }
  return (*made)->result();
}

void Draft::input() {
  Shape shape = {random.pick({1, 1, 1, 2, 3}),
                 random.pick({1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33})};
  const int64_t most = spatial == 1 ? 40 : spatial == 2 ? 13 : 6;
  for (int i = 0; i < spatial; ++i) shape.push_back(random.in(1, most));
  // Branches meet more often when inputs are alike.
  if (!values.empty() && random.chance(70)) shape = image()->shape();
  if (hasEmpty_ && random.chance(60))
    shape[static_cast<size_t>(random.below(static_cast<int64_t>(shape.size())))] = 0;
  values.push_back(graph->addInput("x", {elem, std::move(shape), {}}));
}

/// Late ones more often.
Value* Draft::image() {
  for (int attempt = 0; attempt < 20; ++attempt) {
    const auto count = static_cast<int64_t>(values.size());
    const int64_t back =
        random.chance(60) ? random.below(std::min<int64_t>(count, 3)) : random.below(count);
    Value* value = values[static_cast<size_t>(count - 1 - back)];
    if (value->type().rank() == spatial + 2) return value;
  }
  return values.front();
}

Value* Draft::exact() {
  std::vector<Value*> inputs;
  for (const auto& input : graph->inputs())
    if (input->type().rank() == spatial + 2) inputs.push_back(input.get());
  return random.pick(inputs);
}

Value* Draft::sameShape(const Value* other) {
  std::vector<Value*> same;
  for (Value* value : values)
    if (value->type() == other->type()) same.push_back(value);
  return random.pick(same);
}

Value* Draft::numbers(Shape shape, double low, double high) {
  Tensor tensor(elem, std::move(shape));
  fillRandom(tensor, random.next(), low, high);
  return constant(std::move(tensor));
}

Value* Draft::channelNumbers(const Value* x, double low, double high) {
  if (x->type().rank() < 3 || random.chance(15)) return numbers({}, low, high);
  Shape shape(x->shape().size() - 1, 1);
  if (random.chance(80)) shape[0] = x->shape()[1];
  if (random.chance(10)) shape.back() = x->shape().back();
  if (random.chance(20)) shape.insert(shape.begin(), 1);
  return numbers(std::move(shape), low, high);
}

Value* Draft::scalar(double value, std::optional<ElemType> type) {
  Tensor tensor(type.value_or(elem), {});
  tensor.setDouble(0, value);
  return constant(std::move(tensor));
}

Value* Draft::ints(const Ints& values, const Shape& shape, ElemType type) {
  Tensor tensor(type, shape);
  for (size_t i = 0; i < values.size(); ++i)
    tensor.setDouble(static_cast<int64_t>(i), static_cast<double>(values[i]));
  return constant(std::move(tensor));
}

Value* Draft::weights(const Shape& shape, int64_t fanIn) {
  const double limit = std::sqrt(3.0 / static_cast<double>(std::max<int64_t>(fanIn, 1)));
  return numbers(shape, -limit, limit);
}

Ints Draft::each(int64_t low, int64_t high) {
  Ints values;
  for (int i = 0; i < spatial; ++i) values.push_back(random.in(low, high));
  return values;
}

Ints Draft::pads(int64_t most) {
  Ints values = each(0, most), after = random.chance(60) ? values : each(0, most);
  values.insert(values.end(), after.begin(), after.end());
  return values;
}

int64_t Draft::groupOf(int64_t channels) {
  if (random.chance(50)) return 1;
  if (channels == 0) return 1;
  Ints divisors;
  for (int64_t d = 1; d <= channels; ++d)
    if (channels % d == 0) divisors.push_back(d);
  return random.chance(40) ? channels : random.pick(divisors);
}

int64_t Draft::axisOf(const Value* x) {
  const int64_t rank = x->type().rank();
  return random.chance(80) ? random.below(rank) : random.in(-rank, -1);
}

} // namespace enfold::fuzz
