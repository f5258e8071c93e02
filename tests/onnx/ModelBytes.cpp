// Protobuf's wire format: varints, four-byte numbers and length-delimited bytes.
#include "ModelBytes.h"

#include <bit>
#include <cstring>

namespace enfold::onnx::test {
namespace {

enum AttributeType { Float = 1, Int, String, TensorValue, Graph, Floats, Ints, Sparse = 11 };

Message attribute(std::string_view name, AttributeType type) {
  return Message().text(1, name).number(20, type);
}

} // namespace

void Message::varint(uint64_t value) {
  for (; value >= 128; value >>= 7) bytes_ += static_cast<char>(value | 128);
  bytes_ += static_cast<char>(value);
}

Message& Message::number(int field, int64_t value) {
  varint(static_cast<uint64_t>(field) << 3);
  varint(static_cast<uint64_t>(value));
  return *this;
}

Message& Message::real(int field, float value) {
  varint(static_cast<uint64_t>(field) << 3 | 5);
  const auto bits = std::bit_cast<uint32_t>(value);
  for (int i = 0; i < 4; ++i) bytes_ += static_cast<char>(bits >> 8 * i);
  return *this;
}

Message& Message::text(int field, std::string_view value) {
  varint(static_cast<uint64_t>(field) << 3 | 2);
  varint(value.size());
  bytes_ += value;
  return *this;
}

Message& Message::numbers(int field, const std::vector<int64_t>& values) {
  for (const int64_t value : values) number(field, value);
  return *this;
}

Message valueInfo(std::string_view name, ElemType elem, const std::vector<Dim>& dims) {
  Message shape;
  for (const Dim& dim : dims) {
    Message size;
    if (const auto* number = std::get_if<int64_t>(&dim))
      size.number(1, *number);
    else if (const auto& symbol = std::get<std::string>(dim); !symbol.empty())
      size.text(2, symbol);
    shape.message(1, size);
  }
  const Message tensor = Message().number(1, static_cast<int64_t>(elem)).message(2, shape);
  return Message().text(1, name).message(2, Message().message(1, tensor));
}

Message valueInfo(std::string_view name, ElemType elem) {
  const Message tensor = Message().number(1, static_cast<int64_t>(elem));
  return Message().text(1, name).message(2, Message().message(1, tensor));
}

Message tensorHeader(std::string_view name, int elem, const std::vector<int64_t>& dims) {
  return Message().numbers(1, dims).number(2, elem).text(8, name);
}

Message rawTensor(std::string_view name, ElemType elem, const std::vector<int64_t>& dims,
                  std::string_view raw) {
  return tensorHeader(name, static_cast<int>(elem), dims).text(9, raw);
}

Message floats(std::string_view name, const std::vector<int64_t>& dims,
               const std::vector<float>& values) {
  return tensorHeader(name, static_cast<int>(ElemType::F32), dims).packed(4, values);
}

Message ints(std::string_view name, const std::vector<int64_t>& values) {
  return tensorHeader(name, static_cast<int>(ElemType::I64), {static_cast<int64_t>(values.size())})
      .numbers(7, values);
}

Message externalTensor(std::string_view name, const std::vector<int64_t>& dims,
                       std::string_view location, std::optional<std::string> offset,
                       std::optional<std::string> length) {
  Message tensor = tensorHeader(name, static_cast<int>(ElemType::F32), dims);
  const auto state = [&](std::string_view key, std::string_view value) {
    tensor.message(13, Message().text(1, key).text(2, value));
  };
  state("location", location);
  if (offset) state("offset", *offset);
  if (length) state("length", *length);
  return tensor.number(14, 1);
}

Message intAttr(std::string_view name, int64_t value) {
  return attribute(name, Int).number(3, value);
}
Message floatAttr(std::string_view name, float value) {
  return attribute(name, Float).real(2, value);
}
Message textAttr(std::string_view name, std::string_view value) {
  return attribute(name, String).text(4, value);
}
Message intsAttr(std::string_view name, const std::vector<int64_t>& values) {
  return attribute(name, Ints).numbers(8, values);
}
Message floatsAttr(std::string_view name, const std::vector<float>& values) {
  return attribute(name, Floats).packed(7, values);
}
Message tensorAttr(std::string_view name, const Message& tensor) {
  return attribute(name, TensorValue).message(5, tensor);
}
Message sparseAttr(std::string_view name, const Message& sparse) {
  return attribute(name, Sparse).message(22, sparse);
}
Message graphAttr(std::string_view name, const Message& graph) {
  return attribute(name, Graph).message(6, graph);
}

Message node(const NodeSpec& spec) {
  Message message;
  for (const std::string& input : spec.inputs) message.text(1, input);
  for (const std::string& output : spec.outputs) message.text(2, output);
  if (!spec.name.empty()) message.text(3, spec.name);
  message.text(4, spec.type);
  for (const Message& attr : spec.attrs) message.message(5, attr);
  if (!spec.domain.empty()) message.text(7, spec.domain);
  return message;
}

Message graph(const GraphSpec& spec) {
  Message message;
  for (const NodeSpec& item : spec.nodes) message.message(1, node(item));
  message.text(2, "test");
  for (const Message& item : spec.initializers) message.message(5, item);
  for (const Message& item : spec.inputs) message.message(11, item);
  for (const Message& item : spec.outputs) message.message(12, item);
  return message;
}

std::string model(const ModelSpec& spec) {
  Message message;
  message.number(1, spec.irVersion);
  message.message(7, graph(spec.graph));
  message.message(8, Message().text(1, "").number(2, spec.opset));
  for (const auto& [domain, version] : spec.domains)
    message.message(8, Message().text(1, domain).number(2, version));
  return message.bytes();
}

} // namespace enfold::onnx::test
