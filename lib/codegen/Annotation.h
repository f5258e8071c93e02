// What can be read in compiled files without loading them: the name of their function, and a text
// that travels inside, which says how they were made, for people and tools. The program does not
// read it. It has a section of its own, which linkers keep unless told to drop what nothing refers
// to.
#pragma once

#include "support/Result.h"

#include <filesystem>
#include <string>
#include <vector>

namespace enfold::codegen {

/// Of ELF files.
inline constexpr const char* kAnnotationSection = ".enfold.annotation";

/// The annotations of an object file, archive, shared library or program that were compiled by
/// enfold, one for each network. Fails on a file of another kind or without any.
Result<std::vector<std::string>> annotationsIn(const std::filesystem::path& path);

/// The name of the function of a shared library that gives its program: SYMBOL_program.
Result<std::string> programFunctionIn(const std::filesystem::path& path);

} // namespace enfold::codegen
