// The table of networks.
#include "support/ErrorCodes.h"
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
    Entry{"resnet20_cifar",
          "ResNet-20 for CIFAR-10, projections in its shortcuts",
          {1, 3, 32, 32},
          resnet20Cifar},
    Entry{"resnet20_cifar_elu", "The same with ELU", {1, 3, 32, 32}, resnet20CifarElu},
    Entry{"resnet18", "ResNet-18", {1, 3, 224, 224}, resnet18},
    Entry{"resnet50", "ResNet-50", {1, 3, 224, 224}, resnet50},
    Entry{"vgg16_bn", "VGG-16 with BatchNorm", {1, 3, 224, 224}, vgg16BatchNorm},
    Entry{"densenet121", "DenseNet-121", {1, 3, 224, 224}, densenet121},
    Entry{"inception_v3", "Inception v3", {1, 3, 299, 299}, inceptionV3},
    Entry{"googlenet", "GoogLeNet with BatchNorm", {1, 3, 224, 224}, googlenet},
    Entry{"mobilenet_v2", "MobileNetV2", {1, 3, 224, 224}, mobilenetV2},
    Entry{"mobilenet_v3_large", "MobileNetV3-Large", {1, 3, 224, 224}, mobilenetV3Large},
    Entry{"squeezenet1_1", "SqueezeNet 1.1", {1, 3, 224, 224}, squeezenet11},
    Entry{"shufflenet_v2", "ShuffleNetV2 1.0x", {1, 3, 224, 224}, shufflenetV2},
    Entry{"efficientnet_b0", "EfficientNet-B0", {1, 3, 224, 224}, efficientnetB0},
    Entry{"unet", "U-Net of width 32, two classes a pixel", {1, 3, 256, 256}, unet},
    Entry{.name = "crnn",
          .summary = "CRNN, a reader of lines of text of any width",
          .input = {1, 1, 32, 128},
          .build = crnn,
          .inputSymbols = {"batch", "", "", "width"},
          .outputSymbols = {"steps", "batch", ""}},
    Entry{.name = "yolo_nms",
          .summary = "A detector in YOLO's manner for images of any size, with NonMaxSuppression",
          .input = {1, 3, 320, 320},
          .build = yoloNms,
          .inputSymbols = {"batch", "", "height", "width"},
          .outputSymbols = {"found", ""},
          .decidedByData = true},
};

/// Channels are what the weights are for; everything else the layers themselves check.
Result<> checkInput(const Entry& entry, const Shape& input) {
  const bool fits = input.size() == entry.input.size() && input[1] == entry.input[1] &&
                    std::ranges::all_of(input, [](int64_t size) { return size > 0; });
  if (fits) return checkShape(input, ElemType::F32);
  return failure(ErrorCode::WrongInput, fmt::format("network '{}' takes inputs like {}, not {}",
                                                    entry.name, str(entry.input), str(input)));
}

} // namespace

std::span<const Entry> entries() { return kEntries; }

Result<const Entry*> find(std::string_view name) {
  std::string known;
  for (const Entry& entry : entries()) {
    if (entry.name == name) return &entry;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", entry.name);
  }
  return failure(ErrorCode::UnknownName,
                 fmt::format("no network '{}' in the zoo; there are {}", name, known));
}

Result<std::unique_ptr<Graph>> build(std::string_view name, std::optional<Shape> input) {
  ENFOLD_TRY(const Entry* entry, find(name));
  const Shape shape = input.value_or(entry->input);
  ENFOLD_RETURN_IF_ERROR(checkInput(*entry, shape));
  return entry->build(shape);
}

} // namespace enfold::zoo
