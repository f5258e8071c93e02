// Compiled kernels that the programs of one network share. What a network is lowered to for two
// sizes of its input are mostly kernels that differ in integers only: code that loads these
// integers (kernel/Template.h) is compiled once, and serves every size that it fits. What fits
// nothing is compiled when it is met, and kept.
#pragma once

#include "codegen/Jit.h"
#include "kernel/Template.h"

#include <list>
#include <mutex>
#include <unordered_map>

namespace enfold::codegen {

/// Safe to use from several threads.
class KernelStore {
public:
  /// Keeps about so many bytes of templates; those used longest ago are forgotten. Programs keep
  /// the code that they use.
  explicit KernelStore(size_t capacity = size_t{64} << 20) : capacity_(capacity) {}

  /// A kernel of a program: its code, and what the code wants in its first buffer, if anything.
  struct Bound {
    ReadyKernel kernel;
    std::vector<int64_t> sizes;
  };

  /// A kernel of a program, taken apart. An origin tells what it is for: the kernels of one shape
  /// and origin are those of several sizes. A kernel with an empty one is left out.
  struct Wanted {
    const kir::Kernel* kernel;
    std::string origin;
    std::shared_ptr<const kir::Skeleton> skeleton;
  };
  static std::vector<Wanted> wantedOf(std::span<const kir::Kernel> kernels,
                                      std::span<const std::string> origins);

  /// Of a program, code for each kernel.
  struct Program {
    std::vector<Bound> kernels;
    std::vector<size_t> missing; ///< those without: there was none, and they are outlines
  };

  /// Finds code for each kernel. What there is none for is compiled, if it is written out.
  Result<Program> bind(std::span<const Wanted> kernels, const Target& target,
                       const JitOptions& options = {});

  /// Notes which integers vary, from kernels for other sizes; compiles nothing.
  void observe(std::span<const Wanted> kernels);

  /// How many kernels have been compiled.
  int64_t compilations() const;
  /// How many templates are kept, and about how many bytes they take.
  size_t size() const;
  size_t bytes() const;

private:
  /// Kernels of one shape that compute the same nodes.
  struct Template {
    std::string origin;
    kir::Parameters needed;              ///< for all kernels met
    kir::Parameters parameters;          ///< that the code takes
    enfold_kernel_fn function = nullptr; ///< null: not compiled
    std::shared_ptr<const KernelCode> code;
    size_t bytes = 0;                           ///< without code
    size_t codeBytes = 0;                       ///< its share of `code`
    std::shared_ptr<const kir::Skeleton> first; ///< of the kernels met
  };
  using Templates = std::list<Template>;

  /// A kernel that no template fits, and the template that will.
  struct Missing {
    size_t kernel;
    Templates::iterator to;
  };

  std::optional<Bound> findOne(const Wanted& wanted);
  Templates::iterator note(const Wanted& wanted);
  /// The templates of the skeleton's shape.
  std::vector<Templates::iterator> sameShape(const kir::Skeleton& skeleton) const;
  void use(Templates::iterator one) { kept_.splice(kept_.begin(), kept_, one); }
  void forgetOldest();

  const size_t capacity_;
  mutable std::mutex mutex_; ///< guards what follows
  Templates kept_;           ///< latest first
  /// By the hashes of their shapes.
  std::unordered_map<uint64_t, std::vector<Templates::iterator>> templates_;
  size_t bytes_ = 0;
  int64_t compilations_ = 0;
};

} // namespace enfold::codegen
