// Data go into the page as JSON in script elements that browsers do not run. The texts of kernels,
// which are by far the most, are compressed.
#include "diagnose/ReportPage.h"

#include "onnx/RegularFile.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <new>
#include <zlib.h>

namespace enfold::diagnose {

/// The page without data (cmake/EmbedFile.cmake).
extern const std::string_view kReportTemplate;

namespace {

/// Where the page takes data.
constexpr std::string_view kPlace = "<!-- data -->";
constexpr std::string_view kReportTag = "<script type=\"application/json\" id=\"report\">";
constexpr std::string_view kAgainstTag = "<script type=\"application/json\" id=\"against\">";
constexpr std::string_view kEnd = "</script>";

/// RFC 4648, section 4.
std::string base64(std::string_view bytes) {
  constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t three = 0;
    for (size_t k = 0; k < 3; ++k)
      three = three << 8 | (i + k < bytes.size() ? static_cast<uint8_t>(bytes[i + k]) : 0);
    for (size_t k = 0; k < 4; ++k)
      text += i + k <= bytes.size() ? kDigits[three >> (18 - 6 * k) & 63] : '=';
  }
  return text;
}

/// In zlib's format (RFC 1950).
std::string deflated(std::string_view text) {
  uLongf size = compressBound(text.size());
  std::string bytes(size, '\0');
  const int status =
      compress2(reinterpret_cast<Bytef*>(bytes.data()), &size,
                reinterpret_cast<const Bytef*>(text.data()), text.size(), Z_DEFAULT_COMPRESSION);
  if (status != Z_OK) throw std::bad_alloc();
  bytes.resize(size);
  return bytes;
}

/// Each kernel's texts become one member, "packed".
void packKernels(Json& report) {
  for (Json& kernel : report["kernels"])
    if (!kernel.contains("packed"))
      kernel = {{"name", kernel["name"]}, {"packed", base64(deflated(jsonText(kernel)))}};
}

/// JSON that ends no script element and opens no comment, whatever strings it has.
std::string escaped(const Json& json) {
  const std::string text = jsonText(json);
  std::string out;
  out.reserve(text.size());
  for (const char c : text) switch (c) {
    case '<':
      out += "\\u003c";
      break;
    case '>':
      out += "\\u003e";
      break;
    case '&':
      out += "\\u0026";
      break;
    default:
      out += c;
    }
  return out;
}

} // namespace

std::string reportPage(Json report, Json against) {
  packKernels(report);
  std::string data = fmt::format("{}{}{}", kReportTag, escaped(report), kEnd);
  if (!against.is_null()) {
    packKernels(against);
    data += fmt::format("\n{}{}{}", kAgainstTag, escaped(against), kEnd);
  }
  const size_t place = kReportTemplate.find(kPlace);
  ENFOLD_CHECK(place != std::string_view::npos, "the page has no place for data");
  return fmt::format("{}{}{}", kReportTemplate.substr(0, place), data,
                     kReportTemplate.substr(place + kPlace.size()));
}

Result<Json> readReportPage(const std::filesystem::path& path) {
  ENFOLD_TRY(const auto file, onnx::RegularFile::open(path));
  const auto notOne = [&](std::string_view why) {
    return failure(ErrorCode::DamagedFile,
                   fmt::format("{}: is no report of enfold: {}", path.string(), why));
  };
  if (file.size() == 0) return notOne("it is empty");
  ENFOLD_TRY(const auto bytes, file.map());
  const std::string_view text(reinterpret_cast<const char*>(bytes.get()),
                              static_cast<size_t>(file.size()));
  const size_t tag = text.find(kReportTag);
  if (tag == std::string_view::npos) return notOne("it has no data of one");
  const size_t begin = tag + kReportTag.size();
  const size_t end = text.find(kEnd, begin);
  if (end == std::string_view::npos) return notOne("it ends too early");
  Json json = Json::parse(text.substr(begin, end - begin), nullptr, /*allow_exceptions=*/false);
  const auto isPacked = [](const Json& kernel) {
    return kernel.is_object() && kernel.contains("packed");
  };
  const bool isReport = json.is_object() && json.contains("kernels") &&
                        json["kernels"].is_array() && json.contains("schema") &&
                        json["schema"] == "enfold-report";
  if (!isReport || !std::ranges::all_of(json["kernels"], isPacked))
    return notOne("its data is damaged");
  return json;
}

} // namespace enfold::diagnose
