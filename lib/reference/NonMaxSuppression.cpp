// NonMaxSuppression: of boxes that overlap, the one with the best score, for every image and class.
#include "reference/EvalContext.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace enfold::reference {
namespace {

struct Box {
  double top, left, bottom, right;
  double area() const { return (bottom - top) * (right - left); }
};

Box boxOf(const Tensor& boxes, int64_t number, bool center) {
  const auto at = [&](int64_t i) { return boxes.asDouble(number * 4 + i); };
  if (center) return {at(1) - at(3) / 2, at(0) - at(2) / 2, at(1) + at(3) / 2, at(0) + at(2) / 2};
  return {std::min(at(0), at(2)), std::min(at(1), at(3)), std::max(at(0), at(2)),
          std::max(at(1), at(3))};
}

/// Intersection over union.
double overlap(const Box& a, const Box& b) {
  const double height = std::min(a.bottom, b.bottom) - std::max(a.top, b.top);
  const double width = std::min(a.right, b.right) - std::max(a.left, b.left);
  if (height <= 0 || width <= 0) return 0;
  const double both = height * width, either = a.area() + b.area() - both;
  return either > 0 ? both / either : 0;
}

} // namespace

/// The number of rows [image, class, box] of the result is known only now.
Result<> evalNonMaxSuppression(EvalContext& context) {
  const Tensor &boxes = context.operand(0), &scores = context.operand(1);
  const Shape &b = boxes.shape(), &s = scores.shape();
  if (b.size() != 3 || s.size() != 3 || b[2] != 4 || b[0] != s[0] || b[1] != s[2])
    return failure(ErrorCode::ShapeMismatch,
                   fmt::format("boxes {} and scores {} do not fit", str(b), str(s)));
  const auto scalar = [&](size_t i, double absent) {
    return context.has(i) && context.operand(i).numElements() > 0 ? context.operand(i).asDouble(0)
                                                                  : absent;
  };
  const double most = scalar(2, 0), limit = scalar(3, 0), least = scalar(4, -INFINITY);
  const bool center = context.integer("center_point_box") != 0;
  std::vector<int64_t> rows;
  for (int64_t n = 0; n < s[0]; ++n)
    for (int64_t c = 0; c < s[1]; ++c) {
      const auto score = [&](int64_t i) { return scores.asDouble((n * s[1] + c) * s[2] + i); };
      std::vector<int64_t> order;
      for (int64_t i = 0; i < s[2]; ++i)
        if (score(i) > least) order.push_back(i);
      std::ranges::stable_sort(order, [&](int64_t i, int64_t j) { return score(i) > score(j); });
      std::vector<Box> kept;
      for (int64_t i : order) {
        if (static_cast<double>(kept.size()) >= most) break;
        const Box box = boxOf(boxes, n * b[1] + i, center);
        if (std::ranges::any_of(kept, [&](const Box& k) { return overlap(k, box) > limit; }))
          continue;
        kept.push_back(box);
        rows.insert(rows.end(), {n, c, i});
      }
    }
  context.result() = Tensor::of<int64_t>({static_cast<int64_t>(rows.size()) / 3, 3}, rows);
  return {};
}

} // namespace enfold::reference
