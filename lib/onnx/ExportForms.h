// Ops that mean more than the ONNX operators of their names promise, or that few runtimes know,
// written as operators that say it:
//   - a cast of floats to integers saturates and makes NaN 0, which ONNX leaves open: what is cast
//     lies in the range of the integers (of less than a byte, the low bits are kept);
//   - integers divided by zero give zero, and the one quotient that does not fit wraps, where
//     processors trap: such divisors are replaced before, and the quotients after;
//   - shifting unsigned integers by their width or more gives zero, which ONNX says from opset 28
//     on: such counts are replaced likewise;
//   - the modulo of floats that has the divisor's sign, of opset 28, is made of the other one;
//   - products of bf16 that are summed in f32 are those of their operands as f32;
//   - sums and products of integers of fewer than 32 bits are cut from wide ones;
//   - the results of topk are sorted, which ONNX says only where it is asked for;
//   - swish and swiglu are multiplications by a sigmoid;
//   - indices of a gather that are of few bits, as of a table of bytes, are cast to more;
//   - recurrent ops whose products with the input are computed apart get weights that choose them;
//   - select is where.
// What shows from the operands to be in order is written as it is.
#pragma once

#include "ir/Graph.h"

#include <functional>

namespace enfold::onnx {

/// What a node reads: a value by its name, or nothing (an empty name).
struct ExportOperand {
  std::string name;
  ElemType elem = ElemType::Undefined;
  const Value* value = nullptr; ///< null for results inside an op and its epilogue
};

/// One node to write.
struct ExportNode {
  OpKind kind;
  AttrMap attrs;
  std::vector<ExportOperand> inputs;
  std::vector<std::string> outputs;
  ElemType elem; ///< of the first output
};

/// Where nodes go.
struct NodeSink {
  std::function<void(const ExportNode&)> write;
  std::function<std::string(const Tensor&, const std::string& stem)> constant; ///< its name
  std::function<std::string(const std::string& stem)> freshName;
};

/// Writes the node, as others where it must be.
void writeNodes(const ExportNode& node, const NodeSink& sink);

} // namespace enfold::onnx
