// What a name of a model stands for while the model runs.
#pragma once

#include "ir/Tensor.h"

#include <map>
#include <string>
#include <vector>

namespace enfold::onnx {

struct Datum {
  enum class Kind { Tensor, Sequence, Absent };
  Kind kind = Kind::Absent;    ///< absent: an optional value that is not there
  std::vector<Tensor> tensors; ///< one, or those of a sequence

  static Datum of(Tensor tensor) { return {Kind::Tensor, {std::move(tensor)}}; }
  bool isTensor() const { return kind == Kind::Tensor; }
  const Tensor& tensor() const { return tensors.front(); }
};

using Data = std::map<std::string, Datum>;

} // namespace enfold::onnx
