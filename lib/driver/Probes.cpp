// Sizes are changed by multiples of 32: networks that halve their input five times want such sizes.
#include "driver/Probes.h"

#include "driver/SharedPlan.h"

#include <fmt/format.h>

#include <algorithm>

namespace enfold {
namespace {

constexpr int64_t kUnit = 32;
/// Smaller sizes count things, as batches do; kernels for one of a thing differ from others.
constexpr int64_t kLeast = 16;

/// By which sizes are changed together, in turn.
constexpr int64_t kUnits[] = {4, 6, 1};
/// In narrow images rows are tiled otherwise.
constexpr int64_t kDivisors[] = {2, 4};

/// What becomes of a size.
struct Change {
  int64_t units = 0, divisor = 1;

  int64_t of(int64_t size) const {
    if (units == 0 && divisor == 1) return size;
    return std::max(size / divisor / kUnit * kUnit + size % kUnit + units * kUnit, kUnit);
  }
};

/// Of each name of a size.
using Probe = std::vector<Change>;

/// Calls change(name, size) for each size that the model leaves open: those of one name are equal.
template <typename F>
void changeSizes(const onnx::Signature& signature, const LoadOptions& load,
                 std::vector<NamedTensor>& inputs, F&& change) {
  for (NamedTensor& input : inputs) {
    const auto declared =
        std::ranges::find(signature.inputs, input.name, &onnx::DeclaredTensor::name);
    if (declared == signature.inputs.end() || !declared->type.dims) continue;
    if (!isOpen(*declared, load)) continue;
    Shape shape = input.tensor.shape();
    for (size_t axis = 0; axis < shape.size(); ++axis) {
      const auto& [size, symbol] = (*declared->type.dims)[axis];
      if (size || load.dims.contains(symbol) || shape[axis] < kLeast) continue;
      change(symbol.empty() ? fmt::format("{} {}", input.name, axis) : symbol, shape[axis]);
    }
    if (shape != input.tensor.shape()) input.tensor = Tensor(input.tensor.elem(), std::move(shape));
  }
}

/// Each alone, by as little as there may be; with `others` also by less, all by different amounts,
/// so that what they decide is told apart, and narrow ones.
std::vector<Probe> probesOf(size_t numNames, bool others) {
  std::vector<Probe> probes;
  for (size_t i = 0; i < std::min<size_t>(numNames, 2); ++i)
    for (const int64_t unit : {1, -1}) {
      if (unit < 0 && !others) continue;
      probes.emplace_back(numNames);
      probes.back()[i].units = unit;
    }
  if (!others) return probes;
  for (const size_t turn : {0, 1}) {
    probes.emplace_back();
    for (size_t i = 0; i < numNames; ++i)
      probes.back().push_back({kUnits[(turn + i) % std::size(kUnits)], 1});
  }
  for (const int64_t divisor : kDivisors) probes.emplace_back(numNames, Change{0, divisor});
  return probes;
}

/// The network for certain sizes, as a store of kernels sees it.
struct Observed {
  std::vector<NamedTensor> inputs;
  std::vector<kir::Kernel> kernels;
  std::vector<codegen::KernelStore::Wanted> wanted; ///< refers to the kernels
};

/// The graph for these inputs; null if their contents decide shapes.
Result<std::unique_ptr<Graph>> graphFor(const ModelSource& model,
                                        std::span<const NamedTensor> inputs,
                                        const LoadOptions& load, const CompileOptions& options,
                                        const codegen::Target& target) {
  ENFOLD_TRY(LoadedModel loaded, loadModelFor(model, inputs, load));
  if (!loaded.boundInputs.empty()) return nullptr;
  ENFOLD_RETURN_IF_ERROR(optimize(*loaded.graph, options, target));
  return std::move(loaded.graph);
}

/// Has the store compile what it has no code for.
Result<> compileFor(const Observed& one, const ModelSource& model, const LoadOptions& load,
                    const CompileOptions& options, const codegen::Target& target) {
  const codegen::JitOptions jit = {.interrupted = options.interrupted};
  ENFOLD_TRY(const auto known, options.kernels->bind(one.wanted, target, jit));
  if (known.missing.empty()) return {};
  ENFOLD_TRY(const auto graph, graphFor(model, one.inputs, load, options, target));
  if (graph) ENFOLD_RETURN_IF_ERROR(bindShared(*graph, target, *options.kernels, jit));
  return {};
}

} // namespace

void observeSizes(const ModelSource& model, const onnx::Signature& signature,
                  std::span<const NamedTensor> inputs, const LoadOptions& load,
                  const CompileOptions& options, bool compiles) {
  std::vector<std::string> names;
  std::vector<NamedTensor> all(inputs.begin(), inputs.end());
  changeSizes(signature, load, all, [&](const std::string& name, int64_t&) {
    if (std::ranges::find(names, name) == names.end()) names.push_back(name);
  });
  const auto target = targetOf(options);
  if (names.empty() || !target) return;
  std::vector<Observed> allowed;
  for (const Probe& probe : probesOf(names.size(), compiles)) {
    std::vector<NamedTensor> changed(inputs.begin(), inputs.end());
    changeSizes(signature, load, changed, [&](const std::string& name, int64_t& size) {
      const auto which = std::ranges::find(names, name) - names.begin();
      size = probe[static_cast<size_t>(which)].of(size);
    });
    const auto graph = graphFor(model, changed, load, options, *target);
    if (!graph || !*graph) continue;
    auto shared = lowerShared(**graph, *target);
    if (!shared) continue;
    options.kernels->observe(shared->wanted);
    allowed.push_back(
        {std::move(changed), std::move(shared->plan.kernels), std::move(shared->wanted)});
  }
  if (!compiles) return;
  for (const Observed& one : allowed)
    if (const auto done = compileFor(one, model, load, options, *target); !done) continue;
}

} // namespace enfold
