// Internal to the public C++ interface: its options and failures in the driver's terms.
#pragma once

#include "driver/Compiler.h"
#include "driver/Model.h"
#include "support/Memory.h"

#include <enfold/enfold.hpp>

namespace enfold {

Failure failure(const Error& error);

/// What body() results in, for callers of the public interface: no exception leaves it for want of
/// memory.
template <typename F> auto guarded(std::string_view doing, F&& body) {
  auto result = catchNoMemory(doing, std::forward<F>(body));
  using Answer = std::expected<typename decltype(result)::value_type, Failure>;
  if (!result) return Answer(std::unexpected(failure(result.error())));
  if constexpr (std::is_void_v<typename decltype(result)::value_type>)
    return Answer();
  else
    return Answer(*std::move(result));
}

LoadOptions loadOptions(const ModuleOptions& options);
CompileOptions compileOptions(const ModuleOptions& options);

inline bool keepsSubnormals(const ModuleOptions& options) {
  return options.subnormals == ModuleOptions::Subnormals::Keep;
}

} // namespace enfold
