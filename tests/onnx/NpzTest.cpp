// Archives of arrays: what is written reads back, and nothing that is damaged is read.
#include "onnx/Npz.h"

#include <gtest/gtest.h>

namespace enfold::onnx {
namespace {

std::span<const std::byte> bytesOf(const std::string& text) {
  return std::as_bytes(std::span(text));
}

std::vector<NamedTensor> arrays() {
  return {{"x", Tensor::of<float>({2, 3}, {1, 2, 3, 4, 5, 6})},
          {"layer/weights", Tensor::of<int8_t>({5}, {-1, 0, 1, 2, 127})},
          {"", Tensor::scalar<int64_t>(7)},
          {"empty", Tensor(ElemType::F32, {0, 4})}};
}

TEST(Npz, WritesWhatItReads) {
  for (size_t count = 0; count <= arrays().size(); ++count) {
    const std::vector<NamedTensor> all = arrays();
    const std::span<const NamedTensor> wanted = std::span(all).first(count);
    const auto bytes = encodeNpz(wanted);
    ASSERT_TRUE(bytes.has_value());
    const auto read = decodeNpz(bytesOf(*bytes));
    ASSERT_TRUE(read.has_value()) << read.error().str();
    ASSERT_EQ(read->size(), count);
    for (size_t i = 0; i < count; ++i) {
      EXPECT_EQ((*read)[i].name, wanted[i].name);
      EXPECT_EQ((*read)[i].tensor, wanted[i].tensor);
    }
  }
}

TEST(Npz, RefusesWhatIsCutShort) {
  const std::string bytes = encodeNpz(arrays()).value();
  for (size_t length = 0; length < bytes.size(); ++length)
    EXPECT_FALSE(decodeNpz(bytesOf(bytes.substr(0, length))).has_value()) << length;
}

TEST(Npz, NoDamageCrashes) {
  const std::string bytes = encodeNpz(arrays()).value();
  for (size_t i = 0; i < bytes.size(); ++i)
    for (const char flip : {'\x01', '\x80', '\xff'}) {
      std::string damaged = bytes;
      damaged[i] = static_cast<char>(damaged[i] ^ flip);
      const auto read = decodeNpz(bytesOf(damaged)); // names and headers may still be such
      EXPECT_TRUE(read.has_value() || !read.error().str().empty());
    }
}

} // namespace
} // namespace enfold::onnx
