// Drawing graphs: a table of things that may be appended to the values there are.
#include "fuzz/RandomGraph.h"

#include "fuzz/Random.h"
#include "ir/ConstantText.h"
#include "passes/Pipeline.h"

#include <algorithm>
#include <cmath>

namespace enfold::fuzz {
namespace {

using Ints = std::vector<int64_t>;

class Generator {
public:
  Generator(uint64_t seed, const GraphOptions& options)
      : random_(seed), options_(options), graph_(std::make_unique<Graph>("fuzz")) {
    elem_ = random_.chance(90) ? ElemType::F32
                               : random_.pick({ElemType::F64, ElemType::F16, ElemType::BF16});
    spatial_ = random_.chance(75) ? 2 : random_.pick({1, 3});
  }

  std::unique_ptr<Graph> generate();

private:
  struct Part {
    int weight;
    void (Generator::*append)();
  };
  static const Part kParts[];

  // What can be appended.
  void conv();
  void convTranspose();
  void sharedConv();
  void batchNorm();
  void activation();
  void clip();
  void prelu();
  void arithmetic();
  void combine();
  void gate();
  void concat();
  void split();
  void slice();
  void pad();
  void pool();
  void globalPool();
  void resize();
  void movement();
  void nothing();
  void spelledOut();
  void reduce();
  void normalize();
  void head();
  void input();

  // Helpers.
  Value* image();
  Value* sameShape(const Value* other);
  Value* constant(Tensor tensor) { return graph_->constant(std::move(tensor), "k"); }
  Value* numbers(Shape shape, double low, double high);
  Value* ints(const Ints& values) {
    return constant(Tensor::of({static_cast<int64_t>(values.size())}, std::span(values)));
  }
  Value* scalar(double value) {
    Tensor tensor(elem_, {});
    tensor.setDouble(0, value);
    return constant(std::move(tensor));
  }
  Value* weights(const Shape& shape, int64_t fanIn) {
    const double limit = std::sqrt(3.0 / static_cast<double>(std::max<int64_t>(fanIn, 1)));
    return numbers(shape, -limit, limit);
  }
  /// The op's first result, which becomes a value to go on from; null when it cannot be.
  Value* op(OpKind kind, std::vector<Value*> operands, AttrMap attrs = {}, size_t results = 1);
  Ints each(int64_t low, int64_t high);
  Ints pads(int64_t most);
  int64_t groupOf(int64_t channels);
  Value* channelNumbers(const Value* x, double low, double high);

  Random random_;
  const GraphOptions& options_;
  std::unique_ptr<Graph> graph_;
  ElemType elem_;
  int spatial_;
  std::vector<Value*> values_;
};

Value* Generator::op(OpKind kind, std::vector<Value*> operands, AttrMap attrs, size_t results) {
  for (const Value* operand : operands)
    if (operand && operand->type().numElements() > options_.maxElements * 4) return nullptr;
  const std::string origin = "/" + info(kind).name + std::to_string(graph_->numOps());
  auto made = graph_->create({.kind = kind,
                              .operands = std::move(operands),
                              .attrs = std::move(attrs),
                              .numResults = results,
                              .origins = {origin}});
  if (!made) return nullptr;
  for (size_t i = 0; i < results; ++i) {
    Value* value = (*made)->result(i);
    const int64_t size = value->type().numElements();
    if (value->elem() == elem_ && size > 0 && size <= options_.maxElements)
      values_.push_back(value);
  }
  return (*made)->result();
}

Value* Generator::numbers(Shape shape, double low, double high) {
  Tensor tensor(elem_, std::move(shape));
  fillRandom(tensor, random_.next(), low, high);
  return constant(std::move(tensor));
}

/// A value with batch, channels and pixels; late ones more often.
Value* Generator::image() {
  for (int attempt = 0; attempt < 20; ++attempt) {
    const auto count = static_cast<int64_t>(values_.size());
    const int64_t back =
        random_.chance(60) ? random_.below(std::min<int64_t>(count, 3)) : random_.below(count);
    Value* value = values_[static_cast<size_t>(count - 1 - back)];
    if (value->type().rank() == spatial_ + 2) return value;
  }
  return values_.front();
}

Value* Generator::sameShape(const Value* other) {
  std::vector<Value*> same;
  for (Value* value : values_)
    if (value->type() == other->type()) same.push_back(value);
  return random_.pick(same);
}

Ints Generator::each(int64_t low, int64_t high) {
  Ints values;
  for (int i = 0; i < spatial_; ++i) values.push_back(random_.in(low, high));
  return values;
}

Ints Generator::pads(int64_t most) {
  Ints values = each(0, most), after = random_.chance(60) ? values : each(0, most);
  values.insert(values.end(), after.begin(), after.end());
  return values;
}

int64_t Generator::groupOf(int64_t channels) {
  if (random_.chance(50)) return 1;
  Ints divisors;
  for (int64_t d = 1; d <= channels; ++d)
    if (channels % d == 0) divisors.push_back(d);
  return random_.chance(40) ? channels : random_.pick(divisors);
}

void Generator::input() {
  Shape shape = {random_.pick({1, 1, 1, 2, 3}),
                 random_.pick({1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33})};
  const int64_t most = spatial_ == 1 ? 40 : spatial_ == 2 ? 13 : 6;
  for (int i = 0; i < spatial_; ++i) shape.push_back(random_.in(1, most));
  // Branches meet more often when inputs are alike.
  if (!values_.empty() && random_.chance(70)) shape = image()->shape();
  values_.push_back(graph_->addInput("x", {elem_, std::move(shape), {}}));
}

void Generator::conv() {
  Value* x = image();
  const int64_t channels = x->shape()[1], group = groupOf(channels);
  const int64_t outputs = group * random_.pick({1, 1, 2, 3, 4, 8, 16});
  if (outputs > 64) return;
  const Ints kernel = random_.chance(35)   ? each(1, 1)
                      : random_.chance(60) ? each(3, 3)
                                           : each(1, 4);
  Shape shape = {outputs, channels / group};
  shape.insert(shape.end(), kernel.begin(), kernel.end());
  std::vector<Value*> operands = {x, weights(shape, numElements(shape) / outputs)};
  if (random_.chance(50)) operands.push_back(numbers({outputs}, -1, 1));
  AttrMap attrs = {{"group", group}};
  if (random_.chance(60)) attrs["pads"] = pads(2);
  if (random_.chance(30)) attrs["strides"] = each(1, 3);
  if (random_.chance(15)) attrs["dilations"] = each(1, 2);
  op(OpKind::Conv, std::move(operands), std::move(attrs));
}

void Generator::convTranspose() {
  Value* x = image();
  const int64_t channels = x->shape()[1], group = groupOf(channels);
  const Ints kernel = each(1, 4);
  Shape shape = {channels, random_.in(1, 5)};
  shape.insert(shape.end(), kernel.begin(), kernel.end());
  std::vector<Value*> operands = {x, weights(shape, channels / group * 2)};
  if (random_.chance(50)) operands.push_back(numbers({group * shape[1]}, -1, 1));
  AttrMap attrs = {{"group", group}};
  if (random_.chance(50)) attrs["pads"] = pads(1);
  if (random_.chance(60)) attrs["strides"] = each(1, 2);
  op(OpKind::ConvTranspose, std::move(operands), std::move(attrs));
}

/// Another convolution with the weights of one there is.
void Generator::sharedConv() {
  std::vector<const Op*> convs;
  for (const auto& op : graph_->ops())
    if (op->kind() == OpKind::Conv || op->kind() == OpKind::ConvTranspose)
      convs.push_back(op.get());
  if (convs.empty()) return;
  const Op* old = random_.pick(convs);
  std::vector<Value*> operands(old->operands().begin(), old->operands().end());
  operands[0] = random_.chance(50) ? sameShape(operands[0]) : image();
  op(old->kind(), std::move(operands), old->attrs());
}

void Generator::batchNorm() {
  Value* x = random_.chance(80) ? image() : random_.pick(values_);
  if (x->type().rank() < 2) return;
  const Shape channels = {x->shape()[1]};
  std::vector<Value*> operands = {x, numbers(channels, -1.5, 1.5), numbers(channels, -1, 1),
                                  numbers(channels, -1, 1), numbers(channels, 0.3, 2)};
  AttrMap attrs;
  if (random_.chance(30)) attrs["epsilon"] = random_.pick({0.0f, 1e-3f, 0.1f});
  if (random_.chance(8)) {
    const auto which = static_cast<size_t>(random_.in(1, 3));
    operands[which] = graph_->addInput("p", {elem_, channels, {}});
  }
  if (random_.chance(6)) {
    attrs["training_mode"] = int64_t{1};
    attrs["epsilon"] = 0.1f;
  }
  const bool training = attrs.contains("training_mode");
  op(OpKind::BatchNormalization, std::move(operands), std::move(attrs),
     training && random_.chance(50) ? 3 : 1);
}

void Generator::activation() {
  Value* x = random_.pick(values_);
  const OpKind kind = random_.pick(
      {OpKind::Relu,  OpKind::Relu,        OpKind::Relu,      OpKind::LeakyRelu, OpKind::Sigmoid,
       OpKind::Tanh,  OpKind::HardSigmoid, OpKind::HardSwish, OpKind::Elu,       OpKind::Selu,
       OpKind::Celu,  OpKind::Softplus,    OpKind::Softsign,  OpKind::Mish,      OpKind::Gelu,
       OpKind::Swish, OpKind::Abs,         OpKind::Neg,       OpKind::Erf,       OpKind::Sin,
       OpKind::Cos,   OpKind::Atan});
  AttrMap attrs;
  if (info(kind).attr("alpha") && random_.chance(40))
    attrs["alpha"] = static_cast<float>(random_.uniform(0.1, 1.2));
  op(kind, {x}, std::move(attrs));
}

void Generator::clip() {
  Value* low = random_.chance(80) ? scalar(random_.chance(60) ? 0 : -1) : nullptr;
  Value* high = random_.chance(80) ? scalar(random_.pick({1.0, 6.0})) : nullptr;
  op(OpKind::Clip, {random_.pick(values_), low, high});
}

void Generator::prelu() {
  Value* x = image();
  op(OpKind::PRelu, {x, channelNumbers(x, -0.5, 0.9)});
}

/// Numbers that broadcast to x: mostly one per channel.
Value* Generator::channelNumbers(const Value* x, double low, double high) {
  if (x->type().rank() < 3 || random_.chance(15)) return numbers({}, low, high);
  Shape shape(x->shape().size() - 1, 1);
  if (random_.chance(80)) shape[0] = x->shape()[1];
  if (random_.chance(10)) shape.back() = x->shape().back();
  if (random_.chance(20)) shape.insert(shape.begin(), 1);
  return numbers(std::move(shape), low, high);
}

void Generator::arithmetic() {
  Value* x = image();
  const OpKind kind = random_.pick({OpKind::Add, OpKind::Mul, OpKind::Sub, OpKind::Div});
  std::vector<Value*> operands = {x, channelNumbers(x, 0.4, 1.6)};
  if (kind != OpKind::Div && random_.chance(30)) std::swap(operands[0], operands[1]);
  op(kind, std::move(operands));
}

void Generator::combine() {
  Value* a = random_.pick(values_);
  const OpKind kind = random_.pick({OpKind::Add, OpKind::Add, OpKind::Add, OpKind::Mul, OpKind::Sub,
                                    OpKind::Max, OpKind::Min, OpKind::Sum, OpKind::Mean});
  std::vector<Value*> operands = {a, sameShape(a)};
  if (info(kind).isVariadic() && random_.chance(30)) operands.push_back(sameShape(a));
  op(kind, std::move(operands));
}

/// Squeeze and excitation, or another value of one pixel, multiplied in.
void Generator::gate() {
  Value* x = image();
  Value* pooled = op(OpKind::GlobalAveragePool, {x});
  if (!pooled) return;
  const int64_t channels = x->shape()[1];
  Shape shape(x->shape().size(), 1);
  shape[0] = shape[1] = channels;
  if (channels <= 33 && random_.chance(70))
    pooled = op(OpKind::Conv, {pooled, weights(shape, channels), numbers({channels}, -1, 1)});
  Value* factor = op(random_.pick({OpKind::Sigmoid, OpKind::HardSigmoid}), {pooled});
  op(OpKind::Mul, random_.chance(50) ? std::vector{x, factor} : std::vector{factor, x});
}

void Generator::concat() {
  Value* first = image();
  std::vector<Value*> parts = {first};
  for (int i = 0; i < 6 && parts.size() < 4; ++i) {
    Value* other = image();
    Shape a = first->shape(), b = other->shape();
    a[1] = b[1] = 0;
    if (a == b) parts.push_back(other);
  }
  op(OpKind::Concat, std::move(parts), {{"axis", random_.pick<int64_t>({1, 1, 1, -3})}});
}

void Generator::split() {
  Value* x = image();
  const int64_t channels = x->shape()[1];
  if (channels < 2) return;
  const int64_t first = random_.chance(50) ? (channels + 1) / 2 : random_.in(1, channels - 1);
  op(OpKind::Split, {x, ints({first, channels - first})}, {{"axis", int64_t{1}}}, 2);
}

void Generator::slice() {
  Value* x = image();
  const auto axis = static_cast<size_t>(random_.in(1, spatial_ + 1));
  const int64_t size = x->shape()[axis];
  const int64_t begin = random_.in(0, size - 1), end = random_.in(begin + 1, size);
  const int64_t step = random_.chance(70) ? 1 : 2;
  op(OpKind::Slice,
     {x, ints({begin}), ints({end}), ints({static_cast<int64_t>(axis)}), ints({step})});
}

void Generator::pad() {
  Value* x = image();
  const Ints around = pads(2);
  Ints amounts(static_cast<size_t>(2 * (spatial_ + 2)), 0);
  const auto s = static_cast<size_t>(spatial_);
  for (size_t i = 0; i < s; ++i) {
    amounts[2 + i] = around[i];
    amounts[4 + s + i] = around[s + i];
  }
  const std::string mode = random_.chance(75)   ? "constant"
                           : random_.chance(50) ? "edge"
                                                : "reflect";
  if (mode == "reflect")
    for (size_t i = 0; i < s; ++i)
      if (x->shape()[2 + i] <= 2) return;
  std::vector<Value*> operands = {x, ints(amounts)};
  if (mode == "constant" && random_.chance(40))
    operands.push_back(scalar(random_.pick({0.0, 0.5, -1.0})));
  op(OpKind::Pad, std::move(operands), {{"mode", mode}});
}

void Generator::pool() {
  const Ints kernel = each(1, 3);
  AttrMap attrs = {{"kernel_shape", kernel}};
  if (random_.chance(60)) attrs["strides"] = each(1, 3);
  if (random_.chance(40)) {
    Ints around = pads(1);
    for (size_t i = 0; i < around.size(); ++i)
      around[i] = std::min(around[i], kernel[i % kernel.size()] - 1);
    attrs["pads"] = around;
  }
  if (random_.chance(20)) attrs["ceil_mode"] = int64_t{1};
  const bool average = random_.chance(50);
  if (average && random_.chance(50)) attrs["count_include_pad"] = int64_t{1};
  op(average ? OpKind::AveragePool : OpKind::MaxPool, {image()}, std::move(attrs));
}

void Generator::globalPool() {
  op(random_.pick({OpKind::GlobalAveragePool, OpKind::GlobalMaxPool}), {image()});
}

void Generator::resize() {
  std::vector<float> scales = {1, 1};
  const float factor = random_.pick({2.0f, 2.0f, 3.0f, 1.5f});
  for (int i = 0; i < spatial_; ++i) scales.push_back(random_.chance(80) ? factor : 1.0f);
  Value* by =
      constant(Tensor::of({static_cast<int64_t>(scales.size())}, std::span<const float>(scales)));
  const bool linear = random_.chance(50);
  AttrMap attrs = {{"mode", std::string(linear ? "linear" : "nearest")}};
  attrs["coordinate_transformation_mode"] =
      std::string(linear ? random_.pick({"half_pixel", "align_corners", "asymmetric"})
                         : random_.pick({"asymmetric", "half_pixel"}));
  if (!linear) attrs["nearest_mode"] = std::string("floor");
  op(OpKind::Resize, {image(), nullptr, by}, std::move(attrs));
}

void Generator::movement() {
  Value* x = image();
  const int64_t channels = x->shape()[1];
  switch (random_.below(4)) {
  case 0: { // there and back: NHWC as some exporters write it
    Ints there = {0}, back = {0, spatial_ + 1};
    for (int64_t i = 0; i < spatial_; ++i) there.push_back(2 + i), back.push_back(1 + i);
    there.push_back(1);
    Value* moved = op(OpKind::Transpose, {x}, {{"perm", there}});
    if (moved && random_.chance(50)) moved = op(OpKind::Relu, {moved});
    if (moved) op(OpKind::Transpose, {moved}, {{"perm", back}});
    return;
  }
  case 1: { // channel shuffle
    const int64_t group = groupOf(channels);
    Ints wide = {x->shape()[0], group, channels / group}, perm = {0, 2, 1};
    for (int i = 0; i < spatial_; ++i) {
      wide.push_back(x->shape()[static_cast<size_t>(2 + i)]);
      perm.push_back(3 + i);
    }
    Value* apart = op(OpKind::Reshape, {x, ints(wide)});
    Value* swapped = apart ? op(OpKind::Transpose, {apart}, {{"perm", perm}}) : nullptr;
    if (swapped) op(OpKind::Reshape, {swapped, ints(x->shape())});
    return;
  }
  case 2:
    if (spatial_ == 2 && channels % 4 == 0)
      op(OpKind::DepthToSpace, {x},
         {{"blocksize", int64_t{2}}, {"mode", std::string(random_.pick({"DCR", "CRD"}))}});
    return;
  default:
    if (spatial_ == 2) op(OpKind::SpaceToDepth, {x}, {{"blocksize", int64_t{2}}});
  }
}

/// Ops that stand in the way of others without doing anything.
void Generator::nothing() {
  Value* x = image();
  switch (random_.below(6)) {
  case 0:
    op(OpKind::Identity, {x});
    return;
  case 1:
    op(OpKind::Dropout, {x});
    return;
  case 2:
    op(OpKind::Reshape, {x, ints(x->shape())});
    return;
  case 3:
    op(OpKind::Mul, {scalar(1), x});
    return;
  case 4:
    op(OpKind::Pad, {x, ints(Ints(x->shape().size() * 2, 0))});
    return;
  default:
    op(OpKind::Cast, {x}, {{"to", elem_}});
  }
}

/// Activations as exporters spell them out, and near misses.
void Generator::spelledOut() {
  Value* x = image();
  const double nudge = random_.chance(75) ? 0 : 0.5;
  switch (random_.below(3)) {
  case 0: {
    Value* gate = op(OpKind::Sigmoid, {x});
    op(OpKind::Mul, {x, gate});
    return;
  }
  case 1: {
    Value* moved = op(OpKind::Add, {x, scalar(3 + nudge)});
    Value* clipped = op(OpKind::Clip, {moved, scalar(0), scalar(6)});
    Value* product = op(OpKind::Mul, {clipped, x});
    op(OpKind::Div, {product, scalar(6)});
    return;
  }
  default: {
    Value* scaled = op(OpKind::Div, {x, scalar(M_SQRT2)});
    Value* erf = op(OpKind::Erf, {scaled});
    Value* moved = op(OpKind::Add, {erf, scalar(1 + nudge)});
    Value* product = op(OpKind::Mul, {x, moved});
    op(OpKind::Mul, {product, scalar(0.5)});
  }
  }
}

void Generator::reduce() {
  Ints axes;
  for (int64_t axis = 1; axis < spatial_ + 2; ++axis)
    if (random_.chance(60)) axes.push_back(axis);
  if (axes.empty()) axes = {-1};
  const OpKind kind = random_.pick({OpKind::ReduceMean, OpKind::ReduceMax, OpKind::ReduceSum});
  op(kind, {image(), ints(axes)}, {{"keepdims", int64_t{random_.chance(80)}}});
}

void Generator::normalize() {
  Value* x = image();
  const int64_t channels = x->shape()[1];
  switch (random_.below(3)) {
  case 0:
    op(OpKind::InstanceNormalization,
       {x, numbers({channels}, 0.5, 1.5), numbers({channels}, -1, 1)}, {{"epsilon", 0.1f}});
    return;
  case 1:
    op(OpKind::GroupNormalization, {x, numbers({channels}, 0.5, 1.5), numbers({channels}, -1, 1)},
       {{"epsilon", 0.1f}, {"num_groups", groupOf(channels)}});
    return;
  default:
    op(OpKind::Softmax, {x}, {{"axis", random_.pick<int64_t>({1, -1})}});
  }
}

/// A classifier's end: flattened or pooled, products, a normalization between them.
void Generator::head() {
  Value* x = op(OpKind::Flatten, {image()});
  if (!x || x->shape()[1] > 600) return;
  const int64_t inner = x->shape()[1], outputs = random_.in(1, 20);
  if (random_.chance(20)) x = op(OpKind::Mul, {x, numbers({inner}, 0.5, 1.5)});
  Value* y = nullptr;
  if (random_.chance(30)) {
    y = op(OpKind::MatMul, {x, weights({inner, outputs}, inner)});
  } else {
    AttrMap attrs = {{"transB", int64_t{1}}};
    if (random_.chance(20)) attrs["alpha"] = 0.5f, attrs["beta"] = 2.0f;
    std::vector<Value*> operands = {x, weights({outputs, inner}, inner)};
    if (random_.chance(60))
      operands.push_back(numbers(random_.chance(80) ? Shape{outputs} : Shape{1, 1}, -1, 1));
    y = op(OpKind::Gemm, std::move(operands), std::move(attrs));
  }
  if (y && random_.chance(50)) y = op(OpKind::Relu, {y});
}

constexpr Generator::Part Generator::kParts[] = {
    {20, &Generator::conv},      {4, &Generator::convTranspose}, {4, &Generator::sharedConv},
    {16, &Generator::batchNorm}, {14, &Generator::activation},   {4, &Generator::clip},
    {2, &Generator::prelu},      {9, &Generator::arithmetic},    {9, &Generator::combine},
    {3, &Generator::gate},       {6, &Generator::concat},        {3, &Generator::split},
    {2, &Generator::slice},      {4, &Generator::pad},           {6, &Generator::pool},
    {2, &Generator::globalPool}, {3, &Generator::resize},        {4, &Generator::movement},
    {4, &Generator::nothing},    {3, &Generator::spelledOut},    {2, &Generator::reduce},
    {2, &Generator::normalize},  {3, &Generator::head},          {1, &Generator::input},
};

std::unique_ptr<Graph> Generator::generate() {
  int64_t total = 0;
  for (const Part& part : kParts) total += part.weight;
  input();
  const int64_t count = random_.in(2, options_.maxOps);
  for (int64_t i = 0; i < count; ++i) {
    int64_t ticket = random_.below(total);
    const Part* part = kParts;
    while (ticket >= part->weight) ticket -= part++->weight;
    (this->*part->append)();
  }
  // What nothing reads is an output, and now and then something in the middle.
  for (const auto& op : graph_->ops())
    for (size_t i = 0; i < op->numResults(); ++i) {
      Value* value = op->result(i);
      const bool isEnd = value->users().empty() && op->kind() != OpKind::Constant;
      if ((isEnd && !random_.chance(10)) ||
          (op->kind() != OpKind::Constant && value->elem() == elem_ && random_.chance(6)))
        graph_->addOutput(value, value->name());
    }
  if (graph_->outputs().empty()) graph_->addOutput(values_.back(), "y");
  return std::move(graph_);
}

} // namespace

std::unique_ptr<Graph> randomGraph(uint64_t seed, const GraphOptions& options) {
  return Generator(seed, options).generate();
}

std::string randomPipeline(uint64_t seed) {
  Random random(seed);
  std::vector<std::string> plain;
  for (const PassInfo& pass : passTable())
    if (pass.visibility == Visibility::Visible && pass.name != "assign-layout")
      plain.emplace_back(pass.name);
  if (random.chance(50)) {
    std::set<std::string> disabled;
    for (const std::string& name : plain)
      if (random.chance(15)) disabled.insert(name);
    return defaultPipeline().without(disabled).str();
  }
  const auto passes = [&](int64_t most) {
    std::string text;
    for (int64_t i = random.in(1, most); i > 0; --i)
      text += (text.empty() ? "" : ",") + random.pick(plain);
    return text;
  };
  std::string text = passes(5);
  if (random.chance(50)) text += ",(" + passes(4) + ")*";
  if (random.chance(70)) text += ",assign-layout,eliminate-dead";
  return text;
}

} // namespace enfold::fuzz
