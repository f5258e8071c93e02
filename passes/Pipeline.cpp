// The default pipeline, and the text form of pipelines.
#include "passes/Pipeline.h"

#include "support/ErrorCodes.h"

#include <fmt/format.h>

#include <algorithm>

namespace enfold {
namespace {

// From top to bottom, with what holds afterwards.
constexpr std::string_view kDefaultPipeline =
    // Before anything is folded, so that folds round to f32. Does nothing unless f32 is asked for.
    "promote-halves,"
    // Everything that makes the graph smaller helps everything else: an Identity hides a
    // convolution from its normalization, a folded constant is what makes weights constant, a
    // folded normalization is one use less. So these repeat until nothing changes.
    "("
    // Afterwards no op stands between two that belong together only for form's sake, and
    // activations spelled out by an exporter are single ops.
    "canonicalize,"
    // Before fold-constants, which keeps the integers of weights where those multiply integers.
    "move-quantization,"
    // Shapes, sizes and computed weights are constants.
    "fold-constants,"
    // Before fuse-epilogue, since weights absorb what an epilogue would have to compute, and an
    // activation already fused stands in the way.
    "fold-batchnorm,"
    // After fold-batchnorm: folding backward never meets padding, so it is tried first.
    "fold-forward,"
    // Explicit padding becomes the window's own.
    "fold-pad,"
    // After the folds, which make equal weights differ and different ones equal.
    "common-subexpression,"
    "eliminate-dead"
    ")*,"
    // What could not be folded becomes arithmetic that an epilogue takes. No normalization with
    // constant parameters is left. Not inside the group: an expanded one could not fold any more
    // as a whole.
    "expand-batchnorm,"
    // On tensors that no op moves any more, and before their zero points are in sums.
    "shift-codes,"
    // On final convolutions, whose quantizations are still ops. Afterwards those that remain are
    // between floats and integers for good.
    "integer-arithmetic,"
    "tabulate,"
    // After the folds, which know the ops by name. Afterwards ops that are arithmetic or movement
    // of others are written so, and what they move may take no kernel at all.
    "decompose,"
    // Before fusion, which takes the casts into epilogues. The second looks at networks of halves.
    "narrow-operands,"
    "widen-halves,"
    // What expansions compute from constants alone, casts of weights among it, and parts that
    // turned out to do nothing.
    "fold-constants,"
    "canonicalize,"
    // Sees each convolution followed by its real tail. Afterwards an elementwise op stands alone
    // only if its producer has other readers or cannot carry it.
    "fuse-epilogue,"
    // On final epilogues. Afterwards a residual of 8 bits is read as such.
    "convert-operands,"
    "eliminate-dead,"
    // On the final convolutions. Does nothing unless strict accuracy is asked for.
    "restrict-algorithms,"
    // Last: it knows the final ops, and no other pass has to deal with blocked layouts.
    "assign-layout,"
    "eliminate-dead";

class Parser {
public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<Pipeline> parse() {
    Pipeline pipeline;
    if (text_ == "none") return pipeline;
    do {
      if (accept('(')) {
        ENFOLD_TRY(PipelineStep group, parseGroup());
        pipeline.steps.push_back(std::move(group));
      } else {
        ENFOLD_TRY(const PassInfo* pass, parsePass());
        pipeline.steps.push_back({{pass}});
      }
    } while (accept(','));
    if (at_ != text_.size())
      return failure(ErrorCode::BadValue,
                     fmt::format("unexpected '{}' in pipeline '{}'", text_[at_], text_));
    return pipeline;
  }

private:
  bool accept(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  Result<PipelineStep> parseGroup() {
    PipelineStep group{{}, true};
    do {
      ENFOLD_TRY(const PassInfo* pass, parsePass());
      group.passes.push_back(pass);
    } while (accept(','));
    if (!accept(')') || !accept('*'))
      return failure(ErrorCode::BadValue,
                     fmt::format("a group must end in ')*' in pipeline '{}'", text_));
    return group;
  }

  Result<const PassInfo*> parsePass() {
    const size_t end = std::min(text_.find_first_of("(),*", at_), text_.size());
    const std::string_view name = text_.substr(at_, end - at_);
    const PassInfo* pass = findPass(name);
    if (pass == nullptr)
      return failure(ErrorCode::UnknownName,
                     fmt::format("unknown pass '{}' in pipeline '{}'", name, text_));
    at_ = end;
    return pass;
  }

  std::string_view text_;
  size_t at_ = 0;
};

} // namespace

std::string Pipeline::str() const {
  if (steps.empty()) return "none";
  std::string text;
  for (const PipelineStep& step : steps) {
    std::string names;
    for (const PassInfo* pass : step.passes)
      names += fmt::format("{}{}", names.empty() ? "" : ",", pass->name);
    text += (text.empty() ? "" : ",") + (step.repeat ? "(" + names + ")*" : names);
  }
  return text;
}

Pipeline Pipeline::filtered(const std::function<bool(const PassInfo&)>& keeps) const {
  Pipeline result;
  for (PipelineStep step : steps) {
    std::erase_if(step.passes, [&](const PassInfo* pass) { return !keeps(*pass); });
    if (!step.passes.empty()) result.steps.push_back(std::move(step));
  }
  return result;
}

Pipeline Pipeline::without(const std::set<std::string>& disabled) const {
  return filtered([&](const PassInfo& pass) { return !disabled.contains(std::string(pass.name)); });
}

Pipeline Pipeline::withoutFusion() const {
  return filtered([](const PassInfo& pass) { return pass.kind != PassKind::Fusion; });
}

Result<Pipeline> parsePipeline(std::string_view text) { return Parser(text).parse(); }

Pipeline defaultPipeline() {
  Result<Pipeline> pipeline = parsePipeline(kDefaultPipeline);
  ENFOLD_CHECK(pipeline.has_value(), pipeline.error().str());
  return *std::move(pipeline);
}

} // namespace enfold
