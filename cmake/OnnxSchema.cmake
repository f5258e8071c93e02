# enfold_onnx_schema: the classes that models are read and written with, which protoc makes of ONNX's
# schema. The schema is that of the onnx package; pip downloads it into the build folder, once.
# Without a network, ENFOLD_ONNX_PROTO names the file.

set(onnx_version 1.23.2)
set(onnx_wheel_sha256 7abf381d278f31ac62487fddedc9dd42da842dce94d5d43536836ee3efdf4a2b)
set(onnx_proto_sha256 8f39d0a1ae1abef5ca648922cdb06716d6bd1573c9e972b42854c16e9e352c16)

set(ENFOLD_ONNX_PROTO "" CACHE FILEPATH
  "onnx-ml.proto of the onnx package, ${onnx_version} or newer; downloaded when empty")

set(schema_dir ${PROJECT_BINARY_DIR}/onnx-schema)
set(package_dir ${schema_dir}/package)
set(published ${package_dir}/onnx/onnx-ml.proto)
set(schema ${schema_dir}/enfold/onnx-schema.proto)

# enfold_download_schema(): takes the schema out of the package, whose files are the same for all
# platforms.
function(enfold_download_schema)
  set(requirement ${schema_dir}/requirement.txt)
  file(WRITE ${requirement} "onnx==${onnx_version} --hash=sha256:${onnx_wheel_sha256}\n")
  find_package(Python3 REQUIRED COMPONENTS Interpreter)
  message(STATUS "Downloading the schema of ONNX ${onnx_version}")
  execute_process(COMMAND ${Python3_EXECUTABLE} -m venv ${schema_dir}/venv
    RESULT_VARIABLE failed OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT failed)
    execute_process(
      COMMAND ${schema_dir}/venv/bin/python -m pip download --quiet --disable-pip-version-check
        --no-deps --require-hashes --only-binary=:all: --platform manylinux_2_28_x86_64
        --implementation cp --python-version 3.12 --abi cp312 --abi abi3
        --dest ${schema_dir} --requirement ${requirement}
      RESULT_VARIABLE failed OUTPUT_VARIABLE output ERROR_VARIABLE output)
  endif()
  if(NOT failed)
    file(GLOB wheel ${schema_dir}/onnx-*.whl)
    execute_process(COMMAND ${CMAKE_COMMAND} -E tar xf ${wheel} onnx/onnx-ml.proto
      WORKING_DIRECTORY ${package_dir} RESULT_VARIABLE failed ERROR_VARIABLE output)
    file(REMOVE ${wheel})
  endif()
  file(REMOVE_RECURSE ${schema_dir}/venv)
  if(failed)
    message(FATAL_ERROR "The schema of ONNX cannot be downloaded:\n${output}\n"
      "Pass -DENFOLD_ONNX_PROTO=FILE, the file onnx/onnx-ml.proto of the Python package onnx "
      "${onnx_version} or newer.")
  endif()
endfunction()

if(ENFOLD_ONNX_PROTO)
  if(NOT EXISTS ${ENFOLD_ONNX_PROTO})
    message(FATAL_ERROR "ENFOLD_ONNX_PROTO: there is no file ${ENFOLD_ONNX_PROTO}")
  endif()
  set(published ${ENFOLD_ONNX_PROTO})
else()
  set(found "")
  if(EXISTS ${published})
    file(SHA256 ${published} found)
  endif()
  if(NOT found STREQUAL onnx_proto_sha256)
    file(MAKE_DIRECTORY ${package_dir})
    enfold_download_schema()
    file(SHA256 ${published} found)
    if(NOT found STREQUAL onnx_proto_sha256)
      message(FATAL_ERROR "${published} is not the schema of ONNX ${onnx_version}")
    endif()
  endif()
endif()
# Without the option for small code, messages have reflection, by which tests change any field.
file(READ ${published} text)
string(REPLACE "option optimize_for = LITE_RUNTIME;" "" text "${text}")
# A process has one registry of schemas, in libprotobuf. Other libraries in it, as PyTorch, register
# ONNX's under its own file and package; the second would end the process.
string(REPLACE "package onnx;" "package enfold.schema;" text "${text}")
file(CONFIGURE OUTPUT ${schema} CONTENT "${text}" @ONLY)

configure_file(${PROJECT_SOURCE_DIR}/lib/onnx/onnx-data.proto ${schema_dir}/enfold/onnx-data.proto
  COPYONLY)

set(generated ${schema_dir}/enfold/onnx-schema.pb.cc ${schema_dir}/enfold/onnx-schema.pb.h
  ${schema_dir}/enfold/onnx-data.pb.cc ${schema_dir}/enfold/onnx-data.pb.h)
add_custom_command(OUTPUT ${generated} DEPENDS ${schema} ${schema_dir}/enfold/onnx-data.proto
  COMMAND protobuf::protoc --proto_path=${schema_dir} --cpp_out=${schema_dir}
    enfold/onnx-schema.proto enfold/onnx-data.proto
  COMMENT "Generating the classes of ONNX's schema")
add_library(enfold_onnx_schema STATIC ${generated})
target_compile_options(enfold_onnx_schema PRIVATE -w -O1)
target_include_directories(enfold_onnx_schema SYSTEM PUBLIC $<BUILD_INTERFACE:${schema_dir}>)
target_link_libraries(enfold_onnx_schema PUBLIC protobuf::libprotobuf)
set_target_properties(enfold_onnx_schema PROPERTIES EXPORT_NAME onnx_schema)
install(TARGETS enfold_onnx_schema EXPORT enfoldCxxTargets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library)
