// Parameters of the layers and their seeded values.
#include "zoo/Network.h"

#include <cmath>

namespace enfold::zoo {
namespace {

using Sizes = std::vector<int64_t>;

/// One number for each of `count` dimensions.
Sizes each(const Sizes& values, size_t count) {
  return values.size() == 1 ? Sizes(count, values[0]) : values;
}

size_t spatialRank(const Value* x) { return x->shape().size() - 2; }

/// Attributes common to all windows; the kernel's size is one of a pool only.
AttrMap windowAttrs(size_t rank, const Sizes& stride, const Sizes& pad) {
  Sizes pads = each(pad, rank);
  pads.insert(pads.end(), pads.begin(), pads.end());
  return {{"strides", each(stride, rank)}, {"pads", std::move(pads)}};
}

AttrMap poolAttrs(const Value* x, const PoolSpec& spec) {
  AttrMap attrs = windowAttrs(spatialRank(x), spec.stride, spec.pad);
  attrs["kernel_shape"] = each(spec.kernel, spatialRank(x));
  attrs["ceil_mode"] = int64_t{spec.ceil};
  return attrs;
}

} // namespace

double gainAfter(Activation activation) {
  switch (activation) {
  case Activation::None:
    return 1;
  case Activation::Relu:
  case Activation::Relu6:
    return 2;
  case Activation::Elu:
    return 1.55;
  case Activation::Silu:
    return 2.8;
  case Activation::HardSwish:
    return 3;
  }
  return 1;
}

Network::Network(std::string_view name, const Shape& input)
    : GraphBuilder(std::string(name)),
      input_(GraphBuilder::input("input", {ElemType::F32, input, {}})) {}

Value* Network::weights(Shape shape, int64_t fanIn, double gain) {
  const double bound = std::sqrt(3 * gain / static_cast<double>(fanIn)); // variance gain / fanIn
  return uniform("weight", std::move(shape), -bound, bound);
}

Value* Network::bias(int64_t size, int64_t fanIn) {
  const double bound = 1 / std::sqrt(static_cast<double>(fanIn));
  return uniform("bias", {size}, -bound, bound);
}

std::vector<Value*> Network::affine(const Shape& shape, double scale) {
  return {uniform("weight", shape, 0.5 * scale, 1.5 * scale), uniform("bias", shape, -0.3, 0.3)};
}

Value* Network::conv(std::string_view name, Value* x, const ConvSpec& spec) {
  const Sizes kernel = each(spec.kernel, spatialRank(x));
  Shape shape = {spec.out, x->shape()[1] / spec.group};
  shape.insert(shape.end(), kernel.begin(), kernel.end());
  const int64_t fanIn = numElements(shape) / spec.out;
  std::vector<Value*> operands = {x};
  {
    const Scope module = scope(name);
    operands.push_back(weights(shape, fanIn, spec.gain));
    if (spec.bias == Bias::Yes) operands.push_back(bias(spec.out, fanIn));
  }
  AttrMap attrs = windowAttrs(kernel.size(), spec.stride, spec.pad);
  attrs["group"] = spec.group;
  return op(OpKind::Conv, name, std::move(operands), std::move(attrs));
}

Value* Network::convTranspose(std::string_view name, Value* x, const ConvSpec& spec) {
  const Sizes kernel = each(spec.kernel, spatialRank(x));
  const Sizes stride = each(spec.stride, spatialRank(x));
  Shape shape = {x->shape()[1], spec.out / spec.group};
  shape.insert(shape.end(), kernel.begin(), kernel.end());
  // A pixel of the result sees every stride-th tap of the kernel.
  int64_t fanIn = x->shape()[1] / spec.group;
  for (size_t i = 0; i < kernel.size(); ++i) fanIn *= std::max<int64_t>(1, kernel[i] / stride[i]);
  std::vector<Value*> operands = {x};
  {
    const Scope module = scope(name);
    operands.push_back(weights(shape, fanIn, spec.gain));
    if (spec.bias == Bias::Yes) operands.push_back(bias(spec.out, fanIn));
  }
  AttrMap attrs = windowAttrs(kernel.size(), spec.stride, spec.pad);
  attrs["group"] = spec.group;
  return op(OpKind::ConvTranspose, name, std::move(operands), std::move(attrs));
}

Value* Network::linear(std::string_view name, Value* x, int64_t in, int64_t out, double gain) {
  std::vector<Value*> operands = {x};
  {
    const Scope module = scope(name);
    operands.push_back(weights({out, in}, in, gain));
    operands.push_back(bias(out, in));
  }
  return op(OpKind::Gemm, name, std::move(operands), {{"transB", int64_t{1}}});
}

Value* Network::batchNorm(std::string_view name, Value* x, const BatchNormSpec& spec) {
  const Shape channels = {x->shape()[1]};
  std::vector<Value*> operands = {x};
  {
    const Scope module = scope(name);
    for (Value* value : affine(channels, spec.scale)) operands.push_back(value);
    operands.push_back(uniform("running_mean", channels, -0.5, 0.5));
    operands.push_back(uniform("running_var", channels, 0.5, 2));
  }
  return op(OpKind::BatchNormalization, name, std::move(operands),
            {{"epsilon", spec.epsilon}, {"training_mode", int64_t{spec.training}}});
}

Value* Network::layerNorm(std::string_view name, Value* x) {
  const Shape normalized(x->shape().begin() + 1, x->shape().end());
  std::vector<Value*> operands = {x};
  {
    const Scope module = scope(name);
    for (Value* value : affine(normalized)) operands.push_back(value);
  }
  return op(OpKind::LayerNormalization, name, std::move(operands), {{"axis", int64_t{1}}});
}

Value* Network::instanceNorm(std::string_view name, Value* x) {
  std::vector<Value*> operands = {x};
  {
    const Scope module = scope(name);
    for (Value* value : affine({x->shape()[1]})) operands.push_back(value);
  }
  return op(OpKind::InstanceNormalization, name, std::move(operands));
}

Value* Network::groupNorm(std::string_view name, Value* x, int64_t groups) {
  std::vector<Value*> operands = {x};
  {
    const Scope module = scope(name);
    for (Value* value : affine({x->shape()[1]})) operands.push_back(value);
  }
  return op(OpKind::GroupNormalization, name, std::move(operands), {{"num_groups", groups}});
}

Value* Network::activation(std::string_view name, Value* x, Activation kind) {
  switch (kind) {
  case Activation::None:
    return x;
  case Activation::Relu:
    return relu(name, x);
  case Activation::Relu6:
    return clip(name, x, 0, 6);
  case Activation::Elu:
    return op(OpKind::Elu, name, {x});
  case Activation::HardSwish:
    return op(OpKind::HardSwish, name, {x});
  case Activation::Silu:
    break;
  }
  const Scope module = scope(name);
  return mul(x, op(OpKind::Sigmoid, "", {x}));
}

Value* Network::maxPool(std::string_view name, Value* x, const PoolSpec& spec) {
  return op(OpKind::MaxPool, name, {x}, poolAttrs(x, spec));
}

Value* Network::averagePool(std::string_view name, Value* x, const PoolSpec& spec) {
  AttrMap attrs = poolAttrs(x, spec);
  attrs["count_include_pad"] = int64_t{1};
  return op(OpKind::AveragePool, name, {x}, std::move(attrs));
}

Value* Network::convNorm(std::string_view name, Value* x, const ConvSpec& spec, Activation kind,
                         const BatchNormSpec& norm) {
  const Scope module = scope(name);
  return activation("2", batchNorm("1", conv("0", x, spec), norm), kind);
}

} // namespace enfold::zoo
