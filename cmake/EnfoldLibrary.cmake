# One rule for every room: a static library of all sources in its folder, with the project's
# include roots and warnings. Rooms state what they may use; dependencies point one way only.

add_library(enfold_flags INTERFACE)
target_include_directories(enfold_flags INTERFACE
  ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/lib ${PROJECT_SOURCE_DIR}/include)
target_compile_options(enfold_flags INTERFACE -Wall -Wextra -Wno-missing-field-initializers)
if(ENFOLD_SANITIZE)
  target_compile_options(enfold_flags INTERFACE
    -fsanitize=${ENFOLD_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(enfold_flags INTERFACE -fsanitize=${ENFOLD_SANITIZE})
endif()

# enfold_library(NAME [USES lib…] [PRIVATE_USES lib…])
function(enfold_library name)
  cmake_parse_arguments(ARG "" "" "USES;PRIVATE_USES" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  if(NOT sources)
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE enfold_flags ${ARG_USES})
    return()
  endif()
  add_library(${name} STATIC ${sources})
  target_link_libraries(${name} PUBLIC enfold_flags ${ARG_USES} PRIVATE ${ARG_PRIVATE_USES})
endfunction()
