# One rule for every room: a static library of all sources in its folder, with the project's
# include roots and warnings. Rooms state what they may use; dependencies point one way only.

add_library(enfold_flags INTERFACE)
target_include_directories(enfold_flags INTERFACE
  ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/lib ${PROJECT_SOURCE_DIR}/include)
target_compile_options(enfold_flags INTERFACE -Wall -Wextra -Wno-missing-field-initializers)
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # GCC bug 105651: std::string's operator+ is taken for an overlapping copy.
  target_compile_options(enfold_flags INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wno-restrict>)
endif()
if(ENFOLD_SANITIZE)
  target_compile_options(enfold_flags INTERFACE
    -fsanitize=${ENFOLD_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(enfold_flags INTERFACE -fsanitize=${ENFOLD_SANITIZE})
endif()

# enfold_library(NAME [EXPORT_SET set] [USES lib…] [PRIVATE_USES lib…])
# The library is installed as enfold::NAME without its prefix, in the export set given.
function(enfold_library name)
  cmake_parse_arguments(ARG "" "EXPORT_SET" "USES;PRIVATE_USES" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  if(sources)
    add_library(${name} STATIC ${sources})
    target_link_libraries(${name} PUBLIC $<BUILD_INTERFACE:enfold_flags> ${ARG_USES}
                                  PRIVATE ${ARG_PRIVATE_USES})
  else()
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE $<BUILD_INTERFACE:enfold_flags> ${ARG_USES})
  endif()
  target_include_directories(${name} INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)

  if(NOT ARG_EXPORT_SET)
    set(ARG_EXPORT_SET enfoldCompilerTargets)
  endif()
  string(REPLACE enfold_ "" export_name ${name})
  set_target_properties(${name} PROPERTIES EXPORT_NAME ${export_name})
  install(TARGETS ${name} EXPORT ${ARG_EXPORT_SET} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
endfunction()
