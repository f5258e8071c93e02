// The public C++ interface to networks of changing shapes.
#include "driver/ApiOptions.h"
#include "driver/Network.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>

#include <cstring>

namespace enfold {
namespace {

/// Adds what is wrong with an input to `problems`; its bytes as a tensor if nothing is.
Tensor tensorOf(const DynamicInput& input, std::vector<Diag>& problems) {
  const auto elem = static_cast<ElemType>(input.elem);
  const auto refuse = [&](const std::string& why) {
    problems.push_back({fmt::format("input '{}': {}", input.name, why), {}, ErrorCode::WrongInput});
    return Tensor();
  };
  if (enfold_elem_bytes(static_cast<int32_t>(input.elem)) == 0)
    return refuse("no such element type");
  if (const auto fits = checkShape(input.shape, elem); !fits) return refuse(fits.error().str());
  const int64_t bytes = numElements(input.shape) * static_cast<int64_t>(byteSize(elem));
  if (static_cast<int64_t>(input.bytes.size()) != bytes)
    return refuse(
        fmt::format("{} has {} bytes, not {}", str(input.shape), bytes, input.bytes.size()));
  Tensor tensor(elem, input.shape);
  if (bytes > 0) std::memcpy(tensor.mutableBytes(), input.bytes.data(), input.bytes.size());
  return tensor;
}

} // namespace

struct DynamicContext::Impl {
  std::unique_ptr<Network> network;
};

DynamicContext::DynamicContext(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
DynamicContext::DynamicContext(DynamicContext&&) noexcept = default;
DynamicContext& DynamicContext::operator=(DynamicContext&&) noexcept = default;
DynamicContext::~DynamicContext() = default;

std::expected<DynamicContext, Failure> DynamicContext::open(const std::string& model,
                                                            const DynamicOptions& options) {
  return guarded("opening " + model, [&]() -> Result<DynamicContext> {
    ENFOLD_TRY(auto network, Network::open(model, {.load = loadOptions(options.module),
                                                   .compile = compileOptions(options.module),
                                                   .session = {options.context.threads,
                                                               keepsSubnormals(options.module)},
                                                   .streams = options.streams,
                                                   .capacity = options.capacity}));
    return DynamicContext(std::make_unique<Impl>(std::move(network)));
  });
}

std::expected<std::vector<DynamicOutput>, Failure>
DynamicContext::run(std::span<const DynamicInput> inputs) {
  return guarded("running", [&]() -> Result<std::vector<DynamicOutput>> {
    std::vector<Diag> problems;
    std::vector<NamedTensor> tensors;
    for (const DynamicInput& input : inputs)
      tensors.push_back({input.name, tensorOf(input, problems)});
    if (!problems.empty()) return std::unexpected(Error(ErrorKind::Usage, std::move(problems)));
    ENFOLD_TRY(const Network::Run run, impl_->network->run(tensors));
    std::vector<DynamicOutput> outputs;
    for (size_t i = 0; i < run.outputs.size(); ++i) {
      const Tensor& tensor = run.outputs[i];
      outputs.push_back({run.names[i],
                         static_cast<enfold_elem>(tensor.elem()),
                         tensor.shape(),
                         {tensor.bytes(), tensor.bytes() + tensor.numBytes()}});
    }
    return outputs;
  });
}

int64_t DynamicContext::compilations() const { return impl_->network->compilations(); }

} // namespace enfold
