// As much of zip as numpy.savez and numpy.savez_compressed write (PKWARE's APPNOTE 6.3, chapter 4):
// entries are found through the directory at the end of the file.
#include "onnx/Npz.h"

#include "onnx/Npy.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <zlib.h>

namespace enfold::onnx {
namespace {

constexpr uint32_t kEntry = 0x04034b50, kDirectoryRow = 0x02014b50, kDirectoryEnd = 0x06054b50;
constexpr size_t kEntryBytes = 30, kRowBytes = 46, kEndBytes = 22;
constexpr uint16_t kVersion = 20, kStored = 0, kDeflated = 8, kEncrypted = 1;
constexpr uint16_t kFirstOfJanuary1980 = 33;
constexpr uint32_t kElsewhere = 0xffffffff; ///< a number too large for its field
constexpr size_t kMostEntries = 0xffff;

using Bytes = std::span<const std::byte>;

/// A number of the format at a place inside `bytes`.
template <typename T> T numberAt(Bytes bytes, size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

template <typename... T> void append(std::string& out, T... numbers) {
  (out.append(reinterpret_cast<const char*>(&numbers), sizeof numbers), ...);
}

/// A row of the directory.
struct Entry {
  std::string name;
  uint16_t method = kStored;
  uint32_t checksum = 0, packedBytes = 0, bytes = 0, offset = 0;
};

std::unexpected<Error> broken() {
  return failure(ErrorCode::DamagedFile, "it is not a .npz file, or damaged");
}

Result<std::vector<Entry>> directoryOf(Bytes file) {
  // Behind the directory's end there may be a comment.
  if (file.size() < kEndBytes) return broken();
  size_t end = file.size() - kEndBytes;
  while (end > 0 && numberAt<uint32_t>(file, end) != kDirectoryEnd) --end;
  if (numberAt<uint32_t>(file, end) != kDirectoryEnd) return broken();
  const auto count = numberAt<uint16_t>(file, end + 10);
  size_t at = numberAt<uint32_t>(file, end + 16);
  std::vector<Entry> entries;
  for (size_t i = 0; i < count; ++i) {
    if (at > file.size() || file.size() - at < kRowBytes ||
        numberAt<uint32_t>(file, at) != kDirectoryRow)
      return broken();
    const size_t nameBytes = numberAt<uint16_t>(file, at + 28);
    if (file.size() - at - kRowBytes < nameBytes) return broken();
    Entry entry{.name = {reinterpret_cast<const char*>(file.data()) + at + kRowBytes, nameBytes},
                .method = numberAt<uint16_t>(file, at + 10),
                .checksum = numberAt<uint32_t>(file, at + 16),
                .packedBytes = numberAt<uint32_t>(file, at + 20),
                .bytes = numberAt<uint32_t>(file, at + 24),
                .offset = numberAt<uint32_t>(file, at + 42)};
    if (numberAt<uint16_t>(file, at + 8) & kEncrypted)
      return unsupported(fmt::format("'{}' in it is encrypted", entry.name));
    if (entry.bytes == kElsewhere || entry.packedBytes == kElsewhere || entry.offset == kElsewhere)
      return unsupported("arrays of 4 GiB and more in .npz files are not read: use .npy files");
    at += kRowBytes + nameBytes + numberAt<uint16_t>(file, at + 30) +
          numberAt<uint16_t>(file, at + 32);
    entries.push_back(std::move(entry));
  }
  return entries;
}

bool inflateTo(std::vector<std::byte>& to, Bytes packed) {
  z_stream stream{};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return false; // without zlib's header
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(to.data());
  stream.avail_out = static_cast<uInt>(to.size());
  const int status = inflate(&stream, Z_FINISH);
  inflateEnd(&stream);
  return status == Z_STREAM_END && stream.avail_out == 0;
}

uint32_t checksumOf(Bytes bytes) {
  return static_cast<uint32_t>(
      crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

Result<Tensor> decodeEntry(Bytes file, const Entry& entry) {
  if (entry.offset > file.size() || file.size() - entry.offset < kEntryBytes ||
      numberAt<uint32_t>(file, entry.offset) != kEntry)
    return broken();
  const size_t start = entry.offset + kEntryBytes + numberAt<uint16_t>(file, entry.offset + 26) +
                       numberAt<uint16_t>(file, entry.offset + 28);
  if (start > file.size() || file.size() - start < entry.packedBytes) return broken();
  const Bytes packed = file.subspan(start, entry.packedBytes);
  std::vector<std::byte> inflated;
  Bytes bytes = packed;
  if (entry.method == kDeflated) {
    // Deflate makes at most 1032 bytes of one.
    if (entry.bytes / 1032 > packed.size()) return broken();
    inflated.resize(entry.bytes);
    if (!inflateTo(inflated, packed)) return broken();
    bytes = inflated;
  } else if (entry.method != kStored) {
    return unsupported(fmt::format("compression method {} is not read", entry.method));
  }
  if (bytes.size() != entry.bytes || checksumOf(bytes) != entry.checksum) return broken();
  return decodeNpy(bytes);
}

} // namespace

Result<std::vector<NamedTensor>> decodeNpz(Bytes file) {
  ENFOLD_TRY(const std::vector<Entry> entries, directoryOf(file));
  std::vector<NamedTensor> tensors;
  for (const Entry& entry : entries) {
    if (!entry.name.ends_with(".npy"))
      return unsupported(fmt::format("'{}' in it is no array", entry.name));
    auto tensor = decodeEntry(file, entry);
    if (!tensor) {
      for (Diag& diag : tensor.error().diags) diag.message = entry.name + ": " + diag.message;
      return std::unexpected(std::move(tensor).error());
    }
    tensors.push_back({entry.name.substr(0, entry.name.size() - 4), *std::move(tensor)});
  }
  return tensors;
}

Result<std::string> encodeNpz(std::span<const NamedTensor> tensors) {
  std::string out, directory;
  if (tensors.size() >= kMostEntries) return unsupported("too many arrays for a .npz file");
  for (const auto& [name, tensor] : tensors) {
    const std::string npy = encodeNpy(tensor), file = name + ".npy";
    if (file.size() > 0xffff || out.size() + npy.size() >= kElsewhere)
      return unsupported("arrays of 4 GiB and more are not written to .npz files: write .npy files "
                         "to a folder");
    const auto offset = static_cast<uint32_t>(out.size());
    const auto bytes = static_cast<uint32_t>(npy.size());
    const auto nameBytes = static_cast<uint16_t>(file.size());
    const uint32_t checksum = checksumOf(std::as_bytes(std::span(npy)));
    const uint16_t none = 0, utf8 = 0x800;
    append(out, kEntry, kVersion, utf8, kStored, none, kFirstOfJanuary1980, checksum, bytes, bytes,
           nameBytes, none);
    out += file;
    out += npy;
    append(directory, kDirectoryRow, kVersion, kVersion, utf8, kStored, none, kFirstOfJanuary1980,
           checksum, bytes, bytes, nameBytes, none, none, none, none, uint32_t{0}, offset);
    directory += file;
  }
  const auto start = static_cast<uint32_t>(out.size());
  const auto count = static_cast<uint16_t>(tensors.size());
  out += directory;
  append(out, kDirectoryEnd, uint16_t{0}, uint16_t{0}, count, count,
         static_cast<uint32_t>(directory.size()), start, uint16_t{0});
  return out;
}

} // namespace enfold::onnx
