// Lowering: the graph after all passes becomes a Plan. Each op is lowered by the first kernel
// family that accepts it (lower/Families.h); ops that only rename or slice memory take no kernel.
#pragma once

#include "kernel/Target.h"
#include "lower/Plan.h"
#include "lower/Storage.h"

#include <set>

namespace enfold::lower {

/// What a call computes, for profiles and for splitting over threads.
struct CallFacts {
  std::string algorithm;    ///< "conv_direct 6x2"
  std::string secondChoice; ///< what the cost model finds second best: "winograd f2 +8 %"
  double flops = 0;         ///< arithmetic of the whole call
  double bytes = 0;         ///< least memory traffic of the whole call; 0: the buffers' sizes
  std::string check = {};   ///< as Call::check
  kir::Scalar multiplies = kir::Scalar::F32; ///< as Call::multiplies
  const Op* within = nullptr; ///< an op in front of the one being lowered, computed with it
};

/// What a kernel family may use while it lowers an op: storage of values, packed constants,
/// temporaries, and the plan to append calls to.
class Lowering {
public:
  Lowering(Plan& plan, const Graph& graph, const kir::Target& target);
  ~Lowering();

  const kir::Target& target() const { return target_; }
  /// Where a value lives. Constants are laid down as they are on first use.
  BufferRef storage(const Value* value);
  /// Adds constant data, shared with equal data added before.
  BufferRef constant(std::shared_ptr<const std::byte> data, int64_t bytes);
  template <typename T> BufferRef constant(std::vector<T> values);
  /// Adds `count` numbers made of `source`, which pack(source, to, piece) writes over zeros when
  /// the constants are laid down. `order` says how they are made: equal ones are held once.
  template <typename T, typename Pack>
  BufferRef packed(const Tensor& source, const std::string& order, int64_t count, Pack pack,
                   int64_t pieces = 1);
  /// Memory for intermediate results of the op being lowered.
  BufferRef temporary(int64_t bytes);
  /// The number of a kernel, which is generated once however often it is used.
  size_t addKernel(kir::Kernel kernel);
  /// Appends a call of kernel number `kernel`.
  void call(size_t kernel, std::vector<BufferRef> buffers, CallFacts facts);
  /// The same of a kernel that is called nowhere else for this op.
  void call(kir::Kernel kernel, std::vector<BufferRef> buffers, CallFacts facts) {
    if (kernel.iterations > 0)
      call(addKernel(std::move(kernel)), std::move(buffers), std::move(facts));
  }

  /// Lowers `op` by the first family that accepts it, else as a reference call; an error if it has
  /// blocked tensors and no family takes them.
  Result<> lower(const Op& op);
  /// Appends a call that leaves out calls behind it unless the condition, a bool, is `wanted`;
  /// gives its number, for endSkip, which says that the last of these calls has been appended.
  size_t beginSkip(const Value* condition, bool wanted);
  void endSkip(size_t call);
  /// Copies a graph output that could not be computed where the caller wants it.
  void copyOutput(const Value* value, size_t index);

private:
  BufferRef constantStorage(const Value* value);
  static std::string keyOf(const Tensor& tensor);
  BufferRef packedBytes(std::string key, int64_t bytes, Packing pack);
  Result<> callReference(const Op& op);
  void append(Call call);

  Plan& plan_;
  const kir::Target& target_;
  StorageMap storage_;
  const Op* op_ = nullptr; ///< that is being lowered
  std::string origin_;     ///< of it
  std::unordered_map<uint64_t, std::vector<BufferId>> constants_;
  std::unordered_map<const Value*, BufferRef> constantValues_;
  std::unordered_map<std::string, BufferRef> packed_; ///< by source and order
  std::unordered_map<std::string, size_t> kernels_;   ///< by structure
};

template <typename T> BufferRef Lowering::constant(std::vector<T> values) {
  const auto bytes = static_cast<int64_t>(values.size() * sizeof(T));
  auto owner = std::make_shared<std::vector<T>>(std::move(values));
  const auto* data = reinterpret_cast<const std::byte*>(owner->data());
  return constant(std::shared_ptr<const std::byte>(std::move(owner), data), bytes);
}

template <typename T, typename Pack>
BufferRef Lowering::packed(const Tensor& source, const std::string& order, int64_t count, Pack pack,
                           int64_t pieces) {
  return packedBytes(keyOf(source) + order, count * static_cast<int64_t>(sizeof(T)),
                     {pieces,
                      [source, pack = std::move(pack)](std::byte* to, int64_t piece) {
                        pack(source, reinterpret_cast<T*>(to), piece);
                      },
                      source, order});
}

/// Whether kernels may depend on the sizes of tensors as it is best for these, or as little as they
/// can, so that kernels for other sizes differ in numbers only.
enum class ForSizes : uint8_t { Given, Any };

/// Whether kernels are written out, or have a skeleton only, which takes a fraction of the time.
enum class Kernels : uint8_t { Whole, Outlined };

/// The plan of a graph, which must outlive it. The graph is verified, unless kernels are outlined;
/// besides, every blocked layout must be one that a family takes on this target: all ops of which
/// that is not so are named.
/// Kernels of the ops in `whole`, of which null stands for what belongs to none, are written out
/// even where others are outlined.
Result<Plan> lowerGraph(const Graph& graph, const kir::Target& target,
                        ForSizes sizes = ForSizes::Given, Kernels kernels = Kernels::Whole,
                        const std::set<const Op*>& whole = {});

} // namespace enfold::lower
