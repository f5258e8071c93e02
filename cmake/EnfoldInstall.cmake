# `cmake --install`: public headers, static libraries, the CMake package and the pkg-config file.
# The package has two halves, so that running compiled models needs neither LLVM nor protobuf:
# enfold::runtime, and enfold::enfold for compiling within a program.

include(CMakePackageConfigHelpers)

install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/enfold DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/enfold)
foreach(set enfoldRuntimeTargets enfoldCompilerTargets)
  install(EXPORT ${set} NAMESPACE enfold:: DESTINATION ${package_dir})
endforeach()
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/enfoldConfig.cmake.in
  ${PROJECT_BINARY_DIR}/enfoldConfig.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/enfoldConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/enfoldConfig.cmake ${PROJECT_BINARY_DIR}/enfoldConfigVersion.cmake
  DESTINATION ${package_dir})

# The file finds the prefix from its own place, so that the installed tree can be moved.
file(RELATIVE_PATH pc_to_prefix /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" pc_to_prefix ${pc_to_prefix})
configure_file(${CMAKE_CURRENT_LIST_DIR}/enfold-runtime.pc.in
  ${PROJECT_BINARY_DIR}/enfold-runtime.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/enfold-runtime.pc
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
