// Text between Python and C. Names in models and those of files may be any bytes: what is no UTF-8
// becomes lone surrogates and these become bytes again, as with os.fsdecode and os.fsencode.
#pragma once

#include <nanobind/nanobind.h>
#include <string>
#include <string_view>

namespace enfold::python {

namespace nb = nanobind;

nb::str nameFrom(std::string_view bytes);
/// Raises UnicodeEncodeError if the text has surrogates that stand for no byte.
std::string bytesOfName(nb::handle text);

/// For people: bytes that are no UTF-8 are written as \xff.
nb::str messageFrom(std::string_view bytes);

} // namespace enfold::python

template <> struct nanobind::detail::type_caster<std::string> {
  NB_TYPE_CASTER(std::string, const_name("str"))

  bool from_python(handle text, uint32_t /*flags*/, cleanup_list* /*cleanup*/) noexcept {
    if (!str_check(text.ptr())) return false;
    try {
      value = enfold::python::bytesOfName(text);
      return true;
    } catch (python_error&) {
      return false;
    }
  }

  static handle from_cpp(const std::string& bytes, rv_policy /*policy*/,
                         cleanup_list* /*cleanup*/) noexcept {
    return enfold::python::nameFrom(bytes).release();
  }
};
