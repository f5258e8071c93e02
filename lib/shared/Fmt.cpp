// What is not in fmt's headers, for a library that must not need libfmt.so: Debian has no static
// one.
#include <fmt/format-inl.h>

// The templates that the rooms leave to the library: grouping of thousands, shortest decimals.
template auto fmt::detail::thousands_sep_impl<char>(locale_ref) -> thousands_sep_result<char>;
template auto fmt::detail::decimal_point_impl<char>(locale_ref) -> char;
template auto fmt::detail::dragonbox::to_decimal(float) noexcept -> decimal_fp<float>;
template auto fmt::detail::dragonbox::to_decimal(double) noexcept -> decimal_fp<double>;
template void fmt::detail::buffer<char>::append(const char*, const char*);
template auto fmt::detail::locale_ref::get<std::locale>() const -> std::locale;
