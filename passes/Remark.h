// What passes report: one remark per candidate, applied or refused, with a reason code that never
// changes its meaning. `explain`, tests and gates read this stream.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace enfold {

class Op;

enum class Reason : uint8_t {
#define ENFOLD_REASON(name, code, explanation) name,
#include "passes/Reasons.def"
};

struct ReasonInfo {
  Reason reason;
  std::string_view code; ///< "conv-multi-use"
  std::string_view explanation;
};

/// All reasons, indexed by Reason.
std::span<const ReasonInfo> reasonTable();
const ReasonInfo& info(Reason reason);

enum class Outcome : uint8_t { Applied, Refused };

/// "applied" or "refused".
std::string_view name(Outcome outcome);

/// What a remark states beyond its sentence.
struct RemarkFacts {
  std::map<std::string, double> numbers = {}; ///< by name: channels, denormals, bounds …
  std::string value = {}; ///< the tensor of the model that the rewritten op computes
};

struct Remark {
  std::string pass;
  Outcome outcome;
  Reason reason;
  std::string candidate;        ///< what the op computes: tells candidates of a pass apart
  std::vector<std::string> ops; ///< names of the ONNX nodes concerned, the candidate's first
  std::string message;          ///< a sentence
  std::string kind = {};        ///< of the candidate: "batch_norm"
  RemarkFacts facts = {};

  /// "fold-batchnorm: refused [conv-multi-use] '/conv1/Conv' …: sentence"
  std::string str() const;
};

/// Remarks in the order of their candidates. A candidate that was refused and is looked at again
/// gets its earlier refusal replaced, so that each appears once however often a pass runs.
class RemarkStream {
public:
  void add(Remark remark);

  std::span<const Remark> remarks() const { return remarks_; }

private:
  std::vector<Remark> remarks_;
  std::unordered_map<std::string, size_t> refused_; ///< index of the standing refusal
};

/// Names of the nodes an op came from, or its own name when it has no origin.
std::vector<std::string> namesOf(const Op& op);

} // namespace enfold
