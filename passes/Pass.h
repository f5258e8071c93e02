// A pass is a free function from graph to graph. It changes the graph through the context's
// Rewriter alone, asks begin() before each rewrite, and reports every candidate as a remark.
// Timing, printing, verifying and the like belong to the PassManager, never to a pass.
#pragma once

#include "ir/OpLayouts.h"
#include "ir/Rewriter.h"
#include "passes/Remark.h"

#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>

namespace enfold {

class FoldMemory;

/// What passes may know of the machine compiled for.
struct TargetFacts {
  /// The layouts in which an op is computed best, given those of its operands. None: every tensor
  /// stays plain.
  std::function<OpLayouts(const Op& op)> layoutsOf;
  /// Whether a kernel computes an op of plain tensors, as it is or in the layouts that are best for
  /// it. None: no op has one.
  std::function<bool(const Op& op)> hasKernel;
  /// Whether instructions multiply bf16 and sum in f32.
  bool multipliesBf16 = false;
  /// The 8-bit type that is best multiplied with signed weights. None: one is as good as the other.
  std::optional<ElemType> codes = {};
};

enum class Denormals : uint8_t {
  Flush, ///< folded weights below the normal range become zero: they would slow every product
  Keep,
};

enum class Accuracy : uint8_t {
  Standard, ///< within |a-b| <= 1e-5 m + 1e-4 |b| of exact arithmetic, m = max(1, max |b|)
  Strict,   ///< no algorithm that rounds more than the definition's own sums of products
};

enum class Precision : uint8_t {
  Model, ///< every op computes what its element type says
  Fp32,  ///< networks of f16 are computed in f32
  Bf16,  ///< convolutions and matrix products of f32 multiply bf16, summed in f32
};

/// By name: "model", "fp32" or "bf16".
std::optional<Precision> precisionOf(std::string_view name);

struct PassOptions {
  TargetFacts target;
  Accuracy accuracy = Accuracy::Standard;
  Denormals denormals = Denormals::Flush;
  Precision precision = Precision::Model;
  /// Treat training-mode batch normalization as inference with the stored statistics.
  bool assumeInferenceBn = false;
  /// Tensors that no fold may compute: those whose measured error was too large.
  std::set<std::string> unfolded;
  /// Tensors whose products read f32, whatever the precision: those that rounding costs too much.
  std::set<std::string> unrounded;
  /// A folded constant may have as many elements, or take as many bytes, as its largest operand, or
  /// else take this many bytes.
  int64_t constantBudget = int64_t{1} << 20;
  /// Where a network that is compiled for many sizes keeps folded weights.
  std::shared_ptr<FoldMemory> folds = {};
};

/// Why a rewrite is not possible: the reason and a sentence on this case.
struct Refusal {
  Reason reason;
  std::string message;
};
template <typename T> using OrRefusal = std::expected<T, Refusal>;
inline std::unexpected<Refusal> refuse(Reason reason, std::string message) {
  return std::unexpected(Refusal{reason, std::move(message)});
}

using Statistics = std::map<std::string, int64_t>;

/// What a pass works with.
class PassContext {
public:
  PassContext(std::string_view pass, Rewriter& rewriter, const PassOptions& options,
              RemarkStream& remarks, Statistics& statistics)
      : pass_(pass), rewriter_(rewriter), options_(options), remarks_(remarks),
        statistics_(statistics) {}

  Graph& graph() { return rewriter_.graph(); }
  Rewriter& rewriter() { return rewriter_; }
  const PassOptions& options() const { return options_; }

  /// Permission for one rewrite of `subject`; false when the limit on rewrites is reached.
  [[nodiscard]] bool begin(const Op& subject) { return rewriter_.begin(pass_, subject); }

  /// Reports the rewrite of `op`. To be called while the op still exists.
  void applied(Reason reason, const Op& op, std::string message, RemarkFacts facts = {});
  void refused(const Refusal& refusal, const Op& op);
  void refused(Reason reason, const Op& op, std::string message) {
    refused(Refusal{reason, std::move(message)}, op);
  }

  /// Whether a kernel of the target computes the op (TargetFacts).
  bool hasKernel(const Op& op) const {
    return options_.target.hasKernel && options_.target.hasKernel(op);
  }
  /// The same of an op that is not made yet.
  bool hasKernel(const OpSpec& spec) const;

  /// Adds to the pass's counter of that name.
  void count(std::string_view counter, int64_t amount = 1);

private:
  std::string pass_;
  Rewriter& rewriter_;
  const PassOptions& options_;
  RemarkStream& remarks_;
  Statistics& statistics_;
};

enum class PassKind : uint8_t {
  Fusion, ///< folds an op into another, or attaches it to another
  Other,
};

enum class Layouts : uint8_t {
  Plain, ///< runs before assign-layout only
  Any,
};

struct PassInfo {
  std::string_view name;
  Result<> (*run)(PassContext&);
  PassKind kind;
  Layouts layouts; ///< it can work on
  std::string_view summary;
};

/// All passes, in the order of Passes.def.
std::span<const PassInfo> passTable();
/// The pass of that name, or null.
const PassInfo* findPass(std::string_view name);

#define ENFOLD_PASS(name, function, kind, layouts, summary) Result<> function(PassContext& context);
#include "passes/Passes.def"

} // namespace enfold
