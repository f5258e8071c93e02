// Reports as one HTML file each, which needs nothing else to be looked at: tools/report has the
// page that they are written into.
#pragma once

#include "diagnose/Json.h"

#include <filesystem>

namespace enfold::diagnose {

/// The page of a report, given as JSON. With a second report that is not null, both are compared.
std::string reportPage(Json report, Json against);

/// The report that such a page shows, for another page.
Result<Json> readReportPage(const std::filesystem::path& path);

} // namespace enfold::diagnose
