// Reading a window problem off an op.
#include "lower/conv/ConvProblem.h"

#include "ir/Infer.h"

#include <algorithm>

namespace enfold::lower {

bool ConvProblem::isPointwise() const {
  const Spatial ones{1, 1, 1}, zeros{0, 0, 0};
  return kernel == ones && strides == ones && padsBegin == zeros && padsEnd == zeros;
}

int64_t storedChannels(const Type& type) {
  const int64_t block = std::max(1, type.layout.block);
  return (type.shape[1] + block - 1) / block * block;
}

std::vector<GroupRun> mergedGroups(const ConvProblem& p, int64_t lanes) {
  const auto fills = [&](int64_t groups) {
    return groups * p.cinPerGroup() % lanes == 0 && groups * p.coutPerGroup() % lanes == 0;
  };
  int64_t merge = 1;
  while (merge < p.groups && !fills(merge)) ++merge;
  std::vector<GroupRun> runs;
  const auto add = [&](int64_t groups, int64_t merged) {
    ConvProblem part = p;
    part.groups = groups / merged;
    part.cin = groups * p.cinPerGroup();
    part.cout = groups * p.coutPerGroup();
    const int64_t first = runs.empty() ? 0 : p.groups - groups;
    runs.push_back({first, merged, part});
  };
  const int64_t rest = p.groups % merge;
  add(p.groups - rest, merge);
  if (rest) add(rest, rest);
  return runs;
}

ConvProblem convProblem(const Op& op) {
  const Shape &x = op.own(0)->shape(), &y = op.result()->shape();
  const bool hasWeights = op.kind() == OpKind::Conv || op.kind() == OpKind::ConvTranspose;
  const Shape kernel = hasWeights ? Shape(op.own(1)->shape().begin() + 2, op.own(1)->shape().end())
                                  : op.ints("kernel_shape");
  const auto window = windowOf(op.attrs(), kernel);
  ENFOLD_CHECK(window.has_value(), "a verified op has a valid window");
  ConvProblem p;
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

} // namespace enfold::lower
