# cmake -D INPUT=FILE -D OUTPUT=FILE.cpp -D NAME=ns::kName -P EmbedFile.cmake
# The bytes of a file as a constant std::string_view of C++.
string(REGEX MATCH "(.*)::([A-Za-z]+)$" match "${NAME}")
set(namespace ${CMAKE_MATCH_1})
set(variable ${CMAKE_MATCH_2})
file(READ "${INPUT}" bytes HEX)
string(REGEX REPLACE "(................................)" "\\1\n" bytes "${bytes}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${bytes}")
file(WRITE "${OUTPUT}" "#include <string_view>
namespace ${namespace} {
static constexpr char kBytes[] = {
${bytes}
};
extern const std::string_view ${variable};
const std::string_view ${variable}{kBytes, sizeof kBytes};
}
")
