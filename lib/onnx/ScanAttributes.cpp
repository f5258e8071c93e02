// Reading the attributes of Scan, in both of its forms.
#include "onnx/ScanAttributes.h"

#include "support/ErrorCodes.h"

#include <fmt/format.h>

namespace enfold::onnx {

Result<ScanAttributes> ScanAttributes::take(Node& node, size_t inputs, size_t outputs) {
  ScanAttributes a{};
  ENFOLD_TRY(a.numInputs, node.takeRow<int64_t>("num_scan_inputs: int >= 1"));
  if (a.numInputs < 1 || static_cast<size_t>(a.numInputs) > inputs)
    return invalid(fmt::format("it cannot scan {} of {} inputs", a.numInputs, inputs));
  const size_t states = inputs - static_cast<size_t>(a.numInputs);
  if (states > outputs)
    return failure(ErrorCode::BadOperands, "its body has fewer outputs than states");
  const auto list = [&](std::string_view row, size_t most, std::vector<int64_t>& into) -> Result<> {
    ENFOLD_TRY(into, node.takeRow<std::vector<int64_t>>(row));
    if (into.size() <= most) return {};
    return failure(ErrorCode::BadAttribute, fmt::format("attribute '{}' has more than {} numbers",
                                                        row.substr(0, row.find(':')), most));
  };
  const auto scans = static_cast<size_t>(a.numInputs);
  if (node.opset < 9) {
    ENFOLD_RETURN_IF_ERROR(list("directions: ints? in [0, 1]", scans, a.inputDirections));
    return a;
  }
  ENFOLD_RETURN_IF_ERROR(list("scan_input_axes: ints?", scans, a.inputAxes));
  ENFOLD_RETURN_IF_ERROR(list("scan_input_directions: ints? in [0, 1]", scans, a.inputDirections));
  ENFOLD_RETURN_IF_ERROR(list("scan_output_axes: ints?", outputs - states, a.outputAxes));
  ENFOLD_RETURN_IF_ERROR(
      list("scan_output_directions: ints? in [0, 1]", outputs - states, a.outputDirections));
  return a;
}

} // namespace enfold::onnx
