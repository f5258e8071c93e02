// Decoding and encoding.
#include "Text.h"

namespace enfold::python {
namespace {

constexpr const char* kBytesAsSurrogates = "surrogateescape";

nb::str decoded(std::string_view bytes, const char* otherwise) {
  PyObject* text =
      PyUnicode_DecodeUTF8(bytes.data(), static_cast<Py_ssize_t>(bytes.size()), otherwise);
  if (!text) throw nb::python_error();
  return nb::steal<nb::str>(text);
}

} // namespace

nb::str nameFrom(std::string_view bytes) { return decoded(bytes, kBytesAsSurrogates); }

nb::str messageFrom(std::string_view bytes) { return decoded(bytes, "backslashreplace"); }

std::string bytesOfName(nb::handle text) {
  PyObject* encoded = PyUnicode_AsEncodedString(nb::str(text).ptr(), "utf-8", kBytesAsSurrogates);
  if (!encoded) throw nb::python_error();
  const auto bytes = nb::steal<nb::bytes>(encoded);
  return {bytes.c_str(), bytes.size()};
}

} // namespace enfold::python
