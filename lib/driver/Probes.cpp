// Sizes are changed by multiples of 32: networks that halve their input five times want such sizes.
#include "driver/Probes.h"

#include "lower/Lowering.h"

#include <fmt/format.h>

#include <algorithm>

namespace enfold {
namespace {

constexpr int64_t kUnit = 32;
/// Smaller sizes count things, as batches do; kernels for one of a thing differ from others.
constexpr int64_t kLeast = 16;

/// By which sizes are changed together, in turn.
constexpr int64_t kUnits[] = {4, 6, 1};

/// Calls change(name, size) for each size that the model leaves open: those of one name are equal.
template <typename Change>
void changeSizes(const onnx::Signature& signature, const LoadOptions& load,
                 std::vector<NamedTensor>& inputs, Change&& change) {
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

Result<> observe(const ModelSource& model, std::span<const NamedTensor> inputs,
                 const LoadOptions& load, const CompileOptions& options) {
  ENFOLD_TRY(const codegen::Target target, targetOf(options));
  ENFOLD_TRY(LoadedModel loaded, loadModelFor(model, inputs, load));
  if (!loaded.boundInputs.empty()) return {};
  ENFOLD_RETURN_IF_ERROR(optimize(*loaded.graph, options, target));
  ENFOLD_TRY(const lower::Plan plan,
             lower::lowerGraph(*loaded.graph, target, lower::ForSizes::Any));
  options.kernels->observe(codegen::KernelStore::wantedOf(plan.kernels, plan.originsOfKernels()));
  return {};
}

} // namespace

void observeSizes(const ModelSource& model, const onnx::Signature& signature,
                  std::span<const NamedTensor> inputs, const LoadOptions& load,
                  const CompileOptions& options) {
  std::vector<std::string> names;
  std::vector<NamedTensor> all(inputs.begin(), inputs.end());
  changeSizes(signature, load, all, [&](const std::string& name, int64_t&) {
    if (std::ranges::find(names, name) == names.end()) names.push_back(name);
  });
  if (names.empty()) return;
  // Each alone, then all by different amounts, so that what they decide is told apart.
  std::vector<std::vector<int64_t>> probes;
  for (size_t i = 0; i < std::min<size_t>(names.size(), 3); ++i) {
    probes.emplace_back(names.size());
    probes.back()[i] = 2;
  }
  for (const size_t turn : {0, 1}) {
    probes.emplace_back();
    for (size_t i = 0; i < names.size(); ++i)
      probes.back().push_back(kUnits[(turn + i) % std::size(kUnits)]);
  }
  for (const std::vector<int64_t>& units : probes) {
    std::vector<NamedTensor> changed(inputs.begin(), inputs.end());
    changeSizes(signature, load, changed, [&](const std::string& name, int64_t& size) {
      const auto which = std::ranges::find(names, name) - names.begin();
      size += kUnit * units[static_cast<size_t>(which)];
    });
    if (const auto done = observe(model, changed, load, options); !done) continue;
  }
}

} // namespace enfold
