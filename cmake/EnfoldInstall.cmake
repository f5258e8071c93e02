# `cmake --install`: public headers, libraries, the CMake package and the pkg-config files. Whatever is
# installed can be moved. It comes in three components: `runtime` is what compiled models need,
# `library` what programs that compile models are built with, and `command` the command.

include(CMakePackageConfigHelpers)

install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/enfold
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT library)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/enfold)
foreach(set enfoldRuntimeTargets enfoldCompilerTargets enfoldCxxTargets)
  install(EXPORT ${set} NAMESPACE enfold:: DESTINATION ${package_dir} COMPONENT library)
endforeach()
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/enfoldConfig.cmake.in
  ${PROJECT_BINARY_DIR}/enfoldConfig.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/enfoldConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/enfoldConfig.cmake ${PROJECT_BINARY_DIR}/enfoldConfigVersion.cmake
  DESTINATION ${package_dir} COMPONENT library)

# enfold_pkg_config(NAME LIBRARY library DESCRIPTION text [STATIC flags]): NAME.pc, which finds the
# prefix from its own place. STATIC is what a static library needs beside it.
function(enfold_pkg_config name)
  cmake_parse_arguments(pc "" "LIBRARY;DESCRIPTION;STATIC" "" ${ARGN})
  file(RELATIVE_PATH pc_to_prefix ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
  string(REGEX REPLACE "/$" "" pc_to_prefix ${pc_to_prefix})
  set(pc_libdir "\${prefix}")
  cmake_path(APPEND pc_libdir "${CMAKE_INSTALL_LIBDIR}")
  set(pc_includedir "\${prefix}")
  cmake_path(APPEND pc_includedir "${CMAKE_INSTALL_INCLUDEDIR}")
  configure_file(${CMAKE_CURRENT_FUNCTION_LIST_DIR}/enfold.pc.in ${PROJECT_BINARY_DIR}/${name}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/${name}.pc
    DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT library)
endfunction()

enfold_pkg_config(enfold LIBRARY enfold
  DESCRIPTION "Compiles neural networks from ONNX to native code, and runs them")
enfold_pkg_config(enfold-runtime LIBRARY enfold_runtime STATIC "-lpthread -lm"
  DESCRIPTION "Runs neural networks compiled by enfold")
