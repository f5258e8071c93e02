// Looking up kernels by their shapes, and compiling what is new.
#include "codegen/KernelStore.h"

#include "kernel/Verifier.h"

#include <algorithm>
#include <ranges>
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

Result<KernelStore::Bound> KernelStore::boundTo(Template& one, const Wanted& wanted,
                                                std::vector<int64_t> sizes) {
  if (!one.function) {
    ENFOLD_TRY(one.function, one.code->function(one.index));
  }
  return Bound{{one.function, wanted.kernel->iterations, one.code}, std::move(sizes)};
}

Result<std::optional<KernelStore::Bound>> KernelStore::findOne(const Wanted& wanted) {
  const kir::Skeleton& skeleton = *wanted.skeleton;
  const std::vector<Templates::iterator> alike = sameShape(skeleton);
  for (const bool own : {true, false})
    for (const auto& one : alike) {
      if ((one->origin == wanted.origin) != own || !one->code) continue;
      auto sizes = one->parameters.solve(skeleton.numbers);
      if (!sizes) continue;
      use(one);
      ENFOLD_TRY(Bound bound, boundTo(*one, wanted, *std::move(sizes)));
      return bound;
    }
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
  return insert({.origin = origin, .needed = std::move(needed), .first = wanted.skeleton});
}

KernelStore::Templates::iterator KernelStore::insert(Template made) {
  const kir::Skeleton& skeleton = *made.first;
  made.bytes =
      skeleton.shape.size() + 2 * sizeof(kir::Parameters::Number) * skeleton.numbers.size();
  bytes_ += made.bytes;
  templates_[skeleton.hash].push_back(kept_.insert(kept_.begin(), std::move(made)));
  return kept_.begin();
}

void KernelStore::setCode(Template& of, std::shared_ptr<const KernelCode> code, size_t index,
                          size_t bytes) {
  bytes_ += bytes - of.codeBytes;
  of.codeBytes = bytes;
  of.code = std::move(code);
  of.index = index;
  of.function = nullptr;
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
    ENFOLD_TRY(auto found, findOne(kernels[i]));
    if (found) {
      program.kernels[i] = *std::move(found);
    } else if (kernel.skeleton) {
      program.missing.push_back(i);
    } else {
      ENFOLD_RETURN_IF_ERROR(kir::verify(kernel));
      missing.push_back({i, note(kernels[i])});
    }
  }
  if (missing.empty()) return program;

  // Later ones have made parameters of what differs in those before them.
  std::vector<Templates::iterator> compiled;
  std::vector<kir::Kernel> written;
  for (const auto [kernel, to] : missing) {
    if (std::ranges::find(compiled, to) != compiled.end()) continue;
    compiled.push_back(to);
    written.push_back(withParameters(*kernels[kernel].kernel, to->needed));
  }
  ENFOLD_TRY(const auto code, KernelCode::compile(std::move(written), target, options));
  compilations_ += static_cast<int64_t>(compiled.size());
  for (size_t i = 0; i < compiled.size(); ++i) {
    setCode(*compiled[i], code, i, code->bytes() / compiled.size());
    compiled[i]->parameters = compiled[i]->needed;
  }
  for (const auto [kernel, to] : missing) {
    auto sizes = to->parameters.solve(kernels[kernel].skeleton->numbers);
    ENFOLD_CHECK(sizes, "a template that does not fit its sample");
    ENFOLD_TRY(program.kernels[kernel], boundTo(*to, kernels[kernel], *std::move(sizes)));
  }
  forgetOldest();
  return program;
}

KernelStore::Contents KernelStore::contents() const {
  const std::lock_guard lock(mutex_);
  Contents contents;
  std::unordered_map<const KernelCode*, size_t> codes;
  for (const Template& one : std::views::reverse(kept_)) {
    if (!one.code) continue;
    const auto [known, isNew] = codes.try_emplace(one.code.get(), contents.codes.size());
    if (isNew) contents.codes.push_back(one.code);
    contents.templates.push_back(
        {one.origin, one.needed, one.parameters, *one.first, known->second, one.index});
  }
  return contents;
}

void KernelStore::add(Contents contents) {
  const std::lock_guard lock(mutex_);
  std::vector<size_t> sharers(contents.codes.size());
  for (const Stored& one : contents.templates) ++sharers[one.code];
  for (Stored& one : contents.templates) {
    const std::vector<Templates::iterator> same = sameShape(one.first);
    const auto known = std::ranges::find(same, one.origin, &Template::origin);
    // Parameters become more, never fewer.
    const auto isLess = [](const kir::Parameters& a, const kir::Parameters& b) {
      return a.count() < b.count();
    };
    if (known != same.end()) {
      Template& own = **known;
      if (isLess(own.needed, one.needed)) own.needed = one.needed;
      if (own.code && !isLess(own.parameters, one.parameters)) continue;
    }
    const auto& code = contents.codes[one.code];
    const auto to =
        known != same.end()
            ? *known
            : insert({.origin = one.origin,
                      .needed = one.needed,
                      .first = std::make_shared<const kir::Skeleton>(std::move(one.first))});
    to->parameters = one.parameters;
    setCode(*to, code, one.function, code->bytes() / sharers[one.code]);
  }
  forgetOldest();
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
