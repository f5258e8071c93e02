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

/// Each alone, by as little as there may be, then all by different amounts, so that what they
/// decide is told apart.
std::vector<Probe> probesOf(size_t numNames) {
  std::vector<Probe> probes;
  for (size_t i = 0; i < std::min<size_t>(numNames, 2); ++i)
    for (const int64_t unit : {1, -1}) {
      probes.emplace_back(numNames);
      probes.back()[i].units = unit;
    }
  for (const size_t turn : {0, 1}) {
    probes.emplace_back();
    for (size_t i = 0; i < numNames; ++i)
      probes.back().push_back({kUnits[(turn + i) % std::size(kUnits)], 1});
  }
  for (const int64_t divisor : kDivisors) probes.emplace_back(numNames, Change{0, divisor});
  return probes;
}

enum class Purpose : uint8_t { Observe, Compile };

/// Shows the store the network for these sizes, or has it compile what it has no code for.
Result<> show(const ModelSource& model, std::span<const NamedTensor> inputs,
              const LoadOptions& load, const CompileOptions& options, Purpose purpose) {
  ENFOLD_TRY(const codegen::Target target, targetOf(options));
  ENFOLD_TRY(LoadedModel loaded, loadModelFor(model, inputs, load));
  if (!loaded.boundInputs.empty()) return {};
  ENFOLD_RETURN_IF_ERROR(optimize(*loaded.graph, options, target));
  ENFOLD_TRY(SharedPlan shared, lowerShared(*loaded.graph, target, lower::Kernels::Outlined));
  if (purpose == Purpose::Observe) {
    options.kernels->observe(shared.wanted);
  } else if (!options.kernels->find(shared.wanted)) {
    ENFOLD_TRY(shared, lowerShared(*loaded.graph, target, lower::Kernels::Whole));
    ENFOLD_RETURN_IF_ERROR(
        options.kernels->bind(shared.wanted, target, {.interrupted = options.interrupted}));
  }
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
  if (names.empty()) return;
  std::vector<std::vector<NamedTensor>> allowed;
  for (const Probe& probe : probesOf(names.size())) {
    std::vector<NamedTensor> changed(inputs.begin(), inputs.end());
    changeSizes(signature, load, changed, [&](const std::string& name, int64_t& size) {
      const auto which = std::ranges::find(names, name) - names.begin();
      size = probe[static_cast<size_t>(which)].of(size);
    });
    if (show(model, changed, load, options, Purpose::Observe))
      allowed.push_back(std::move(changed));
  }
  if (!compiles) return;
  for (const std::vector<NamedTensor>& changed : allowed)
    if (const auto done = show(model, changed, load, options, Purpose::Compile); !done) continue;
}

} // namespace enfold
