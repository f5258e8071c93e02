// Which ONNX operators can be imported, and how each of their versions is brought to the newest
// form. The table is the whole truth: an operator, or a range of versions, that no row covers is
// unsupported, but for those that the importer takes apart itself.
#pragma once

#include "onnx/Node.h"

#include <span>
#include <string_view>

namespace enfold::onnx {

/// Emits the ops of a node and returns what its results are, in order.
using Adapter = Result<Values> (*)(Node&);

struct OperatorRow {
  std::string_view type;
  int64_t from; ///< first opset whose form the adapter takes
  int64_t to;   ///< last one
  Adapter adapt;
};

/// Rows of ONNX itself, com.microsoft, ai.onnx.ml and com.microsoft.nchwc, sorted by type and
/// version.
std::span<const OperatorRow> onnxOperators();
std::span<const OperatorRow> microsoftOperators();
std::span<const OperatorRow> mlOperators();
std::span<const OperatorRow> nchwcOperators();

/// How a node of that domain, type and opset is imported, or an error of kind Unsupported that says
/// why it is not.
Result<Adapter> findAdapter(std::string_view domain, std::string_view type, int64_t opset);

/// Whether nodes of that kind have bodies, or take or give sequences or optional values: the
/// importer makes of them whatever their bodies and elements are (GraphImporter.h).
bool isStructural(std::string_view domain, std::string_view type);

/// The oldest opset that is written: from here on, most operators have their newest form.
constexpr int64_t kLeastOpset = 18;

/// The first opset, from kLeastOpset on, that has the operator in the form the graph holds it in,
/// with these attributes and for operands and results of these element types.
int64_t opsetOf(OpKind kind, const AttrMap& attrs, std::span<const ElemType> elems);

} // namespace enfold::onnx
