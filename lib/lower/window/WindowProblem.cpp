// Reading a window problem off an op.
#include "lower/window/WindowProblem.h"

#include "ir/Infer.h"
#include "kernel/LooseRanges.h"

#include <algorithm>

namespace enfold::lower {

bool WindowProblem::isPointwise() const {
  const Spatial ones{1, 1, 1}, zeros{0, 0, 0};
  return kernel == ones && strides == ones && padsBegin == zeros && padsEnd == zeros;
}

bool WindowProblem::isUnit(size_t d) const {
  return in[d] == 1 && out[d] == 1 && kernel[d] == 1 && padsBegin[d] == 0 && padsEnd[d] == 0;
}

double WindowProblem::shareInside(size_t d) const {
  if (out[d] == 0 || kernel[d] == 0) return 1;
  int64_t inside = 0;
  for (int64_t k = 0; k < kernel[d]; ++k) {
    const int64_t first = inputAt(d, 0, k); // of the input, by result 0
    const int64_t begin = ceilDiv(std::max<int64_t>(0, -first), strides[d]);
    const int64_t end = first < in[d] ? (in[d] - 1 - first) / strides[d] + 1 : 0;
    inside += std::max<int64_t>(0, std::min(end, out[d]) - begin);
  }
  return static_cast<double>(inside) / static_cast<double>(out[d] * kernel[d]);
}

WindowProblem writtenProblem(const Op& op) {
  const Shape &x = op.own(0)->shape(), &y = op.result()->shape();
  const bool hasWeights = op.kind() == OpKind::Conv || op.kind() == OpKind::ConvInteger ||
                          op.kind() == OpKind::ConvTranspose;
  const Shape kernel = hasWeights ? Shape(op.own(1)->shape().begin() + 2, op.own(1)->shape().end())
                                  : op.ints("kernel_shape");
  const auto window = windowOf(op.attrs(), kernel);
  ENFOLD_CHECK(window.has_value(), "a verified op has a valid window");
  WindowProblem p;
  p.anyWidth = kir::LooseRanges::areWanted() ||
               (op.info().attr("algorithm") && op.string("algorithm").ends_with(kAnyWidth));
  p.batch = x[0];
  p.cin = x[1];
  p.cout = y[1];
  p.groups = hasWeights ? op.integer("group") : x[1];
  const size_t rank = kernel.size(), lead = 3 - rank;
  for (size_t i = 0; i < rank; ++i) {
    p.in[lead + i] = x[2 + i];
    p.out[lead + i] = y[2 + i];
    p.kernel[lead + i] = window->kernel[i];
    p.strides[lead + i] = window->strides[i];
    p.dilations[lead + i] = window->dilations[i];
    p.padsBegin[lead + i] = window->padsBegin[i];
    p.padsEnd[lead + i] = window->padsEnd[i];
  }
  return p;
}

WindowProblem windowProblem(const Op& op) {
  const WindowProblem written = writtenProblem(op);
  WindowProblem p = written;
  size_t to = p.in.size();
  const auto take = [&](size_t d) {
    --to;
    p.in[to] = written.in[d];
    p.out[to] = written.out[d];
    p.kernel[to] = written.kernel[d];
    p.strides[to] = written.isUnit(d) ? 1 : written.strides[d];
    p.dilations[to] = written.isUnit(d) ? 1 : written.dilations[d];
    p.padsBegin[to] = written.padsBegin[d];
    p.padsEnd[to] = written.padsEnd[d];
  };
  for (const bool isUnit : {false, true})
    for (size_t d = written.in.size(); d-- > 0;)
      if (written.isUnit(d) == isUnit) take(d);
  return p;
}

} // namespace enfold::lower
