// ONNX files written field by field. Tests need files that no library would write, and element
// types newer than the installed one knows, so this knows protobuf's wire format and the field
// numbers of onnx.proto, and checks nothing.
#pragma once

#include "ir/Tensor.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace enfold::onnx::test {

/// One message under construction.
class Message {
public:
  Message& number(int field, int64_t value);
  Message& real(int field, float value);
  Message& text(int field, std::string_view value);
  Message& message(int field, const Message& value) { return text(field, value.bytes()); }
  Message& numbers(int field, const std::vector<int64_t>& values);
  /// Packed: the bytes of the values one after the other.
  template <typename T> Message& packed(int field, const std::vector<T>& values) {
    return text(field, {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)});
  }
  const std::string& bytes() const { return bytes_; }

private:
  void varint(uint64_t value);

  std::string bytes_;
};

/// A size, or the name of a symbolic one; an empty name is an unknown size.
using Dim = std::variant<int64_t, std::string>;

Message valueInfo(std::string_view name, ElemType elem, const std::vector<Dim>& dims);
/// Without a shape.
Message valueInfo(std::string_view name, ElemType elem);

/// A tensor without data.
Message tensorHeader(std::string_view name, int elem, const std::vector<int64_t>& dims);
Message rawTensor(std::string_view name, ElemType elem, const std::vector<int64_t>& dims,
                  std::string_view raw);
Message floats(std::string_view name, const std::vector<int64_t>& dims,
               const std::vector<float>& values);
Message ints(std::string_view name, const std::vector<int64_t>& values);
/// Data in the file `location`.
Message externalTensor(std::string_view name, const std::vector<int64_t>& dims,
                       std::string_view location, std::optional<std::string> offset = {},
                       std::optional<std::string> length = {});

Message intAttr(std::string_view name, int64_t value);
Message floatAttr(std::string_view name, float value);
Message textAttr(std::string_view name, std::string_view value);
Message intsAttr(std::string_view name, const std::vector<int64_t>& values);
Message floatsAttr(std::string_view name, const std::vector<float>& values);
Message tensorAttr(std::string_view name, const Message& tensor);
Message sparseAttr(std::string_view name, const Message& sparse);
Message graphAttr(std::string_view name, const Message& graph);

using Names = std::vector<std::string>;

struct NodeSpec {
  std::string type;
  Names inputs, outputs;
  std::vector<Message> attrs = {};
  std::string name = {};
  std::string domain = {};
};
Message node(const NodeSpec& spec);

struct GraphSpec {
  std::vector<Message> inputs = {}, outputs = {}, initializers = {};
  std::vector<NodeSpec> nodes = {};
};
Message graph(const GraphSpec& spec);

struct ModelSpec {
  GraphSpec graph = {};
  int64_t opset = 18;
  int64_t irVersion = 8;
  std::vector<std::pair<std::string, int64_t>> domains = {}; ///< besides ONNX's own
};
std::string model(const ModelSpec& spec);

} // namespace enfold::onnx::test
