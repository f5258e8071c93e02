// Normalizations: each makes groups of elements have mean 0 and variance 1, then scales and shifts.
#include "reference/EvalContext.h"
#include "reference/Indexing.h"
#include "reference/Numbers.h"
#include "support/ErrorCodes.h"

#include <algorithm>
#include <cmath>

namespace enfold::reference {
namespace {

struct Moments {
  double mean = 0, variance = 0;
};

/// Population moments, in two passes.
Moments momentsOf(std::span<const double> values) {
  Moments m;
  for (double value : values) m.mean += value;
  m.mean /= static_cast<double>(values.size());
  for (double value : values) m.variance += (value - m.mean) * (value - m.mean);
  m.variance /= static_cast<double>(values.size());
  return m;
}

int64_t channelsOf(const Shape& x) { return x.size() > 1 ? x[1] : 1; }

int64_t pixelsOf(const Shape& x) {
  return x.size() > 2 ? numElements(Shape(x.begin() + 2, x.end())) : 1;
}

/// Normalizes runs of `size` consecutive elements, then applies scale and bias of each element's
/// channel.
Result<> normalizeRuns(EvalContext& context, int64_t size) {
  const Shape& x = context.shape(0);
  std::vector<double> values = load<double>(context.operand());
  const std::vector<double> scale = load<double>(context.operand(1));
  const std::vector<double> bias = load<double>(context.operand(2));
  const int64_t channels = channelsOf(x), pixels = pixelsOf(x);
  if (static_cast<int64_t>(scale.size()) != channels ||
      static_cast<int64_t>(bias.size()) != channels)
    return failure(ErrorCode::ShapeMismatch, "scale and bias must have one value a channel");
  const double epsilon = context.real("epsilon");
  for (size_t begin = 0; begin < values.size(); begin += static_cast<size_t>(size)) {
    const std::span<double> run(values.data() + begin, static_cast<size_t>(size));
    const Moments m = momentsOf(run);
    const double inverse = 1 / std::sqrt(m.variance + epsilon);
    for (size_t i = 0; i < run.size(); ++i) {
      const auto c = (begin + i) / static_cast<size_t>(pixels) % static_cast<size_t>(channels);
      run[i] = (run[i] - m.mean) * inverse * scale[c] + bias[c];
    }
  }
  store(context.result(), values);
  return {};
}

} // namespace

/// In training mode with the moments of the batch; the running statistics are then the second and
/// third result: running * momentum + batch * (1 - momentum), with the population variance.
Result<> evalBatchNormalization(EvalContext& context) {
  const Shape& x = context.shape(0);
  const int64_t channels = channelsOf(x), pixels = pixelsOf(x);
  std::vector<double> values = load<double>(context.operand());
  const std::vector<double> scale = load<double>(context.operand(1));
  const std::vector<double> bias = load<double>(context.operand(2));
  std::vector<double> mean = load<double>(context.operand(3));
  std::vector<double> variance = load<double>(context.operand(4));
  const auto channelOf = [&](size_t i) {
    return i / static_cast<size_t>(pixels) % static_cast<size_t>(channels);
  };
  if (context.integer("training_mode")) {
    std::vector<std::vector<double>> byChannel(static_cast<size_t>(channels));
    for (size_t i = 0; i < values.size(); ++i) byChannel[channelOf(i)].push_back(values[i]);
    const double momentum = context.real("momentum");
    for (size_t c = 0; c < byChannel.size(); ++c) {
      const Moments m = momentsOf(byChannel[c]);
      if (context.numResults() > 1)
        context.result(1).setDouble(static_cast<int64_t>(c),
                                    mean[c] * momentum + m.mean * (1 - momentum));
      if (context.numResults() > 2)
        context.result(2).setDouble(static_cast<int64_t>(c),
                                    variance[c] * momentum + m.variance * (1 - momentum));
      mean[c] = m.mean;
      variance[c] = m.variance;
    }
  }
  const double epsilon = context.real("epsilon");
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t c = channelOf(i);
    values[i] = (values[i] - mean[c]) / std::sqrt(variance[c] + epsilon) * scale[c] + bias[c];
  }
  store(context.result(), values);
  return {};
}

Result<> evalInstanceNormalization(EvalContext& context) {
  return normalizeRuns(context, std::max<int64_t>(1, pixelsOf(context.shape(0))));
}

Result<> evalGroupNormalization(EvalContext& context) {
  const int64_t groups = context.integer("num_groups"), channels = channelsOf(context.shape(0));
  if (groups < 1 || channels % groups)
    return failure(ErrorCode::ShapeMismatch, "num_groups does not divide the channels");
  return normalizeRuns(context, channels / groups * pixelsOf(context.shape(0)));
}

Result<> evalLayerNormalization(EvalContext& context) {
  const Shape& x = context.shape(0);
  ENFOLD_TRY(const int64_t axis, normalizeAxis(context.integer("axis"), context.operand().rank()));
  const int64_t size = numElements(Shape(x.begin() + static_cast<ptrdiff_t>(axis), x.end()));
  std::vector<double> values = load<double>(context.operand());
  const double epsilon = context.real("epsilon");
  for (int64_t run = 0; size && run < context.operand().numElements() / size; ++run) {
    const std::span<double> part(values.data() + run * size, static_cast<size_t>(size));
    const Moments m = momentsOf(part);
    const double inverse = 1 / std::sqrt(m.variance + epsilon);
    for (double& value : part) value = (value - m.mean) * inverse;
    if (context.numResults() > 1) context.result(1).setDouble(run, m.mean);
    if (context.numResults() > 2) context.result(2).setDouble(run, inverse);
  }
  const Tensor& scale = context.operand(1);
  forEachOffset<1>(x, {broadcastStrides(scale.shape(), x)},
                   [&](int64_t i, const std::array<int64_t, 1>& at) {
                     values[static_cast<size_t>(i)] *= scale.asDouble(at[0]);
                   });
  if (context.has(2))
    forEachOffset<1>(x, {broadcastStrides(context.shape(2), x)},
                     [&](int64_t i, const std::array<int64_t, 1>& at) {
                       values[static_cast<size_t>(i)] += context.operand(2).asDouble(at[0]);
                     });
  store(context.result(), values);
  return {};
}

Result<> evalRMSNormalization(EvalContext& context) {
  const Shape& x = context.shape(0);
  ENFOLD_TRY(const int64_t axis, normalizeAxis(context.integer("axis"), context.operand().rank()));
  const int64_t size = numElements(Shape(x.begin() + static_cast<ptrdiff_t>(axis), x.end()));
  std::vector<double> values = load<double>(context.operand());
  const double epsilon = context.real("epsilon");
  for (int64_t run = 0; size && run < context.operand().numElements() / size; ++run) {
    const std::span<double> part(values.data() + run * size, static_cast<size_t>(size));
    double squares = 0;
    for (double value : part) squares += value * value;
    const double inverse = 1 / std::sqrt(squares / static_cast<double>(size) + epsilon);
    for (double& value : part) value *= inverse;
  }
  const Tensor& scale = context.operand(1);
  forEachOffset<1>(x, {broadcastStrides(scale.shape(), x)},
                   [&](int64_t i, const std::array<int64_t, 1>& at) {
                     values[static_cast<size_t>(i)] *= scale.asDouble(at[0]);
                   });
  store(context.result(), values);
  return {};
}

/// (x - mean) / sqrt(variance) over the axes, as the operator's function body says with its 1e-9.
Result<> evalMeanVarianceNormalization(EvalContext& context) {
  const Shape& x = context.shape(0);
  Shape kept = x;
  for (int64_t axis : context.ints("axes")) {
    ENFOLD_TRY(const int64_t at, normalizeAxis(axis, context.operand().rank()));
    kept[static_cast<size_t>(at)] = 1;
  }
  std::vector<double> values = load<double>(context.operand());
  std::vector<std::vector<double>> groups(static_cast<size_t>(numElements(kept)));
  std::vector<int64_t> groupOf(values.size());
  forEachOffset<1>(x, {broadcastStrides(kept, x)},
                   [&](int64_t i, const std::array<int64_t, 1>& at) {
                     groupOf[static_cast<size_t>(i)] = at[0];
                     groups[static_cast<size_t>(at[0])].push_back(values[static_cast<size_t>(i)]);
                   });
  std::vector<Moments> moments;
  for (const auto& group : groups) moments.push_back(momentsOf(group));
  for (size_t i = 0; i < values.size(); ++i) {
    const Moments& m = moments[static_cast<size_t>(groupOf[i])];
    values[i] = (values[i] - m.mean) / (std::sqrt(m.variance) + 1e-9);
  }
  store(context.result(), values);
  return {};
}

Result<> evalLpNormalization(EvalContext& context) {
  const Shape& x = context.shape(0);
  ENFOLD_TRY(const int64_t axis, normalizeAxis(context.integer("axis"), context.operand().rank()));
  const int64_t p = context.integer("p");
  Shape kept = x;
  kept[static_cast<size_t>(axis)] = 1;
  std::vector<double> values = load<double>(context.operand());
  std::vector<double> norms(static_cast<size_t>(numElements(kept)), 0);
  const std::array<Strides, 1> strides = {broadcastStrides(kept, x)};
  forEachOffset<1>(x, strides, [&](int64_t i, const std::array<int64_t, 1>& at) {
    const double value = std::fabs(values[static_cast<size_t>(i)]);
    norms[static_cast<size_t>(at[0])] += p == 1 ? value : value * value;
  });
  forEachOffset<1>(x, strides, [&](int64_t i, const std::array<int64_t, 1>& at) {
    const double sum = norms[static_cast<size_t>(at[0])];
    const double norm = p == 1 ? sum : std::sqrt(sum);
    double& value = values[static_cast<size_t>(i)];
    value = norm == 0 ? 0 : value / norm;
  });
  store(context.result(), values);
  return {};
}

/// Across channels: x / (bias + alpha/size * sum of squares of `size` channels around)^beta.
Result<> evalLRN(EvalContext& context) {
  const Shape& x = context.shape(0);
  if (x.size() < 2) return failure(ErrorCode::ShapeMismatch, "lrn needs channels");
  const int64_t channels = x[1], pixels = pixelsOf(x), size = context.integer("size");
  if (size < 1) return failure(ErrorCode::BadAttribute, "size of lrn must be at least 1");
  const double alpha = context.real("alpha"), beta = context.real("beta"),
               bias = context.real("bias");
  const std::vector<double> in = load<double>(context.operand());
  std::vector<double> out(in.size());
  for (int64_t n = 0; n < x[0]; ++n)
    for (int64_t c = 0; c < channels; ++c) {
      const int64_t first = std::max<int64_t>(0, c - (size - 1) / 2);
      const int64_t last = std::min(channels - 1, c + size / 2);
      for (int64_t p = 0; p < pixels; ++p) {
        double squares = 0;
        for (int64_t k = first; k <= last; ++k) {
          const double value = in[static_cast<size_t>((n * channels + k) * pixels + p)];
          squares += value * value;
        }
        const auto at = static_cast<size_t>((n * channels + c) * pixels + p);
        out[at] = in[at] / std::pow(bias + alpha / static_cast<double>(size) * squares, beta);
      }
    }
  store(context.result(), out);
  return {};
}

} // namespace enfold::reference
