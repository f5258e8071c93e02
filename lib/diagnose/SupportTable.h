// Which operators of ONNX are supported: of which opsets, on which element types, and how they run.
#pragma once

#include "diagnose/Json.h"
#include "ir/OpInfo.h"

namespace enfold::diagnose {

struct OperatorSupport {
  std::string name;      ///< in ONNX
  std::string opsets;    ///< "7–13, 14+"
  std::string elemTypes; ///< "float, int": groups whose types are all taken, or single types
  std::string runsAs;    ///< "generated: conv_direct", "reference function" ...
};

struct SupportTable {
  int oldestOpset = 0, newestOpset = 0;
  std::vector<OperatorSupport> operators;
  /// Operators that become others when a model is read, and those of the domains ai.onnx.ml,
  /// com.microsoft and com.microsoft.nchwc.
  std::vector<std::string> rewritten, ml, microsoft, nchwc;
};

SupportTable supportTable();

/// The kernel families that may take ops of a kind, best first, or what else becomes of them.
std::string howItRuns(const OpInfo& row);

Json toJson(const SupportTable& table);

} // namespace enfold::diagnose
