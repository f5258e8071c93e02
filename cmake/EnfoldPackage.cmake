# `cpack`: Debian packages, one for each component.
#   enfold              the command
#   libenfold-dev       both libraries with their headers
#   libenfold-runtime0  the shared library that programs with compiled models need

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME enfold)
set(CPACK_PACKAGE_CONTACT "The enfold authors <enfold@localhost>" CACHE STRING
  "Maintainer of packages")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "compiler of neural networks for CPUs")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL runtime library command)

set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

# enfold_debian_package(COMPONENT NAME SECTION section SUMMARY text [DEPENDS …] [RECOMMENDS …])
macro(enfold_debian_package component name)
  cmake_parse_arguments(ARG "" "SECTION;SUMMARY;DEPENDS;RECOMMENDS" "" ${ARGN})
  string(TOUPPER ${component} key)
  set(CPACK_DEBIAN_${key}_PACKAGE_NAME ${name})
  set(CPACK_DEBIAN_${key}_PACKAGE_SECTION ${ARG_SECTION})
  set(CPACK_DEBIAN_${key}_PACKAGE_DEPENDS "${ARG_DEPENDS}")
  set(CPACK_DEBIAN_${key}_PACKAGE_RECOMMENDS "${ARG_RECOMMENDS}")
  set(CPACK_COMPONENT_${key}_DESCRIPTION "${ARG_SUMMARY}")
  install(FILES ${PROJECT_SOURCE_DIR}/LICENSE RENAME copyright
    DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${name} COMPONENT ${component} EXCLUDE_FROM_ALL)
endmacro()

enfold_debian_package(runtime libenfold-runtime0 SECTION libs
  SUMMARY "runtime of compiled neural networks\n Programs linked with networks that enfold compiled need this library.")
enfold_debian_package(library libenfold-dev SECTION libdevel
  DEPENDS "libenfold-runtime0 (= ${PROJECT_VERSION})"
  RECOMMENDS "llvm-${LLVM_VERSION_MAJOR}-dev, libfmt-dev, libprotobuf-dev"
  SUMMARY "compiler of neural networks for CPUs, as a library\n C and C++ interfaces of the compiler and of the runtime.\n The recommended packages are needed by the interface in C++ alone.")
enfold_debian_package(command enfold SECTION devel
  RECOMMENDS "binutils | lld"
  SUMMARY "compiler of neural networks for CPUs\n Compiles networks from ONNX to native code; runs, measures and explains them.")

include(CPack)
