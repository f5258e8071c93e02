// All that a file holds is under checksums.
#include "driver/PartsFile.h"

#include "onnx/RegularFile.h"
#include "support/ErrorCodes.h"
#include "support/Hash.h"
#include "support/NewFile.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace enfold {

using nlohmann::json;

namespace {

constexpr size_t kAlignment = 64;

struct Header {
  char magic[16] = {};
  uint64_t descriptionBytes = 0;
  uint64_t descriptionHash = 0;
  char unused[32] = {};
};
static_assert(sizeof(Header) == kAlignment);

size_t aligned(size_t size) { return (size + kAlignment - 1) / kAlignment * kAlignment; }

} // namespace

std::string_view asText(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

json PartsWriter::add(std::string_view bytes) {
  const size_t offset = size_;
  parts_.push_back(bytes);
  size_ = aligned(size_ + bytes.size());
  return {offset, bytes.size(), hashLarge(bytes.data(), bytes.size())};
}

json PartsWriter::add(const codegen::MachineCode& code) {
  json objects = json::array(), functions = json::array();
  for (const std::string& object : code.objects) objects.push_back(add(object));
  for (const auto& [symbol, iterations] : code.functions) functions.push_back({symbol, iterations});
  return {{"objects", objects}, {"functions", functions}};
}

Result<> PartsWriter::write(const std::filesystem::path& path, std::string_view magic,
                            const json& description) const {
  std::vector<uint8_t> cbor = json::to_cbor(description);
  Header header;
  ENFOLD_CHECK(magic.size() == sizeof header.magic, std::string(magic));
  std::ranges::copy(magic, header.magic);
  header.descriptionBytes = cbor.size();
  header.descriptionHash = hashLarge(cbor.data(), cbor.size());
  cbor.resize(aligned(cbor.size()));
  ENFOLD_TRY(NewFile file, NewFile::create(path));
  ENFOLD_RETURN_IF_ERROR(file.append({reinterpret_cast<const char*>(&header), sizeof header}));
  ENFOLD_RETURN_IF_ERROR(file.append({reinterpret_cast<const char*>(cbor.data()), cbor.size()}));
  for (const std::string_view part : parts_) {
    ENFOLD_RETURN_IF_ERROR(file.append(part));
    ENFOLD_RETURN_IF_ERROR(file.append(std::string(aligned(part.size()) - part.size(), '\0')));
  }
  return file.commit();
}

std::span<const std::byte> PartsReader::get(const json& part) const {
  const auto offset = part.at(0).get<size_t>(), size = part.at(1).get<size_t>();
  if (offset > size_ || size > size_ - offset) throw std::out_of_range("it is cut short");
  const std::byte* bytes = file_.get() + begin_ + offset;
  if (hashLarge(bytes, size) != part.at(2).get<uint64_t>())
    throw std::runtime_error("a checksum does not match");
  return {bytes, size};
}

codegen::MachineCode PartsReader::code(const json& from) const {
  codegen::MachineCode code;
  for (const json& object : from.at("objects")) code.objects.emplace_back(asText(get(object)));
  for (const json& f : from.at("functions")) code.functions.push_back({f.at(0), f.at(1)});
  return code;
}

Result<> readParts(const std::filesystem::path& path, std::string_view magic,
                   const std::function<void(const json&, const PartsReader&)>& read) {
  const auto damaged = [&](const char* how) {
    return failure(ErrorCode::DamagedFile,
                   fmt::format("{}: not a file of the cache: {}", path.string(), how));
  };
  ENFOLD_TRY(const auto file, onnx::RegularFile::open(path));
  const auto size = static_cast<size_t>(file.size());
  Header header;
  if (size < sizeof header) return damaged("it is cut short");
  ENFOLD_TRY(const auto bytes, file.map());
  std::memcpy(&header, bytes.get(), sizeof header);
  if (std::string_view(header.magic, sizeof header.magic) != magic)
    return damaged("it does not start with the magic number");
  const std::byte* description = bytes.get() + sizeof header;
  if (header.descriptionBytes > size - sizeof header) return damaged("it is cut short");
  if (hashLarge(description, header.descriptionBytes) != header.descriptionHash)
    return damaged("a checksum does not match");
  const size_t begin = std::min(size, sizeof header + aligned(header.descriptionBytes));
  const auto* cbor = reinterpret_cast<const uint8_t*>(description);
  try {
    read(json::from_cbor(cbor, cbor + header.descriptionBytes), PartsReader(bytes, begin, size));
    return {};
  } catch (const std::exception& wrong) {
    return damaged(wrong.what());
  }
}

} // namespace enfold
