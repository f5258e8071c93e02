// Looking up kernels by their shapes, and compiling what is new.
#include "codegen/KernelStore.h"

#include "kernel/Verifier.h"

#include <algorithm>
#include <string>

namespace enfold::codegen {
namespace {

/// The kernel that takes these parameters, if there are any.
kir::Kernel withParameters(const kir::Kernel& kernel, const kir::Parameters& parameters) {
  return parameters.count() > 0 ? kir::generalized(kernel, parameters) : kernel;
}

} // namespace
std::vector<KernelStore::Wanted> KernelStore::wantedOf(std::span<const kir::Kernel> kernels,
                                                       std::span<const std::string> origins) {
  const auto skeleton = [](const kir::Kernel& kernel, const std::string& origin) {
    if (origin.empty()) return std::make_shared<const kir::Skeleton>();
    if (kernel.skeleton) return kernel.skeleton;
    return std::make_shared<const kir::Skeleton>(kir::skeletonOf(kernel));
  };
  std::vector<Wanted> wanted;
  for (size_t i = 0; i < kernels.size(); ++i)
    wanted.push_back({&kernels[i], origins[i], skeleton(kernels[i], origins[i])});
  return wanted;
}

std::optional<KernelStore::Bound> KernelStore::findOne(const Wanted& wanted) {
  const kir::Skeleton& skeleton = *wanted.skeleton;
  const auto alike = templates_.find(skeleton.hash);
  if (alike == templates_.end()) return std::nullopt;
  const auto bindTo = [&](Templates::iterator one) -> std::optional<Bound> {
    if (!one->function || one->first->shape != skeleton.shape) return std::nullopt;
    auto sizes = one->parameters.solve(skeleton.numbers);
    if (!sizes) return std::nullopt;
    use(one);
    return Bound{{one->function, wanted.kernel->iterations, one->code}, *std::move(sizes)};
  };
  for (const bool own : {true, false})
    for (const auto& one : alike->second)
      if ((one->origin == wanted.origin) == own)
        if (auto bound = bindTo(one)) return bound;
  return std::nullopt;
}

std::vector<KernelStore::Templates::iterator>
KernelStore::sameShape(const kir::Skeleton& skeleton) const {
  std::vector<Templates::iterator> same;
  if (const auto found = templates_.find(skeleton.hash); found != templates_.end())
    std::ranges::copy_if(found->second, std::back_inserter(same),
                         [&](const auto& one) { return one->first->shape == skeleton.shape; });
  return same;
}

KernelStore::Templates::iterator KernelStore::note(const Wanted& wanted) {
  const std::string& origin = wanted.origin;
  const kir::Skeleton& skeleton = *wanted.skeleton;
  const std::vector<Templates::iterator> same = sameShape(skeleton);
  const auto known =
      std::ranges::find_if(same, [&](const auto& one) { return one->origin == origin; });
  if (known != same.end()) {
    (*known)->needed.admit(skeleton.numbers, skeleton.groups);
    use(*known);
    return *known;
  }
  // What varies in other nodes of this shape is likely to vary in this one.
  kir::Parameters needed = same.empty()
                               ? kir::Parameters(skeleton.numbers, skeleton.groups)
                               : same.front()->needed.like(skeleton.numbers, skeleton.groups);
  kept_.push_front({.origin = origin, .needed = std::move(needed), .first = wanted.skeleton});
  kept_.front().bytes =
      skeleton.shape.size() + 2 * sizeof(kir::Parameters::Number) * skeleton.numbers.size();
  bytes_ += kept_.front().bytes;
  templates_[skeleton.hash].push_back(kept_.begin());
  return kept_.begin();
}

void KernelStore::forgetOldest() {
  while (bytes_ > capacity_ && kept_.size() > 1) {
    const auto oldest = std::prev(kept_.end());
    const auto same = templates_.find(oldest->first->hash);
    std::erase(same->second, oldest);
    if (same->second.empty()) templates_.erase(same);
    bytes_ -= oldest->bytes + oldest->codeBytes;
    kept_.erase(oldest);
  }
}

void KernelStore::observe(std::span<const Wanted> kernels) {
  const std::lock_guard lock(mutex_);
  for (const Wanted& wanted : kernels)
    if (!wanted.origin.empty()) note(wanted);
  forgetOldest();
}

Result<KernelStore::Program> KernelStore::bind(std::span<const Wanted> kernels,
                                               const Target& target, const JitOptions& options) {
  const std::lock_guard lock(mutex_);
  Program program{std::vector<Bound>(kernels.size()), {}};
  std::vector<Missing> missing;
  for (size_t i = 0; i < kernels.size(); ++i) {
    const kir::Kernel& kernel = *kernels[i].kernel;
    if (kernels[i].origin.empty()) continue;
    if (auto found = findOne(kernels[i])) {
      program.kernels[i] = *std::move(found);
    } else if (kernel.skeleton) {
      program.missing.push_back(i);
    } else {
      ENFOLD_RETURN_IF_ERROR(kir::verify(kernel));
      missing.push_back({i, note(kernels[i])});
    }
  }
  if (missing.empty()) return program;

  std::vector<kir::Kernel> wanted;
  for (const Missing& one : missing)
    wanted.push_back(withParameters(*kernels[one.kernel].kernel, one.to->needed));
  for (const kir::Kernel& kernel : wanted) ENFOLD_RETURN_IF_ERROR(kir::verify(kernel));
  ENFOLD_TRY(const auto code, KernelCode::compile(wanted, target, options));
  compilations_ += static_cast<int64_t>(missing.size());
  for (size_t i = 0; i < missing.size(); ++i) {
    const auto [kernel, to] = missing[i];
    to->function = code->functions()[i];
    to->code = code;
    to->parameters = to->needed;
    auto sizes = to->parameters.solve(kernels[kernel].skeleton->numbers);
    ENFOLD_CHECK(sizes, "a template that does not fit its sample");
    program.kernels[kernel] = {{to->function, kernels[kernel].kernel->iterations, code},
                               *std::move(sizes)};
    const size_t bytes = code->bytes() / missing.size();
    bytes_ += bytes - to->codeBytes;
    to->codeBytes = bytes;
  }
  forgetOldest();
  return program;
}

int64_t KernelStore::compilations() const {
  const std::lock_guard lock(mutex_);
  return compilations_;
}

size_t KernelStore::size() const {
  const std::lock_guard lock(mutex_);
  return kept_.size();
}

size_t KernelStore::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

} // namespace enfold::codegen
