// The table of networks.
#include "zoo/Networks.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace enfold::zoo {
namespace {

const std::array kEntries = {
    Entry{"cnn_batchnorm",
          "Conv, BatchNorm, ReLU and pool, twice, and a linear layer",
          {16, 3, 32, 32},
          cnnBatchNorm},
    Entry{"cnn_elu", "The same with ELU", {16, 3, 32, 32}, cnnElu},
    Entry{"cnn_layernorm",
          "The same with LayerNorm over a whole image in BatchNorm's place",
          {16, 3, 32, 32},
          cnnLayerNorm},
    Entry{"cnn_instancenorm", "The same with InstanceNorm", {16, 3, 32, 32}, cnnInstanceNorm},
    Entry{"cnn_groupnorm", "The same with GroupNorm of 8 groups", {16, 3, 32, 32}, cnnGroupNorm},
    Entry{"cnn_training_bn",
          "The same with BatchNorm in training mode: statistics of the batch",
          {16, 3, 32, 32},
          cnnTrainingBatchNorm},
    Entry{"cnn_linear_bn",
          "The same with BatchNorm behind a hidden linear layer, too",
          {16, 3, 32, 32},
          cnnLinearBatchNorm},
    Entry{"cnn_1d", "The same in one dimension", {16, 4, 256}, cnn1d},
    Entry{"cnn_3d", "The same in three dimensions", {2, 1, 16, 32, 32}, cnn3d},
};

/// Channels are what the weights are for; everything else the layers themselves check.
Result<> checkInput(const Entry& entry, const Shape& input) {
  const bool fits = input.size() == entry.input.size() && input[1] == entry.input[1] &&
                    std::ranges::all_of(input, [](int64_t size) { return size > 0; });
  if (fits) return checkShape(input, ElemType::F32);
  return usageError(fmt::format("network '{}' takes inputs like {}, not {}", entry.name,
                                str(entry.input), str(input)));
}

} // namespace

std::span<const Entry> entries() { return kEntries; }

Result<std::unique_ptr<Graph>> build(std::string_view name, std::optional<Shape> input) {
  std::string known;
  for (const Entry& entry : entries()) {
    if (entry.name == name) {
      const Shape shape = input.value_or(entry.input);
      ENFOLD_RETURN_IF_ERROR(checkInput(entry, shape));
      return entry.build(shape);
    }
    known += fmt::format("{}{}", known.empty() ? "" : ", ", entry.name);
  }
  return usageError(fmt::format("no network '{}' in the zoo; there are {}", name, known));
}

} // namespace enfold::zoo
