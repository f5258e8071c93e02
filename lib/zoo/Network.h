// Layers with parameters, on top of the graph builder: what torch.nn is to a model.
//
// Weights are uniform with the variance of He et al. (ICCV 2015), gain / fan-in, so that
// activations keep their size through any number of layers; statistics and scales of BatchNorm are
// far enough from 0 and 1 that forgetting one shows in the result.
#pragma once

#include "ir/Builder.h"

namespace enfold::zoo {

enum class Activation { None, Relu, Relu6, Elu, Silu, HardSwish };

/// The gain of weights behind an activation that restores the mean square it takes from normally
/// distributed inputs. A gate, a sigmoid the input is multiplied by, takes another kGateGain.
double gainAfter(Activation activation);
constexpr double kGateGain = 3;

enum class Bias { No, Yes };

/// Lists of one number stand for that number in each spatial dimension.
struct ConvSpec {
  int64_t out; ///< channels
  std::vector<int64_t> kernel;
  std::vector<int64_t> stride = {1};
  std::vector<int64_t> pad = {0}; ///< at both ends
  int64_t group = 1;
  Bias bias = Bias::No;
  double gain = gainAfter(Activation::Relu);
};

struct PoolSpec {
  std::vector<int64_t> kernel;
  std::vector<int64_t> stride = {1};
  std::vector<int64_t> pad = {0}; ///< at both ends
  bool ceil = false;
};

struct BatchNormSpec {
  double scale = 1; ///< of gamma: small on the last one of a residual branch
  float epsilon = 1e-5f;
  bool training = false;
};

class Network : public GraphBuilder {
public:
  Network(std::string_view name, const Shape& input);

  Value* x() const { return input_; }

  Value* conv(std::string_view name, Value* x, const ConvSpec& spec);
  Value* convTranspose(std::string_view name, Value* x, const ConvSpec& spec);
  /// As PyTorch's Linear: of `in` features, which a result of another size does not fit.
  Value* linear(std::string_view name, Value* x, int64_t in, int64_t out,
                double gain = gainAfter(Activation::None));
  Value* batchNorm(std::string_view name, Value* x, const BatchNormSpec& spec = {});
  Value* layerNorm(std::string_view name, Value* x); ///< over all but the batch
  Value* instanceNorm(std::string_view name, Value* x);
  Value* groupNorm(std::string_view name, Value* x, int64_t groups);

  Value* activation(std::string_view name, Value* x, Activation kind);
  Value* relu(std::string_view name, Value* x) { return op(OpKind::Relu, name, {x}); }
  Value* maxPool(std::string_view name, Value* x, const PoolSpec& spec);
  /// Padding counts as zeros, as in PyTorch.
  Value* averagePool(std::string_view name, Value* x, const PoolSpec& spec);
  Value* globalAveragePool(std::string_view name, Value* x) {
    return op(OpKind::GlobalAveragePool, name, {x});
  }
  Value* flatten(Value* x) { return op(OpKind::Flatten, "", {x}); }
  Value* add(Value* a, Value* b) { return op(OpKind::Add, "", {a, b}); }
  Value* mul(Value* a, Value* b) { return op(OpKind::Mul, "", {a, b}); }

  /// torchvision's Conv2dNormActivation: a convolution, BatchNorm and activation, called 0, 1, 2.
  Value* convNorm(std::string_view name, Value* x, const ConvSpec& conv, Activation activation,
                  const BatchNormSpec& norm = {});

private:
  Value* weights(Shape shape, int64_t fanIn, double gain);
  Value* bias(int64_t size, int64_t fanIn);
  /// Scale and shift of a normalization.
  std::vector<Value*> affine(const Shape& shape, double scale = 1);

  Value* input_;
};

} // namespace enfold::zoo
