// Signal processing: windows and filter banks are constants, Fourier transforms are products with a
// matrix of sines and cosines.
#include "onnx/TensorCodec.h"
#include "onnx/adapters/Adapters.h"
#include "onnx/adapters/Compose.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

namespace enfold::onnx {
namespace {

/// Numbers of a constant that a model of a few bytes can ask for.
constexpr int64_t kMostNumbers = int64_t{1} << 26;

constexpr double kTwoPi = 2 * std::numbers::pi;

/// Of an attribute that names the element type of the result: floats and integers alike.
Result<ElemType> takeType(Node& node, std::string_view name) {
  ENFOLD_TRY(const int64_t number, node.take<int64_t>(name, int64_t{1}));
  if (number < 0 || number > INT32_MAX)
    return failure(ErrorCode::BadAttribute, fmt::format("attribute '{}' is no element type", name));
  ENFOLD_TRY(const ElemType elem, decodeElemType(static_cast<int>(number)));
  if (!isFloat(elem) && !isInteger(elem))
    return failure(ErrorCode::TypeMismatch,
                   fmt::format("its result cannot be of {}", enfold::name(elem)));
  return elem;
}

Tensor tensorOf(ElemType elem, Shape shape, const std::vector<double>& numbers) {
  Tensor tensor(elem, std::move(shape));
  for (size_t i = 0; i < numbers.size(); ++i) {
    const double number = isInteger(elem) ? std::trunc(numbers[i]) : numbers[i];
    tensor.setDouble(static_cast<int64_t>(i), number);
  }
  return tensor;
}

/// A window of known size: weight(phase) for phases from 0 on; a period is 2 pi.
template <typename F> Result<Values> window(Node& node, F&& weight) {
  ENFOLD_TRY(const ElemType elem, takeType(node, "output_datatype"));
  ENFOLD_TRY(const int64_t periodic, node.takeRow<int64_t>("periodic: flag = 1"));
  ENFOLD_TRY(const int64_t size, knownInteger(node, 0));
  if (size < 0 || size > kMostNumbers) return invalid(fmt::format("a window of {} numbers", size));
  const int64_t period = periodic ? size : std::max<int64_t>(size - 1, 1);
  std::vector<double> numbers;
  for (int64_t i = 0; i < size; ++i)
    numbers.push_back(size == 1 && !periodic ? 1.0 : weight(kTwoPi * double(i) / double(period)));
  return node.finishAs({node.constant(tensorOf(elem, {size}, numbers), "window")});
}

/// A Fourier transform of `points` points.
struct Transform {
  int64_t points;
  bool inverse;

  /// Cosine and sine of what e is raised to for bin `bin` and point `point`.
  std::pair<double, double> factor(int64_t bin, int64_t point) const {
    const double angle = kTwoPi * double((bin * point) % points) / double(points);
    return {std::cos(angle), inverse ? std::sin(angle) : -std::sin(angle)};
  }
};

/// [inputs * inputParts, outputs * outputParts]: complex numbers lie as real and imaginary part,
/// real ones as one number. `weight` is of each input.
template <typename F>
Tensor matrixOf(const Transform& transform, ElemType elem, int64_t inputs, int64_t inputParts,
                int64_t outputs, int64_t outputParts, F&& weight) {
  Tensor matrix(elem, {inputs * inputParts, outputs * outputParts});
  int64_t at = 0;
  for (int64_t i = 0; i < inputs; ++i)
    for (int64_t part = 0; part < inputParts; ++part)
      for (int64_t k = 0; k < outputs; ++k) {
        const auto [cosine, sine] = transform.factor(k, i);
        const double real = part == 0 ? cosine : -sine, imaginary = part == 0 ? sine : cosine;
        matrix.setDouble(at++, weight(i) * real);
        if (outputParts == 2) matrix.setDouble(at++, weight(i) * imaginary);
      }
  return matrix;
}

bool fits(int64_t rows, int64_t columns) { return rows == 0 || columns <= kMostNumbers / rows; }

/// The type that products are computed in.
ElemType wide(ElemType elem) { return elem == ElemType::F64 ? elem : ElemType::F32; }

/// The points, and whether they are real, of the last dimension of a signal.
Result<int64_t> partsOf(const Value* signal) {
  const int64_t parts = signal->shape().empty() ? 0 : signal->shape().back();
  if (!isFloat(signal->elem()) || signal->type().rank() < 2 || (parts != 1 && parts != 2))
    return invalid(fmt::format("{} holds no real or complex numbers along its last dimension",
                               signal->type().str()));
  return parts;
}

/// Along `axis` of the node's first operand.
Result<Values> transformed(Node& node, int64_t axis, std::optional<int64_t> length) {
  ENFOLD_TRY(const int64_t inverse, node.takeRow<int64_t>("inverse: flag = 0"));
  ENFOLD_TRY(const int64_t onesided, node.takeRow<int64_t>("onesided: flag = 0"));
  ENFOLD_TRY(Value * x, node.required(0));
  ENFOLD_TRY(const int64_t parts, partsOf(x));
  const int64_t rank = x->type().rank();
  ENFOLD_TRY(const int64_t along, normalizeAxis(axis, rank));
  if (along == rank - 1) return invalid("its axis is that of real and imaginary parts");
  const bool toReal = onesided && inverse;
  if (onesided && !inverse && parts == 2)
    return invalid("one side says nothing of the other of a complex signal");
  if (toReal && parts == 1) return invalid("it needs a complex spectrum to make a real signal of");
  const int64_t size = x->shape()[static_cast<size_t>(along)];
  const int64_t points = length.value_or(toReal ? 2 * (size - 1) : size);
  if (points < 1) return invalid(fmt::format("a transform of {} points", points));
  if (points > kMostNumbers)
    return unsupported(fmt::format("a transform of {} points is too large to write down", points));
  const int64_t bins = points / 2 + 1, used = std::min(size, toReal ? bins : points);
  const int64_t outputs = onesided && !inverse ? bins : points, outputParts = toReal ? 1 : 2;
  if (!fits(used * parts, outputs * outputParts))
    return unsupported(fmt::format("a transform of {} points is too large to write down", points));
  const Transform transform{points, inverse != 0};
  const double scale = inverse ? 1 / double(points) : 1;
  // Of one side the other is the conjugate: its bins count twice, but those that have none there.
  const auto weight = [&](int64_t bin) {
    return toReal && bin > 0 && 2 * bin < points ? 2 * scale : scale;
  };
  Compose to(node);
  const ElemType elem = x->elem(), inner = wide(elem);
  ENFOLD_TRY(x, to.cast(x, inner));
  ENFOLD_TRY(x, to.slice(x, along, 0, used));
  std::vector<int64_t> perm(static_cast<size_t>(rank));
  std::iota(perm.begin(), perm.end(), 0);
  std::swap(perm[static_cast<size_t>(along)], perm[static_cast<size_t>(rank - 2)]);
  const bool turns = along != rank - 2;
  if (turns) {
    ENFOLD_TRY(x, to.transpose(x, perm));
  }
  Shape shape(x->shape().begin(), x->shape().end() - 2);
  const int64_t rows = numElements(shape);
  ENFOLD_TRY(x, to.reshape(x, {rows, used * parts}));
  Value* matrix = node.constant(
      matrixOf(transform, inner, used, parts, outputs, outputParts, weight), "transform");
  ENFOLD_TRY(x, to.binary(OpKind::MatMul, x, matrix));
  shape.insert(shape.end(), {outputs, outputParts});
  ENFOLD_TRY(x, to.reshape(x, shape));
  if (turns) {
    ENFOLD_TRY(x, to.transpose(x, perm));
  }
  ENFOLD_TRY(x, to.cast(x, elem));
  return node.finishAs({x});
}

Result<std::optional<int64_t>> takeLength(const Node& node) {
  if (!node.operand(1)) return std::nullopt;
  ENFOLD_TRY(const int64_t length, knownInteger(node, 1));
  return length;
}

double mel(double hertz) { return 2595 * std::log10(1 + hertz / 700); }
double hertz(double mels) { return 700 * (std::pow(10, mels / 2595) - 1); }

} // namespace

Result<Values> hannWindow(Node& node) {
  return window(node, [](double phase) { return 0.5 - 0.5 * std::cos(phase); });
}

Result<Values> hammingWindow(Node& node) {
  return window(node, [](double phase) { return 25.0 / 46 - 21.0 / 46 * std::cos(phase); });
}

Result<Values> blackmanWindow(Node& node) {
  return window(
      node, [](double phase) { return 0.42 - 0.5 * std::cos(phase) + 0.08 * std::cos(2 * phase); });
}

// Triangles between neighbours of equal distance on the mel scale, of whole bins.
Result<Values> melWeightMatrix(Node& node) {
  ENFOLD_TRY(const ElemType elem, takeType(node, "output_datatype"));
  ENFOLD_TRY(const int64_t bands, knownInteger(node, 0));
  ENFOLD_TRY(const int64_t length, knownInteger(node, 1));
  ENFOLD_TRY(const int64_t rate, knownInteger(node, 2));
  ENFOLD_TRY(const double lowest, knownNumber(node, 3));
  ENFOLD_TRY(const double highest, knownNumber(node, 4));
  const int64_t bins = length / 2 + 1;
  if (bands < 1 || length < 1 || rate < 1 || !fits(bins, bands))
    return invalid(
        fmt::format("{} bands of a transform of {} points at {} hertz", bands, length, rate));
  if (!(lowest > -700) || !(highest >= lowest) || highest > double(rate))
    return invalid(fmt::format("bands from {} to {} hertz at {} hertz", lowest, highest, rate));
  std::vector<int64_t> edges;
  const double step = (mel(highest) - mel(lowest)) / double(bands + 2);
  for (int64_t i = 0; i < bands + 2; ++i)
    edges.push_back(static_cast<int64_t>(
        std::floor(double(length + 1) * hertz(mel(lowest) + double(i) * step) / double(rate))));
  if (edges.front() < 0 || edges.back() > bins)
    return invalid(
        fmt::format("its bands end at bin {}, of which there are {}", edges.back(), bins));
  std::vector<double> weights(static_cast<size_t>(bins * bands));
  for (int64_t band = 0; band < bands; ++band) {
    const auto at = [&](int64_t bin) -> double& {
      return weights[static_cast<size_t>(bin * bands + band)];
    };
    const int64_t low = edges[static_cast<size_t>(band)],
                  center = edges[static_cast<size_t>(band) + 1],
                  high = edges[static_cast<size_t>(band) + 2];
    for (int64_t bin = low; bin <= std::min(center, bins - 1); ++bin)
      at(bin) = center == low ? 1 : double(bin - low) / double(center - low);
    for (int64_t bin = center; bin < high; ++bin)
      at(bin) = double(high - bin) / double(high - center);
  }
  return node.finishAs({node.constant(tensorOf(elem, {bins, bands}, weights), "mel")});
}

Result<Values> dft(Node& node) {
  ENFOLD_TRY(const auto length, takeLength(node));
  int64_t axis = -2;
  if (node.operand(2)) {
    ENFOLD_TRY(axis, knownInteger(node, 2));
  }
  return transformed(node, axis, length);
}

Result<Values> dftOfAttributeAxis(Node& node) {
  ENFOLD_TRY(const auto length, takeLength(node));
  ENFOLD_TRY(const int64_t axis, node.take<int64_t>("axis", int64_t{1}));
  return transformed(node, axis, length);
}

// Frames of the signal, each multiplied by the window and transformed.
Result<Values> stft(Node& node) {
  ENFOLD_TRY(const int64_t onesided, node.takeRow<int64_t>("onesided: flag = 1"));
  ENFOLD_TRY(Value * x, node.required(0));
  ENFOLD_TRY(const int64_t step, knownInteger(node, 1));
  Value* weights = node.operand(2);
  if (x->type().rank() == 2) { // as some exporters have it, without a last dimension
    Compose to(node);
    ENFOLD_TRY(x, to.reshape(x, {x->shape()[0], x->shape()[1], 1}));
  }
  ENFOLD_TRY(const int64_t parts, partsOf(x));
  if (x->type().rank() != 3)
    return failure(ErrorCode::ShapeMismatch,
                   fmt::format("its signal is {}, not of 3 dimensions", x->type().str()));
  const int64_t batch = x->shape()[0], length = x->shape()[1];
  int64_t points = length;
  if (node.operand(3)) {
    ENFOLD_TRY(points, knownInteger(node, 3));
  } else if (weights && weights->type().rank() == 1) {
    points = weights->shape()[0];
  }
  if (weights && (weights->shape() != Shape{points} || weights->elem() != x->elem()))
    return failure(
        ErrorCode::ShapeMismatch,
        fmt::format("its window is {} where {} numbers are needed", weights->type().str(), points));
  if (onesided && parts == 2)
    return invalid("one side says nothing of the other of a complex signal");
  if (points < 1 || points > length || step < 1)
    return invalid(
        fmt::format("frames of {} points, {} apart, of a signal of {}", points, step, length));
  const int64_t frames = (length - points) / step + 1, bins = onesided ? points / 2 + 1 : points;
  if (!fits(points * parts, 2 * bins) || !fits(frames, points))
    return unsupported(
        fmt::format("{} transforms of {} points are too large to write down", frames, points));
  Compose to(node);
  const ElemType elem = x->elem(), inner = wide(elem);
  ENFOLD_TRY(x, to.cast(x, inner));
  Tensor places(ElemType::I64, {frames, points});
  for (int64_t i = 0; i < frames * points; ++i)
    places.mutableData<int64_t>()[i] = i / points * step + i % points;
  ENFOLD_TRY(Value * cut, node.emit(OpKind::Gather, {x, node.constant(std::move(places), "frames")},
                                    {{"axis", int64_t{1}}}));
  if (weights) {
    ENFOLD_TRY(weights, to.cast(weights, inner));
    ENFOLD_TRY(weights, to.reshape(weights, {points, 1}));
    ENFOLD_TRY(cut, to.binary(OpKind::Mul, cut, weights));
  }
  ENFOLD_TRY(cut, to.reshape(cut, {batch, frames, points * parts}));
  Value* matrix = node.constant(matrixOf(Transform{points, false}, inner, points, parts, bins, 2,
                                         [](int64_t) { return 1.0; }),
                                "transform");
  ENFOLD_TRY(Value * y, to.binary(OpKind::MatMul, cut, matrix));
  ENFOLD_TRY(y, to.reshape(y, {batch, frames, bins, 2}));
  ENFOLD_TRY(y, to.cast(y, elem));
  return node.finishAs({y});
}

} // namespace enfold::onnx
