// Which passes run in which order. Text form: names separated by commas; a parenthesised group with
// a star repeats until nothing changes: "(canonicalize,fold-constants)*,fuse-epilogue".
#pragma once

#include "passes/Pass.h"

#include <functional>
#include <set>

namespace enfold {

/// One pass, or a group repeated to a fixpoint.
struct PipelineStep {
  std::vector<const PassInfo*> passes;
  bool repeat = false;
};

struct Pipeline {
  std::vector<PipelineStep> steps;

  /// The text that parses back to this pipeline.
  std::string str() const;
  /// The same without the passes of those names.
  Pipeline without(const std::set<std::string>& disabled) const;
  /// The same without the passes that fold or fuse.
  Pipeline withoutFusion() const;

private:
  Pipeline filtered(const std::function<bool(const PassInfo&)>& keeps) const;
};

/// Passes by name, in order, and groups to repeat until nothing changes: "a,(b,c)*,d"; "none" is
/// the empty pipeline. Error of kind Usage names the unknown pass or the misplaced character.
Result<Pipeline> parsePipeline(std::string_view text);

/// What a model goes through unless told otherwise.
Pipeline defaultPipeline();

} // namespace enfold
