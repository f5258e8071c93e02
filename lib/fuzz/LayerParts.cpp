// Layers of networks: convolutions, normalizations, pools, classifiers.
#include "fuzz/Parts.h"

#include <algorithm>

namespace enfold::fuzz {

void conv(Draft& d) {
  Value* x = d.image();
  const int64_t channels = x->shape()[1], group = d.groupOf(channels);
  const int64_t outputs = group * d.random.pick({1, 1, 2, 3, 4, 8, 16});
  if (outputs > 64) return;
  const Ints kernel = d.random.chance(35)   ? d.each(1, 1)
                      : d.random.chance(60) ? d.each(3, 3)
                                            : d.each(1, 4);
  Shape shape = {outputs, channels / group};
  shape.insert(shape.end(), kernel.begin(), kernel.end());
  std::vector<Value*> operands = {x, d.weights(shape, numElements(shape) / outputs)};
  if (d.random.chance(50)) operands.push_back(d.numbers({outputs}, -1, 1));
  AttrMap attrs = {{"group", group}};
  if (d.random.chance(60)) attrs["pads"] = d.pads(2);
  if (d.random.chance(30)) attrs["strides"] = d.each(1, 3);
  if (d.random.chance(15)) attrs["dilations"] = d.each(1, 2);
  d.op(OpKind::Conv, std::move(operands), std::move(attrs));
}

void convTranspose(Draft& d) {
  Value* x = d.image();
  const int64_t channels = x->shape()[1], group = d.groupOf(channels);
  const Ints kernel = d.each(1, 4);
  Shape shape = {channels, d.random.in(1, 5)};
  shape.insert(shape.end(), kernel.begin(), kernel.end());
  std::vector<Value*> operands = {x, d.weights(shape, channels / group * 2)};
  if (d.random.chance(50)) operands.push_back(d.numbers({group * shape[1]}, -1, 1));
  AttrMap attrs = {{"group", group}};
  if (d.random.chance(50)) attrs["pads"] = d.pads(1);
  if (d.random.chance(60)) attrs["strides"] = d.each(1, 2);
  d.op(OpKind::ConvTranspose, std::move(operands), std::move(attrs));
}

/// Another convolution with the weights of one there is.
void sharedConv(Draft& d) {
  std::vector<const Op*> convs;
  for (const auto& op : d.graph->ops())
    if (op->kind() == OpKind::Conv || op->kind() == OpKind::ConvTranspose)
      convs.push_back(op.get());
  if (convs.empty()) return;
  const Op* old = d.random.pick(convs);
  std::vector<Value*> operands(old->operands().begin(), old->operands().end());
  operands[0] = d.random.chance(50) ? d.sameShape(operands[0]) : d.image();
  d.op(old->kind(), std::move(operands), old->attrs());
}

void batchNorm(Draft& d) {
  Value* x = d.random.chance(80) ? d.image() : d.random.pick(d.values);
  if (x->type().rank() < 2) return;
  const Shape channels = {x->shape()[1]};
  std::vector<Value*> operands = {x, d.numbers(channels, -1.5, 1.5), d.numbers(channels, -1, 1),
                                  d.numbers(channels, -1, 1), d.numbers(channels, 0.3, 2)};
  AttrMap attrs;
  if (d.random.chance(30)) attrs["epsilon"] = d.random.pick({0.0f, 1e-3f, 0.1f});
  if (d.random.chance(8)) {
    const auto which = static_cast<size_t>(d.random.in(1, 3));
    operands[which] = d.graph->addInput("p", {d.elem, channels, {}});
  }
  if (d.random.chance(6)) {
    attrs["training_mode"] = int64_t{1};
    attrs["epsilon"] = 0.1f;
  }
  const bool training = attrs.contains("training_mode");
  d.op(OpKind::BatchNormalization, std::move(operands), std::move(attrs),
       training && d.random.chance(50) ? 3 : 1);
}

/// Offsets and masks are constants: interpolation has kinks.
void deformConv(Draft& d) {
  if (d.spatial != 2) return;
  Value* x = d.image();
  const int64_t channels = x->shape()[1], group = d.groupOf(channels), outputs = group * 2;
  const Ints kernel = d.each(1, 3), around = d.pads(1), strides = d.each(1, 2);
  Shape taps = {x->shape()[0], kernel[0] * kernel[1]};
  for (size_t i = 0; i < 2; ++i)
    taps.push_back((x->shape()[2 + i] + around[i] + around[2 + i] - kernel[i]) / strides[i] + 1);
  if (taps[2] < 1 || taps[3] < 1) return;
  Shape offsets = taps;
  offsets[1] *= 2;
  Value* w = d.weights({outputs, channels / group, kernel[0], kernel[1]}, channels / group * 4);
  Value* mask = d.random.chance(50) ? d.numbers(taps, 0, 1) : nullptr;
  d.op(OpKind::DeformConv, {x, w, d.numbers(offsets, -1, 1), d.numbers({outputs}, -1, 1), mask},
       {{"group", group}, {"pads", around}, {"strides", strides}});
}

/// Squeeze and excitation, or another value of one pixel, multiplied in.
void gate(Draft& d) {
  Value* x = d.image();
  Value* pooled = d.op(OpKind::GlobalAveragePool, {x});
  if (!pooled) return;
  const int64_t channels = x->shape()[1];
  Shape shape(x->shape().size(), 1);
  shape[0] = shape[1] = channels;
  if (channels <= 33 && d.random.chance(70))
    pooled = d.op(OpKind::Conv, {pooled, d.weights(shape, channels), d.numbers({channels}, -1, 1)});
  Value* factor = d.op(d.random.pick({OpKind::Sigmoid, OpKind::HardSigmoid}), {pooled});
  d.op(OpKind::Mul, d.random.chance(50) ? std::vector{x, factor} : std::vector{factor, x});
}

void pool(Draft& d) {
  const Ints kernel = d.each(1, 3);
  AttrMap attrs = {{"kernel_shape", kernel}};
  if (d.random.chance(60)) attrs["strides"] = d.each(1, 3);
  if (d.random.chance(40)) {
    Ints around = d.pads(1);
    for (size_t i = 0; i < around.size(); ++i)
      around[i] = std::min(around[i], kernel[i % kernel.size()] - 1);
    attrs["pads"] = around;
  }
  if (d.random.chance(20)) attrs["ceil_mode"] = int64_t{1};
  if (d.random.chance(15)) attrs["dilations"] = d.each(1, 2);
  const OpKind kind = d.random.pick({OpKind::AveragePool, OpKind::AveragePool, OpKind::MaxPool,
                                     OpKind::MaxPool, OpKind::MaxPool, OpKind::LpPool});
  if (kind == OpKind::AveragePool && d.random.chance(50)) attrs["count_include_pad"] = int64_t{1};
  if (kind == OpKind::LpPool) attrs["p"] = d.random.in(1, 3);
  d.op(kind, {d.image()}, std::move(attrs));
}

void globalPool(Draft& d) {
  d.op(d.random.pick({OpKind::GlobalAveragePool, OpKind::GlobalAveragePool, OpKind::GlobalMaxPool,
                      OpKind::GlobalLpPool}),
       {d.image()});
}

/// Largest of windows, put back where they were.
void unpool(Draft& d) {
  const AttrMap window = {{"kernel_shape", Ints(static_cast<size_t>(d.spatial), 2)},
                          {"strides", Ints(static_cast<size_t>(d.spatial), 2)}};
  Value* x = d.exact();
  if (std::any_of(x->shape().begin() + 2, x->shape().end(), [](int64_t n) { return n % 2; }))
    return; // places are counted in an even size
  Value* pooled = d.op(OpKind::MaxPool, {x}, window, 2);
  if (pooled) d.op(OpKind::MaxUnpool, {pooled, pooled->producer()->result(1)}, window);
}

void normalize(Draft& d) {
  Value* x = d.image();
  const int64_t channels = x->shape()[1];
  const auto perChannel = [&] {
    return std::pair(d.numbers({channels}, 0.5, 1.5), d.numbers({channels}, -1, 1));
  };
  switch (d.random.below(8)) {
  case 0: {
    const auto [scale, shift] = perChannel();
    d.op(OpKind::InstanceNormalization, {x, scale, shift}, {{"epsilon", 0.1f}});
    return;
  }
  case 1: {
    const auto [scale, shift] = perChannel();
    d.op(OpKind::GroupNormalization, {x, scale, shift},
         {{"epsilon", 0.1f}, {"num_groups", d.groupOf(channels)}});
    return;
  }
  case 2:
  case 3: {
    const int64_t axis = d.random.in(1, d.spatial + 1);
    const Shape rows(x->shape().begin() + axis, x->shape().end());
    if (d.random.chance(40)) {
      d.op(OpKind::RMSNormalization, {x, d.numbers(rows, 0.5, 1.5)},
           {{"epsilon", 0.1f}, {"axis", axis}});
      return;
    }
    std::vector<Value*> operands = {x, d.numbers(rows, 0.5, 1.5)};
    if (d.random.chance(60)) operands.push_back(d.numbers(rows, -1, 1));
    d.op(OpKind::LayerNormalization, std::move(operands), {{"epsilon", 0.1f}, {"axis", axis}});
    return;
  }
  case 4:
    d.op(OpKind::LRN, {x},
         {{"size", d.random.pick<int64_t>({1, 2, 3, 5})}, {"alpha", 0.5f}, {"beta", 0.75f}});
    return;
  case 5:
    d.op(OpKind::LpNormalization, {x}, {{"axis", d.axisOf(x)}, {"p", d.random.in(1, 2)}});
    return;
  default:
    d.op(d.random.chance(70) ? OpKind::Softmax : OpKind::LogSoftmax, {x}, {{"axis", d.axisOf(x)}});
  }
}

/// A classifier's end: flattened or pooled, products, a normalization between them.
void head(Draft& d) {
  Value* x = d.op(OpKind::Flatten, {d.image()});
  if (!x || x->shape()[1] > 600) return;
  const int64_t inner = x->shape()[1], outputs = d.random.in(1, 20);
  if (d.random.chance(20)) x = d.op(OpKind::Mul, {x, d.numbers({inner}, 0.5, 1.5)});
  Value* y = nullptr;
  if (d.random.chance(30)) {
    y = d.op(OpKind::MatMul, {x, d.weights({inner, outputs}, inner)});
  } else {
    AttrMap attrs = {{"transB", int64_t{1}}};
    if (d.random.chance(20)) attrs["alpha"] = 0.5f, attrs["beta"] = 2.0f;
    std::vector<Value*> operands = {x, d.weights({outputs, inner}, inner)};
    if (d.random.chance(60))
      operands.push_back(d.numbers(d.random.chance(80) ? Shape{outputs} : Shape{1, 1}, -1, 1));
    y = d.op(OpKind::Gemm, std::move(operands), std::move(attrs));
  }
  if (y && d.random.chance(50)) y = d.op(OpKind::Relu, {y});
}

/// Matrix products over the last dimensions, as in attention.
void product(Draft& d) {
  Value* x = d.image();
  const int64_t columns = x->shape().back(), rows = x->shape()[x->shape().size() - 2];
  if (d.random.chance(50)) {
    d.op(OpKind::MatMul, {x, d.weights({columns, d.random.in(1, 18)}, columns)});
    return;
  }
  if (d.spatial == 2 && d.random.chance(50)) {
    const char* equation = d.random.pick(
        {"nchw,ndhw->ncd", "nchw,nchv->nwv", "nchw,nchw->nc", "nchw,nkhw->nckw", "nchw,cd->ndhw"});
    Value* other = std::string_view(equation) == "nchw,cd->ndhw"
                       ? d.weights({x->shape()[1], 5}, x->shape()[1])
                       : d.sameShape(x);
    d.op(OpKind::Einsum, {x, other}, {{"equation", std::string(equation)}});
    return;
  }
  Ints perm;
  for (int64_t i = 0; i < d.spatial; ++i) perm.push_back(i);
  perm.push_back(d.spatial + 1), perm.push_back(d.spatial);
  Value* turned = d.op(OpKind::Transpose, {d.sameShape(x)}, {{"perm", perm}});
  Value* scores = d.op(OpKind::MatMul, {x, turned});
  Value* scaled =
      d.op(OpKind::Mul, {scores, d.scalar(1 / static_cast<double>(std::max(columns, rows)))});
  Value* shares = d.op(OpKind::Softmax, {scaled});
  d.op(OpKind::MatMul, {shares, x});
}

/// Rows of pixels as steps of sequences.
void recurrence(Draft& d) {
  const Shape& image = d.image()->shape();
  const int64_t pixels = numElements(Shape(image.begin() + 2, image.end()));
  if (image[1] > 40 || pixels > 200 || pixels == 0) return;
  Value* x = d.op(OpKind::Reshape, {d.image(), d.ints({image[0], image[1], pixels})});
  if (!x) return;
  const OpKind kind = d.random.pick({OpKind::LSTM, OpKind::GRU, OpKind::RNN});
  const int64_t gates = kind == OpKind::LSTM ? 4 : kind == OpKind::GRU ? 3 : 1;
  const int64_t hidden = d.random.pick<int64_t>({1, 3, 8, 12, 16, 33});
  AttrMap attrs;
  const bool both = d.random.chance(40);
  if (both || d.random.chance(30))
    attrs["direction"] = std::string(both ? "bidirectional" : "reverse");
  if (d.random.chance(60)) attrs["layout"] = int64_t{1};
  if (d.random.chance(20)) attrs["clip"] = 0.8f;
  if (kind == OpKind::GRU && d.random.chance(50)) attrs["linear_before_reset"] = int64_t{1};
  if (kind == OpKind::LSTM && d.random.chance(20)) attrs["input_forget"] = int64_t{1};
  const int64_t directions = both ? 2 : 1;
  std::vector<Value*> operands = {x, d.weights({directions, gates * hidden, pixels}, pixels),
                                  d.weights({directions, gates * hidden, hidden}, hidden)};
  if (d.random.chance(70)) operands.push_back(d.numbers({directions, 2 * gates * hidden}, -1, 1));
  const auto results = static_cast<size_t>(d.random.in(1, kind == OpKind::LSTM ? 3 : 2));
  d.op(kind, std::move(operands), std::move(attrs), results);
}

} // namespace enfold::fuzz
