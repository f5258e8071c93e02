// Which instruction sets this CPU and its operating system support, by the names that programs use.
#pragma once

namespace enfold::rt {

/// Checks a comma-separated list of names ("avx2", "avx512,avx512_bf16"; empty needs nothing).
/// Returns nullptr if this CPU has them all, else where in `names` the first missing or unknown
/// one begins.
const char* firstMissingFeature(const char* names);

} // namespace enfold::rt
