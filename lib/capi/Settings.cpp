// enfold_settings.
#include "capi/Handles.h"
#include "capi/Status.h"

#include <fmt/format.h>

using namespace enfold;

enfold_settings* enfold_new_settings(void) { return new (std::nothrow) enfold_settings; }

void enfold_free_settings(enfold_settings* settings) { delete settings; }

enfold_status enfold_set(enfold_settings* settings, const char* name, const char* value) {
  if (!settings || !name || !value)
    return capi::fail(ENFOLD_INVALID_ARGUMENT, "no settings, no name or no value");
  return capi::guarded([&] { return set(settings->settings, name, value); });
}

enfold_status enfold_set_initializer(enfold_settings* settings, const enfold_tensor* tensor) {
  if (!settings || !tensor || !tensor->name)
    return capi::fail(ENFOLD_INVALID_ARGUMENT, "no settings, no tensor or no name");
  return capi::guarded([&]() -> Result<> {
    ENFOLD_TRY(auto given, capi::tensorsOf(tensor, 1));
    auto& [name, value] = given.front();
    if (value.numBytes() > 0) value.mutableBytes(); // a copy of the caller's
    settings->settings.network.load.replacements.insert_or_assign(name, std::move(value));
    return {};
  });
}

const char* enfold_list_settings(void) {
  static const std::string text = [] {
    std::string lines;
    for (const SettingInfo& row : settingTable())
      lines += fmt::format("{}\t{}\t{}\n", row.name, row.values, row.meaning);
    return lines;
  }();
  return text.c_str();
}

void enfold_set_interrupt(enfold_settings* settings, int (*check)(void*), void* data) {
  if (!settings) return;
  settings->settings.network.compile.interrupted =
      check ? std::function([=] { return check(data) != 0; }) : std::function<bool()>();
}
