// A detector in the manner of YOLO: a backbone of stages with crossed connections (Wang et al.,
// "CSPNet", 2019), a pyramid of features, heads without anchors at three scales (Ge et al.,
// "YOLOX", 2021), and NonMaxSuppression, with the boxes that it keeps picked behind it. No constant
// depends on the size of an image, whose sides are multiples of 32.
#include "zoo/Network.h"
#include "zoo/Networks.h"

#include <fmt/format.h>

namespace enfold::zoo {
namespace {

constexpr int64_t kClasses = 20;
/// Of the last layers: features are some hundred times what distances and scores are made of.
constexpr double kHeadGain = 1e-4;
constexpr int64_t kOfClass = 5; ///< boxes at most, in an image
constexpr int64_t kFound = 100; ///< that the graph states

class Detector : public Network {
public:
  explicit Detector(const Shape& input) : Network("yolo_nms", input) {}

  Built build() {
    std::vector<Value*> features = backbone();
    features = pyramid(std::move(features));
    std::vector<Value*> boxes, scores;
    for (size_t i = 0; i < features.size(); ++i) {
      const auto inside = scope(fmt::format("head.{}", i));
      boxes.push_back(boxesOf(features[i], 8 << i));
      scores.push_back(scoresOf(features[i]));
    }
    return finish(chosen(transpose(concat(boxes, 2), {0, 2, 1}), concat(scores, 2)), "output");
  }

private:
  static constexpr int64_t kWidths[] = {16, 32, 64, 128, 256};

  Value* ints(std::string_view name, std::vector<int64_t> values) {
    const Shape shape = {static_cast<int64_t>(values.size())};
    return constant(name, Tensor::of<int64_t>(shape, std::span<const int64_t>(values)));
  }
  Value* integer(std::string_view name, int64_t value) {
    return constant(name, Tensor::of<int64_t>({}, std::span(&value, 1)));
  }
  Value* scalar(std::string_view name, float value) {
    return constant(name, Tensor::scalar(value));
  }

  Value* block(std::string_view name, Value* x, int64_t out, int64_t kernel, int64_t stride = 1) {
    return convNorm(name, x,
                    {.out = out,
                     .kernel = {kernel},
                     .stride = {stride},
                     .pad = {kernel / 2},
                     .gain = gainAfter(Activation::Silu)},
                    Activation::Silu);
  }

  /// Half of the channels go through residual blocks, and all results are joined.
  Value* crossed(std::string_view name, Value* x, int64_t out, int depth, bool shortcut) {
    const auto inside = scope(name);
    std::vector<Value*> parts = split(block("cv1", x, out, 1), 2);
    for (int i = 0; i < depth; ++i) {
      const auto part = scope(fmt::format("m.{}", i));
      Value* y = block("cv2", block("cv1", parts.back(), out / 2, 3), out / 2, 3);
      parts.push_back(shortcut ? add(parts.back(), y) : y);
    }
    return block("cv2", concat(parts), out, 1);
  }

  /// Pools of growing windows beside each other.
  Value* spatialPools(Value* x) {
    const auto inside = scope("sppf");
    std::vector<Value*> parts = {block("cv1", x, x->shape()[1] / 2, 1)};
    for (int i = 0; i < 3; ++i)
      parts.push_back(maxPool("m", parts.back(), {.kernel = {5}, .stride = {1}, .pad = {2}}));
    return block("cv2", concat(parts), x->shape()[1], 1);
  }

  /// Features of every 8th, 16th and 32nd pixel.
  std::vector<Value*> backbone() {
    const auto inside = scope("backbone");
    std::vector<Value*> features;
    Value* y = block("stem", x(), kWidths[0], 3, 2);
    for (size_t i = 1; i < std::size(kWidths); ++i) {
      y = block(fmt::format("down{}", i), y, kWidths[i], 3, 2);
      y = crossed(fmt::format("stage{}", i), y, kWidths[i], 1, true);
      if (i >= 2) features.push_back(y);
    }
    features.back() = spatialPools(features.back());
    return features;
  }

  Value* twice(Value* x) {
    const float scales[] = {1, 1, 2, 2};
    return op(OpKind::Resize, "upsample",
              {x, nullptr, constant("scales", Tensor::of<float>({4}, std::span(scales)))},
              {{"mode", std::string("nearest")},
               {"coordinate_transformation_mode", std::string("asymmetric")},
               {"nearest_mode", std::string("floor")}});
  }

  /// What each scale knows is told to the others: from coarse to fine and back.
  std::vector<Value*> pyramid(std::vector<Value*> features) {
    const auto inside = scope("neck");
    for (size_t i = features.size() - 1; i-- > 0;)
      features[i] = crossed(fmt::format("up{}", i), concat({twice(features[i + 1]), features[i]}),
                            kWidths[i + 2], 1, false);
    for (size_t i = 1; i < features.size(); ++i) {
      Value* finer = block(fmt::format("conv{}", i), features[i - 1], kWidths[i + 1], 3, 2);
      features[i] =
          crossed(fmt::format("down{}", i), concat({finer, features[i]}), kWidths[i + 2], 1, false);
    }
    return features;
  }

  /// The numbers 0, 1, ... of the cells along an axis, as floats of that shape.
  Value* cells(Value* x, int64_t axis, const Shape& shape) {
    Value* sizes = op(OpKind::Shape, "", {x});
    Value* size = op(OpKind::Gather, "", {sizes, integer("axis", axis)});
    const Type line{ElemType::I64, {x->shape()[static_cast<size_t>(axis)]}, {}};
    Value* numbers = opOf(line, OpKind::Range, "", {integer("first", 0), size, integer("step", 1)});
    numbers = op(OpKind::Cast, "", {numbers}, {{"to", ElemType::F32}});
    return reshape(numbers, shape);
  }

  /// [batch, 4, cells] of a scale: top, left, bottom and right, from distances to a cell's center.
  Value* boxesOf(Value* x, int stride) {
    const auto inside = scope("box");
    Value* y = block("cv1", x, 32, 3);
    y = conv("cv2", y, {.out = 4, .kernel = {1}, .bias = Bias::Yes, .gain = kHeadGain});
    y = op(OpKind::Exp, "", {clip("clip", y, -2, 2)});
    const std::vector<Value*> distances = split(y, 4);
    Value* rows = add(cells(x, 2, {1, 1, -1, 1}), scalar("half", 0.5f));
    Value* columns = add(cells(x, 3, {1, 1, 1, -1}), scalar("half", 0.5f));
    const auto edge = [&](OpKind kind, Value* center, Value* distance) {
      return op(kind, "", {center, distance});
    };
    y = concat({edge(OpKind::Sub, rows, distances[0]), edge(OpKind::Sub, columns, distances[1]),
                edge(OpKind::Add, rows, distances[2]), edge(OpKind::Add, columns, distances[3])});
    y = mul(y, scalar("stride", static_cast<float>(stride)));
    return reshape(y, {0, 4, -1});
  }

  /// [batch, classes, cells] of a scale.
  Value* scoresOf(Value* x) {
    const auto inside = scope("class");
    Value* y = block("cv1", x, 32, 3);
    y = conv("cv2", y, {.out = kClasses, .kernel = {1}, .bias = Bias::Yes, .gain = kHeadGain});
    return reshape(op(OpKind::Sigmoid, "", {y}), {0, kClasses, -1});
  }

  /// A row for each box kept: the image, the box, its class and score.
  Value* chosen(Value* boxes, Value* scores) {
    const auto inside = scope("nms");
    const Type rows{ElemType::I64, {kFound, 3}, {}};
    Value* kept = opOf(
        rows, OpKind::NonMaxSuppression, "",
        {boxes, scores, ints("most", {kOfClass}), scalar("overlap", 0.45f), scalar("least", 0.7f)});
    const auto column = [&](int64_t number) {
      return op(OpKind::Gather, "", {kept, ints("column", {number})}, {{"axis", int64_t{1}}});
    };
    Value *image = column(0), *kind = column(1), *place = column(2);
    Value* box = op(OpKind::GatherND, "", {boxes, concat({image, place})});
    Value* score = reshape(op(OpKind::GatherND, "", {scores, kept}), {-1, 1});
    const auto number = [&](Value* x) {
      return op(OpKind::Cast, "", {x}, {{"to", ElemType::F32}});
    };
    return concat({number(image), box, number(kind), score});
  }
};

} // namespace

Built yoloNms(const Shape& input) { return Detector(input).build(); }

} // namespace enfold::zoo
