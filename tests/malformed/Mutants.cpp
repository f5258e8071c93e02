// A walk over all messages of a model. Every change is made in place, written out, and undone.
#include "Mutants.h"

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <functional>
#include <limits>
#include <memory>

namespace enfold::malformed {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

/// Of a repeated field, the elements in front that are changed; the last one is too.
constexpr int kFront = 2;

/// Puts one value, given as a number or text, into a field: a singular one, or element `index`.
class Slot {
public:
  Slot(Message& message, const FieldDescriptor* field, int index)
      : message_(message), reflection_(*message.GetReflection()), field_(field), index_(index) {}

  void set(int64_t value) const {
    switch (field_->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return put(&Reflection::SetInt32, &Reflection::SetRepeatedInt32, static_cast<int32_t>(value));
    case FieldDescriptor::CPPTYPE_INT64:
      return put(&Reflection::SetInt64, &Reflection::SetRepeatedInt64, value);
    case FieldDescriptor::CPPTYPE_UINT32:
      return put(&Reflection::SetUInt32, &Reflection::SetRepeatedUInt32,
                 static_cast<uint32_t>(value));
    case FieldDescriptor::CPPTYPE_UINT64:
      return put(&Reflection::SetUInt64, &Reflection::SetRepeatedUInt64,
                 static_cast<uint64_t>(value));
    case FieldDescriptor::CPPTYPE_ENUM:
      return put(&Reflection::SetEnumValue, &Reflection::SetRepeatedEnumValue,
                 static_cast<int>(value));
    case FieldDescriptor::CPPTYPE_BOOL:
      return put(&Reflection::SetBool, &Reflection::SetRepeatedBool, value != 0);
    default:
      return;
    }
  }
  void set(double value) const {
    if (field_->cpp_type() == FieldDescriptor::CPPTYPE_FLOAT)
      put(&Reflection::SetFloat, &Reflection::SetRepeatedFloat, static_cast<float>(value));
    else
      put(&Reflection::SetDouble, &Reflection::SetRepeatedDouble, value);
  }
  void set(std::string value) const {
    put(&Reflection::SetString, &Reflection::SetRepeatedString, std::move(value));
  }
  std::string text() const {
    return index_ < 0 ? reflection_.GetString(message_, field_)
                      : reflection_.GetRepeatedString(message_, field_, index_);
  }

private:
  template <typename T, typename U>
  void put(void (Reflection::*single)(Message*, const FieldDescriptor*, T) const,
           void (Reflection::*element)(Message*, const FieldDescriptor*, int, T) const,
           U value) const {
    if (index_ < 0)
      (reflection_.*single)(&message_, field_, std::move(value));
    else
      (reflection_.*element)(&message_, field_, index_, std::move(value));
  }

  Message& message_;
  const Reflection& reflection_;
  const FieldDescriptor* field_;
  int index_;
};

class Walk {
public:
  explicit Walk(schema::ModelProto& model) : model_(model) {}

  void visit(Message& message, const std::string& path);
  std::vector<Mutant> take() { return std::move(mutants_); }

private:
  /// Changes the message, writes the model out, and changes it back.
  void mutant(Message& message, const std::string& what, const std::function<void()>& change) {
    const std::unique_ptr<Message> before(message.New());
    before->CopyFrom(message);
    change();
    mutants_.push_back({what, model_.SerializePartialAsString()});
    message.CopyFrom(*before);
  }
  void values(Message& message, const FieldDescriptor* field, int index, const std::string& path);
  void repeated(Message& message, const FieldDescriptor* field, const std::string& path);

  schema::ModelProto& model_;
  std::vector<Mutant> mutants_;
};

void Walk::values(Message& message, const FieldDescriptor* field, int index,
                  const std::string& path) {
  const Slot slot(message, field, index);
  const auto each = [&](std::initializer_list<int64_t> numbers) {
    for (const int64_t n : numbers)
      mutant(message, fmt::format("{}: {}", path, n), [&] { slot.set(n); });
  };
  switch (field->cpp_type()) {
  case FieldDescriptor::CPPTYPE_BOOL:
    return each({0, 1});
  case FieldDescriptor::CPPTYPE_ENUM:
    return each({0, 1, 5, 8, 11, 99});
  case FieldDescriptor::CPPTYPE_INT32:
  case FieldDescriptor::CPPTYPE_UINT32:
    return each({-1, 0, 1, 7, 8, 20, 99, std::numeric_limits<int32_t>::max()});
  case FieldDescriptor::CPPTYPE_INT64:
  case FieldDescriptor::CPPTYPE_UINT64:
    return each({-1, 0, 1, 3, 1000, int64_t{1} << 31, int64_t{1} << 62,
                 std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max()});
  case FieldDescriptor::CPPTYPE_FLOAT:
  case FieldDescriptor::CPPTYPE_DOUBLE:
    for (const double x : {-1.0, 0.0, 1e30, std::numeric_limits<double>::infinity(),
                           std::numeric_limits<double>::quiet_NaN()})
      mutant(message, fmt::format("{}: {}", path, x), [&] { slot.set(x); });
    return;
  case FieldDescriptor::CPPTYPE_STRING: {
    const std::string text = slot.text();
    const auto with = [&](const char* what, const std::string& value) {
      mutant(message, path + ": " + what, [&] { slot.set(value); });
    };
    with("empty", "");
    with("cut", text.substr(0, text.size() / 2));
    with("longer", text + text + "x");
    with("the name of another", "x");
    with("a path", "../../../etc/passwd");
    with("no UTF-8", "\xff\xfe\x80");
    with("a zero within", std::string("a\0b", 3));
    with("very long", std::string(100'000, 'n'));
    return;
  }
  case FieldDescriptor::CPPTYPE_MESSAGE:
    return;
  }
}

void Walk::repeated(Message& message, const FieldDescriptor* field, const std::string& path) {
  const Reflection& reflection = *message.GetReflection();
  const int size = reflection.FieldSize(message, field);
  const bool isMessage = field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
  if (size == 0) {
    mutant(message, path + ": one added", [&] {
      if (isMessage) {
        reflection.AddMessage(&message, field);
        return;
      }
      const std::unique_ptr<Message> one(message.New());
      const auto add = [&](auto setter, auto value) {
        (reflection.*setter)(&message, field, value);
      };
      switch (field->cpp_type()) {
      case FieldDescriptor::CPPTYPE_INT32:
        return add(&Reflection::AddInt32, 1);
      case FieldDescriptor::CPPTYPE_INT64:
        return add(&Reflection::AddInt64, int64_t{1});
      case FieldDescriptor::CPPTYPE_UINT64:
        return add(&Reflection::AddUInt64, uint64_t{1});
      case FieldDescriptor::CPPTYPE_FLOAT:
        return add(&Reflection::AddFloat, 1.0f);
      case FieldDescriptor::CPPTYPE_DOUBLE:
        return add(&Reflection::AddDouble, 1.0);
      case FieldDescriptor::CPPTYPE_STRING:
        return add(&Reflection::AddString, std::string("x"));
      default:
        return;
      }
    });
    return;
  }
  mutant(message, path + ": cleared", [&] { reflection.ClearField(&message, field); });
  mutant(message, path + ": the last removed", [&] { reflection.RemoveLast(&message, field); });
  if (size > 1)
    mutant(message, path + ": ends swapped",
           [&] { reflection.SwapElements(&message, field, 0, size - 1); });
  mutant(message, path + ": all twice", [&] {
    const std::unique_ptr<Message> same(message.New());
    const Reflection& r = reflection;
    same->CopyFrom(message);
    std::vector<const FieldDescriptor*> set;
    r.ListFields(*same, &set);
    for (const FieldDescriptor* other : set)
      if (other != field) r.ClearField(same.get(), other);
    message.MergeFrom(*same);
  });
  for (int i = 0; i < size; ++i) {
    if (i >= kFront && i != size - 1) continue;
    const std::string element = fmt::format("{}[{}]", path, i);
    if (isMessage)
      visit(*reflection.MutableRepeatedMessage(&message, field, i), element);
    else
      values(message, field, i, element);
  }
}

void Walk::visit(Message& message, const std::string& path) {
  const google::protobuf::Descriptor* type = message.GetDescriptor();
  const Reflection& reflection = *message.GetReflection();
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor* field = type->field(i);
    const std::string name = path.empty() ? field->name() : path + "." + field->name();
    if (field->is_repeated()) {
      repeated(message, field, name);
      continue;
    }
    const bool isSet = reflection.HasField(message, field);
    if (isSet) mutant(message, name + ": cleared", [&] { reflection.ClearField(&message, field); });
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE)
      values(message, field, -1, name);
    else if (isSet)
      visit(*reflection.MutableMessage(&message, field), name);
    else
      mutant(message, name + ": empty", [&] { reflection.MutableMessage(&message, field); });
  }
}

} // namespace

std::vector<Mutant> mutantsOf(const schema::ModelProto& model) {
  schema::ModelProto changed(model);
  Walk walk(changed);
  walk.visit(changed, "");
  return walk.take();
}

} // namespace enfold::malformed
