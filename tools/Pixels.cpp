// Pixels by channel.
#include "tools/Pixels.h"

#include "ir/Type.h"
#include "support/ErrorCodes.h"

#include <CLI/App.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace enfold::tool {
namespace {

bool isChannels(int64_t size) { return size == 1 || size == 3 || size == 4; }

/// The value for a channel of a list that has one for all, or one for each.
double valueOf(const std::vector<double>& values, size_t channel, double otherwise) {
  if (values.empty()) return otherwise;
  return values.size() == 1 ? values[0] : values[channel];
}

} // namespace

void PixelOptions::add(CLI::App& app) {
  app.add_option("--mean", mean,
                 "Taken from the bytes of images: one number, or one for each channel")
      ->type_name("M,M,M")
      ->delimiter(',')
      ->group("Images");
  app.add_option("--scale", scale,
                 "What they are then divided by (default 255): one number, or one for each channel")
      ->type_name("S,S,S")
      ->delimiter(',')
      ->check(CLI::Validator(
          [](const std::string& text) {
            double value = 0;
            return CLI::detail::lexical_cast(text, value) && value == 0 ? "0 cannot be divided by"
                                                                        : std::string();
          },
          "", ""))
      ->group("Images");
  app.add_option("--layout", layout,
                 "Where the channels of images go; by default as the input's shape suggests")
      ->check(CLI::IsMember({"nchw", "nhwc"}))
      ->group("Images");
}

size_t PixelOptions::channelAxis(const Shape& shape) const {
  const size_t rank = shape.size(), last = rank - 1, first = rank >= 3 ? rank - 3 : 0;
  if (layout == "nhwc") return last;
  if (layout == "nchw") return first;
  return !isChannels(shape[first]) && isChannels(shape[last]) ? last : first;
}

Result<Tensor> PixelOptions::asNumbers(Tensor tensor, const Type& input) const {
  const bool isStated = !mean.empty() || !scale.empty();
  if (tensor.elem() != ElemType::U8 || !isFloat(input.elem)) return tensor;
  const Shape& shape = tensor.shape();
  if (isStated && shape.size() < 3)
    return failure(ErrorCode::WrongInput,
                   fmt::format("--mean and --scale are of images, not of {}", tensor.type().str()));
  const size_t axis = shape.size() < 3 ? 0 : channelAxis(shape);
  const int64_t channels = shape.size() < 3 ? 1 : shape[axis];
  for (const auto* values : {&mean, &scale})
    if (values->size() > 1 && static_cast<int64_t>(values->size()) != channels)
      return failure(ErrorCode::WrongInput,
                     fmt::format("--{} has {} numbers, and {} has {} channels",
                                 values == &mean ? "mean" : "scale", values->size(),
                                 tensor.type().str(), channels));
  int64_t inner = 1;
  for (size_t i = axis + 1; i < shape.size(); ++i) inner *= shape[i];
  Tensor numbers(input.elem, shape);
  for (int64_t i = 0; i < tensor.numElements(); ++i) {
    const auto channel = static_cast<size_t>(channels == 1 ? 0 : i / inner % channels);
    numbers.setDouble(i, (tensor.asDouble(i) - valueOf(mean, channel, 0)) /
                             valueOf(scale, channel, 255));
  }
  return numbers;
}

Result<Tensor> PixelOptions::asBatch(const std::vector<Image>& images, const Shape& shape) const {
  const size_t axis = channelAxis(shape);
  const Image& first = images.front();
  for (const Image& image : images)
    if (image.height != first.height || image.width != first.width)
      return failure(ErrorCode::WrongInput,
                     fmt::format("images of different sizes, {}x{} and {}x{}, make no batch",
                                 first.width, first.height, image.width, image.height));
  const bool isLast = axis + 1 == shape.size();
  Shape made(shape.size() - 3, static_cast<int64_t>(images.size()));
  if (made.empty() && images.size() > 1)
    return failure(ErrorCode::WrongInput,
                   fmt::format("the input takes one image, not {}", images.size()));
  const Shape sizes = isLast ? Shape{first.height, first.width, first.channels}
                             : Shape{first.channels, first.height, first.width};
  made.insert(made.end(), sizes.begin(), sizes.end());
  for (size_t i = 0; i < shape.size(); ++i)
    if (shape[i] >= 0 && shape[i] != made[i])
      return failure(ErrorCode::WrongInput,
                     fmt::format("{} image{} of {}x{} pixels and {} channels {} not fit an "
                                 "input of shape {}",
                                 images.size(), images.size() == 1 ? "" : "s", first.width,
                                 first.height, first.channels, images.size() == 1 ? "does" : "do",
                                 str(shape)));
  Tensor tensor(ElemType::U8, made);
  auto* out = tensor.mutableData<uint8_t>();
  for (const Image& image : images) {
    const int64_t pixels = image.height * image.width;
    for (int64_t pixel = 0; pixel < pixels; ++pixel)
      for (int64_t c = 0; c < image.channels; ++c)
        out[isLast ? pixel * image.channels + c : c * pixels + pixel] =
            image.pixels[static_cast<size_t>(pixel * image.channels + c)];
    out += pixels * image.channels;
  }
  return tensor;
}

} // namespace enfold::tool
