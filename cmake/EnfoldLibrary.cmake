# One rule for every room: a static library of all sources in its folder, with the project's
# include roots and warnings. Rooms state what they may use; dependencies point one way only.

add_library(enfold_flags INTERFACE)
target_include_directories(enfold_flags INTERFACE
  ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/lib ${PROJECT_SOURCE_DIR}/include)
# Messages name source files relative to the tree.
target_compile_options(enfold_flags INTERFACE -Wall -Wextra -Wno-missing-field-initializers
  -ffile-prefix-map=${PROJECT_SOURCE_DIR}/=)
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  # GCC's garbage collection takes a tenth of a compilation; a gigabyte (of KiB) is room for all.
  target_compile_options(enfold_flags INTERFACE
    $<$<COMPILE_LANGUAGE:CXX>:--param=ggc-min-heapsize=1048576>)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # GCC bug 105651: std::string's operator+ is taken for an overlapping or an endless copy.
  target_compile_options(enfold_flags INTERFACE
    $<$<COMPILE_LANGUAGE:CXX>:-Wno-array-bounds -Wno-restrict -Wno-stringop-overflow>)
endif()
if(ENFOLD_SANITIZE)
  target_compile_options(enfold_flags INTERFACE
    -fsanitize=${ENFOLD_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(enfold_flags INTERFACE -fsanitize=${ENFOLD_SANITIZE})
endif()

# For a folder of what runs once for a model, or prints: compiled fast rather than to be fast.
macro(enfold_compile_quickly)
  string(REPLACE "-O3" "-O1" CMAKE_CXX_FLAGS_RELEASE "${CMAKE_CXX_FLAGS_RELEASE}")
endmacro()

# enfold_precompile(TARGET [header…]): reads once the headers of the standard library and of fmt that
# most files include, and those named. Libraries that name the same share what the first one has read,
# and so do programs.
function(enfold_precompile target)
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    return() # other compilers demand the same macros of all users
  endif()
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-fpch-preprocess>)
  get_target_property(type ${target} TYPE) # libraries are compiled with -fPIC, programs with -fPIE
  string(MAKE_C_IDENTIFIER "enfold_precompiled_${type}_${ARGN}" property)
  get_property(first GLOBAL PROPERTY ${property})
  if(first)
    target_precompile_headers(${target} REUSE_FROM ${first})
    return()
  endif()
  set_property(GLOBAL PROPERTY ${property} ${target})
  target_precompile_headers(${target} PRIVATE <algorithm> <cmath> <cstring> <functional> <limits>
    <map> <memory> <numeric> <optional> <set> <span> <string> <unordered_map> <vector>
    <fmt/format.h> <fmt/ranges.h> ${ARGN})
endfunction()

# enfold_library(NAME [EXPORT_SET set] [USES lib…] [PRIVATE_USES lib…] [PRECOMPILE header…])
# The library is installed as enfold::NAME without its prefix, in the export set given.
function(enfold_library name)
  cmake_parse_arguments(ARG "" "EXPORT_SET" "USES;PRIVATE_USES;PRECOMPILE" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  if(sources)
    add_library(${name} STATIC ${sources})
    target_link_libraries(${name} PUBLIC $<BUILD_INTERFACE:enfold_flags> ${ARG_USES}
                                  PRIVATE ${ARG_PRIVATE_USES})
    if(NOT name STREQUAL enfold_runtime) # which includes none of them
      enfold_precompile(${name} ${ARG_PRECOMPILE})
    endif()
  else()
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE $<BUILD_INTERFACE:enfold_flags> ${ARG_USES})
  endif()
  target_include_directories(${name} INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)

  if(NOT ARG_EXPORT_SET)
    set(ARG_EXPORT_SET enfoldCxxTargets)
  endif()
  string(REPLACE enfold_ "" export_name ${name})
  set_target_properties(${name} PROPERTIES EXPORT_NAME ${export_name})
  install(TARGETS ${name} EXPORT ${ARG_EXPORT_SET}
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library)
endfunction()
