// Tensor data of every element type, in every way a file can hold it, and data in files beside the
// model.
#include "Support.h"

#include <algorithm>

namespace enfold::onnx::test {
namespace {

/// A model whose output is that initializer, which is called "w".
std::string modelOf(const Message& tensor, ElemType elem, const std::vector<Dim>& dims) {
  return model({.graph = {.outputs = {valueInfo("w", elem, dims)}, .initializers = {tensor}}});
}
std::string modelOf(const Message& tensor) { return modelOf(tensor, ElemType::F32, {{""}}); }

/// Elements of a type, one a unit of memory as Tensor holds them: all bit patterns differ.
Tensor sample(ElemType elem, int64_t count) {
  Tensor tensor(elem, {count});
  std::byte* bytes = tensor.mutableBytes();
  const int bits = info(elem).bits;
  for (size_t i = 0; i < tensor.numBytes(); ++i) {
    const auto value = static_cast<unsigned>(37 * i + 11);
    bytes[i] = static_cast<std::byte>(elem == ElemType::Bool ? value % 2
                                      : bits < 8             ? value % (1U << bits)
                                                             : value);
  }
  return tensor;
}

/// The bytes ONNX stores: types narrower than a byte are packed, low bits first.
std::vector<uint8_t> stored(const Tensor& tensor) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(tensor.bytes());
  const int bits = info(tensor.elem()).bits;
  if (tensor.elem() == ElemType::Bool || bits >= 8) return {bytes, bytes + tensor.numBytes()};
  std::vector<uint8_t> packed((static_cast<size_t>(tensor.numElements() * bits) + 7) / 8);
  for (size_t i = 0; i < static_cast<size_t>(tensor.numElements()); ++i) {
    const size_t bit = i * static_cast<size_t>(bits);
    packed[bit / 8] = static_cast<uint8_t>(packed[bit / 8] | bytes[i] << bit % 8);
  }
  return packed;
}

template <typename T> std::vector<int64_t> asNumbers(const std::vector<uint8_t>& bytes) {
  std::vector<int64_t> numbers;
  for (size_t i = 0; i < bytes.size(); i += sizeof(T)) {
    T value;
    std::memcpy(&value, &bytes[i], sizeof(T));
    numbers.push_back(static_cast<int64_t>(value));
  }
  return numbers;
}

/// The field of TensorProto that holds elements of that type, filled.
Message typedTensor(const Tensor& tensor) {
  Message message = tensorHeader("w", static_cast<int>(tensor.elem()), tensor.shape());
  const std::vector<uint8_t> bytes = stored(tensor);
  constexpr int kFloat = 4, kInt32 = 5, kInt64 = 7, kDouble = 10, kUint64 = 11;
  switch (tensor.elem()) {
  case ElemType::F32:
  case ElemType::C64:
    return message.packed(kFloat, bytes);
  case ElemType::F64:
  case ElemType::C128:
    return message.packed(kDouble, bytes);
  case ElemType::I64:
    return message.numbers(kInt64, asNumbers<int64_t>(bytes));
  case ElemType::U64:
    return message.numbers(kUint64, asNumbers<uint64_t>(bytes));
  case ElemType::U32:
    return message.numbers(kUint64, asNumbers<uint32_t>(bytes));
  case ElemType::I32:
    return message.numbers(kInt32, asNumbers<int32_t>(bytes));
  case ElemType::I16:
    return message.numbers(kInt32, asNumbers<int16_t>(bytes));
  case ElemType::U16:
  case ElemType::F16:
  case ElemType::BF16:
    return message.numbers(kInt32, asNumbers<uint16_t>(bytes));
  case ElemType::I8:
    return message.numbers(kInt32, asNumbers<int8_t>(bytes));
  default:
    return message.numbers(kInt32, asNumbers<uint8_t>(bytes));
  }
}

class EveryType : public testing::TestWithParam<ElemType> {};

TEST_P(EveryType, RawData) {
  for (const int64_t count : {0, 1, 2, 3, 8, 9}) {
    const Tensor tensor = sample(GetParam(), count);
    const std::vector<uint8_t> bytes = stored(tensor);
    const auto graph = imported(
        modelOf(rawTensor("w", GetParam(), {count}, std::string(bytes.begin(), bytes.end())),
                GetParam(), {count}));
    ASSERT_EQ(graph.graph->outputs().size(), 1U);
    EXPECT_TRUE(*graph.graph->outputs()[0]->constant() == tensor) << count << " elements";
  }
}

TEST_P(EveryType, TypedData) {
  for (const int64_t count : {0, 1, 3, 8}) {
    const Tensor tensor = sample(GetParam(), count);
    const auto graph = imported(modelOf(typedTensor(tensor), GetParam(), {count}));
    ASSERT_EQ(graph.graph->outputs().size(), 1U);
    EXPECT_TRUE(*graph.graph->outputs()[0]->constant() == tensor) << count << " elements";
  }
}

TEST_P(EveryType, TooLittleOrTooMuchDataIsRefused) {
  const Tensor tensor = sample(GetParam(), 9);
  const std::vector<uint8_t> bytes = stored(tensor);
  std::string raw(bytes.begin(), bytes.end());
  raw.pop_back();
  expectRefused(modelOf(rawTensor("w", GetParam(), {9}, raw), GetParam(), {9}), {"'w'", "holds"});
  raw += "ab";
  expectRefused(modelOf(rawTensor("w", GetParam(), {9}, raw), GetParam(), {9}), {"'w'", "holds"});
}

INSTANTIATE_TEST_SUITE_P(TensorData, EveryType, testing::ValuesIn([] {
                           std::vector<ElemType> types;
                           for (const ElemTypeInfo& info : elemTypes()) types.push_back(info.type);
                           return types;
                         }()),
                         [](const auto& param) { return std::string(name(param.param)); });

TEST(TensorData, BooleansOtherThanZeroAreOne) {
  const auto graph = imported(modelOf(
      rawTensor("w", ElemType::Bool, {3}, std::string("\0\2\xff", 3)), ElemType::Bool, {3}));
  EXPECT_TRUE(*graph.graph->outputs()[0]->constant() == Tensor::of<bool>({3}, {false, true, true}));
}

TEST(TensorData, WhatMakesNoSenseIsRefused) {
  const auto raw = [](const std::vector<int64_t>& dims) {
    return rawTensor("w", ElemType::F32, dims, rawFloats({1, 2}));
  };
  expectRefused(modelOf(raw({2}).packed(4, std::vector<float>{1, 2})), {"'w'", "raw and typed"});
  expectRefused(modelOf(raw({2}).message(3, Message().number(1, 0))), {"'w'", "segments"});
  expectRefused(modelOf(raw({-2})), {"'w'", "-2"});
  expectRefused(modelOf(raw({INT64_MAX, INT64_MAX})), {"'w'"});
  expectRefused(modelOf(raw({int64_t{1} << 33, int64_t{1} << 31})), {"'w'"});
  expectRefused(modelOf(floats("w", {3}, {1, 2})), {"'w'", "2 values", "3"});
  expectRefused(modelOf(tensorHeader("w", 8, {1}).text(6, "text")), {"'w'", "strings"});
  expectRefused(modelOf(tensorHeader("w", 77, {1})), {"'w'", "77"});
  expectRefused(modelOf(tensorHeader("w", 0, {1})), {"'w'", "0"});
  // Declared sizes are not believed before the data is seen.
  expectRefused(modelOf(tensorHeader("w", 1, {int64_t{1} << 30})), {"'w'", "0 values"});
}

TEST(TensorData, SparseTensorsAreMadeDense) {
  const auto sparse = [](const Message& indices, const std::vector<int64_t>& dims) {
    return Message().message(1, floats("", {2}, {5, 7})).message(2, indices).numbers(3, dims);
  };
  const auto constant = [](const Message& value) {
    return model(
        {.graph = {.outputs = {valueInfo("y", ElemType::F32)},
                   .nodes = {{"Constant", {}, {"y"}, {sparseAttr("sparse_value", value)}}}}});
  };
  const Tensor dense = Tensor::of<float>({2, 3}, {0, 0, 5, 7, 0, 0});
  const auto linear = imported(constant(sparse(ints("", {2, 3}), {2, 3})));
  EXPECT_TRUE(*linear.graph->outputs()[0]->constant() == dense);
  const Message pairs = tensorHeader("", 7, {2, 2}).numbers(7, {0, 2, 1, 0});
  const auto perAxis = imported(constant(sparse(pairs, {2, 3})));
  EXPECT_TRUE(*perAxis.graph->outputs()[0]->constant() == dense);
  expectRefused(constant(sparse(ints("", {2, 6}), {2, 3})), {"index 6"});
  expectRefused(constant(sparse(ints("", {-1, 3}), {2, 3})), {"index -1"});
  expectRefused(constant(sparse(ints("", {1}), {2, 3})), {"indices"});
  expectRefused(constant(sparse(ints("", {2, 3}), {int64_t{1} << 40})), {"limit"});
}

class ExternalFiles : public testing::Test {
protected:
  Result<ImportedModel> load(const Message& tensor) {
    return importModel(folder_.write("model.onnx", modelOf(tensor)));
  }
  void expectRefused(const Message& tensor, std::string_view word) {
    const auto model = load(tensor);
    ASSERT_FALSE(model);
    EXPECT_NE(model.error().str().find("'w'"), std::string::npos) << model.error().str();
    EXPECT_NE(model.error().str().find(word), std::string::npos) << model.error().str();
  }
  void expectRead(const Message& tensor, const std::vector<float>& values) {
    const auto model = load(tensor);
    ASSERT_TRUE(model) << model.error().str();
    const auto read = model->graph->outputs()[0]->constant()->values<float>();
    EXPECT_TRUE(std::ranges::equal(read, values));
  }

  Folder folder_;
};

TEST_F(ExternalFiles, AreReadFromTheModelsFolder) {
  folder_.write("w.bin", rawFloats({1, 2, 3, 4}));
  expectRead(externalTensor("w", {4}, "w.bin"), {1, 2, 3, 4});
  expectRead(externalTensor("w", {2}, "w.bin", "4"), {2, 3});
  expectRead(externalTensor("w", {2}, "w.bin", "8", "8"), {3, 4});
  expectRead(externalTensor("w", {0}, "w.bin", "16"), {});
  std::filesystem::create_directory(folder_.path() / "sub");
  folder_.write("sub/v.bin", rawFloats({5}));
  expectRead(externalTensor("w", {1}, "sub/v.bin"), {5});
  expectRead(externalTensor("w", {1}, "./sub/./v.bin"), {5});
  std::filesystem::create_symlink("w.bin", folder_.path() / "link.bin");
  expectRead(externalTensor("w", {1}, "link.bin"), {1});
}

TEST_F(ExternalFiles, MayLieUnaligned) {
  folder_.write("w.bin", std::string("x").append(rawFloats({1, 2, 3, 4})));
  expectRead(externalTensor("w", {3}, "w.bin", "5"), {2, 3, 4});
}

TEST_F(ExternalFiles, OutsideTheFolderAreRefused) {
  Folder other;
  const auto secret = other.write("secret.bin", rawFloats({1}));
  const auto inside = "inside the model's folder";
  expectRefused(externalTensor("w", {1}, (".." / other.path().filename() / "secret.bin").string()),
                inside);
  expectRefused(externalTensor("w", {1}, "a/../../x"), inside);
  expectRefused(externalTensor("w", {1}, ".."), inside);
  expectRefused(externalTensor("w", {1}, secret.string()), inside);
  expectRefused(externalTensor("w", {1}, std::string_view("w.bin\0x", 7)), inside);
  std::filesystem::create_symlink(secret, folder_.path() / "link.bin");
  expectRefused(externalTensor("w", {1}, "link.bin"), "link out of");
  std::filesystem::create_directory_symlink(other.path(), folder_.path() / "sub");
  expectRefused(externalTensor("w", {1}, "sub/secret.bin"), "link out of");
}

TEST_F(ExternalFiles, ThatAreNoFilesAreRefused) {
  expectRefused(externalTensor("w", {1}, "absent.bin"), "cannot be found");
  expectRefused(externalTensor("w", {1}, "."), "regular file");
  expectRefused(externalTensor("w", {1}, ""), "names no file");
  std::filesystem::create_directory(folder_.path() / "sub");
  expectRefused(externalTensor("w", {1}, "sub"), "regular file");
  ASSERT_EQ(::mkfifo((folder_.path() / "pipe").c_str(), 0600), 0);
  expectRefused(externalTensor("w", {1}, "pipe"), "regular file");
}

TEST_F(ExternalFiles, WithRangesBeyondTheFileAreRefused) {
  folder_.write("w.bin", rawFloats({1, 2}));
  folder_.write("empty.bin", "");
  expectRefused(externalTensor("w", {3}, "w.bin"), "lies outside");
  expectRefused(externalTensor("w", {1}, "w.bin", "5"), "lies outside");
  expectRefused(externalTensor("w", {1}, "empty.bin"), "lies outside");
  expectRefused(externalTensor("w", {1}, "w.bin", "18446744073709551615"), "lies outside");
  expectRefused(externalTensor("w", {1}, "w.bin", "18446744073709551616"), "offset");
  expectRefused(externalTensor("w", {1}, "w.bin", "-4"), "offset");
  expectRefused(externalTensor("w", {1}, "w.bin", "4x"), "offset");
  expectRefused(externalTensor("w", {1}, "w.bin", ""), "offset");
  expectRefused(externalTensor("w", {1}, "w.bin", "0", "8"), "8 bytes");
  expectRefused(externalTensor("w", {1}, "w.bin", "0", "99999999999999999999"), "length");
  expectRefused(externalTensor("w", {int64_t{1} << 60}, "w.bin"), "");
  expectRefused(externalTensor("w", {1}, "w.bin").text(9, rawFloats({1})), "inside and outside");
}

TEST_F(ExternalFiles, OfAModelInMemoryAreRefused) {
  test::expectRefused(modelOf(externalTensor("w", {1}, "w.bin")), {"'w'", "no folder"});
}

} // namespace
} // namespace enfold::onnx::test
