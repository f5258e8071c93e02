// libpng and libjpeg decode to 8 bits a channel.
#include "tools/Images.h"

#include "support/ErrorCodes.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstdio>
#include <jpeglib.h>
#include <png.h>

namespace enfold::tool {
namespace {

using Bytes = std::span<const std::byte>;

constexpr std::array<uint8_t, 8> kPng = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
constexpr std::array<uint8_t, 3> kJpeg = {0xff, 0xd8, 0xff};
constexpr int64_t kMostPixels = int64_t{1} << 28;

template <size_t N> bool startsWith(Bytes bytes, const std::array<uint8_t, N>& magic) {
  return bytes.size() >= N &&
         std::equal(magic.begin(), magic.end(), reinterpret_cast<const uint8_t*>(bytes.data()));
}

Result<Image> emptyImage(int64_t height, int64_t width, int64_t channels) {
  if (height * width > kMostPixels)
    return unsupported(fmt::format("an image of {}x{} pixels is too large", width, height));
  return Image{height, width, channels,
               std::vector<uint8_t>(static_cast<size_t>(height * width * channels))};
}

Result<Image> decodePng(Bytes bytes, int64_t channels) {
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  if (!png_image_begin_read_from_memory(&png, bytes.data(), bytes.size()))
    return failure(ErrorCode::DamagedFile, png.message);
  png.format = channels == 1 ? PNG_FORMAT_GRAY : channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_RGBA;
  auto image = emptyImage(png.height, png.width, channels);
  if (image && !png_image_finish_read(&png, nullptr, image->pixels.data(), 0, nullptr))
    image = failure(ErrorCode::DamagedFile, png.message);
  png_image_free(&png);
  return image;
}

/// What libjpeg reports errors to; it does not return from them.
struct JpegErrors : jpeg_error_mgr {
  std::jmp_buf failed;
  char message[JMSG_LENGTH_MAX];
};

void endAtError(j_common_ptr jpeg) {
  auto& errors = *static_cast<JpegErrors*>(jpeg->err);
  errors.format_message(jpeg, errors.message);
  std::longjmp(errors.failed, 1);
}

/// A picture that is cut short or damaged is refused, where libjpeg would fill it up in grey.
void refuseWarnings(j_common_ptr jpeg, int level) {
  if (level < 0) endAtError(jpeg);
}

/// The three calls below jump out of libjpeg: what lives in them needs no destructor.
bool beginJpeg(jpeg_decompress_struct& jpeg, JpegErrors& errors, Bytes bytes, int64_t channels) {
  if (setjmp(errors.failed)) return false;
  jpeg_create_decompress(&jpeg);
  jpeg_mem_src(&jpeg, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  jpeg_read_header(&jpeg, TRUE);
  jpeg.out_color_space = channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_calc_output_dimensions(&jpeg);
  return true;
}

bool readJpeg(jpeg_decompress_struct& jpeg, JpegErrors& errors, uint8_t* pixels, size_t rowBytes) {
  if (setjmp(errors.failed)) return false;
  jpeg_start_decompress(&jpeg);
  while (jpeg.output_scanline < jpeg.output_height) {
    JSAMPROW row = pixels + jpeg.output_scanline * rowBytes;
    jpeg_read_scanlines(&jpeg, &row, 1);
  }
  jpeg_finish_decompress(&jpeg);
  return true;
}

Result<Image> decodeJpeg(Bytes bytes, int64_t channels) {
  if (channels == 4) return unsupported("a JPEG image has no alpha");
  jpeg_decompress_struct jpeg{};
  JpegErrors errors{};
  jpeg.err = jpeg_std_error(&errors);
  errors.error_exit = endAtError;
  errors.emit_message = refuseWarnings;
  Result<Image> image = failure(ErrorCode::DamagedFile, "");
  if (!beginJpeg(jpeg, errors, bytes, channels)) {
    image = failure(ErrorCode::DamagedFile, errors.message);
  } else {
    image = emptyImage(jpeg.output_height, jpeg.output_width, channels);
    if (image &&
        !readJpeg(jpeg, errors, image->pixels.data(), static_cast<size_t>(image->width * channels)))
      image = failure(ErrorCode::DamagedFile, errors.message);
  }
  jpeg_destroy_decompress(&jpeg);
  return image;
}

} // namespace

bool isImage(Bytes bytes) { return startsWith(bytes, kPng) || startsWith(bytes, kJpeg); }

Result<Image> decodeImage(Bytes bytes, int64_t channels) {
  return startsWith(bytes, kPng) ? decodePng(bytes, channels) : decodeJpeg(bytes, channels);
}

} // namespace enfold::tool
