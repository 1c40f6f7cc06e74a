# How Tilth declares its modules and tests; every CMakeLists.txt below uses these two functions and nothing else of ours.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()

find_program(TILTH_CCACHE ccache)
if(TILTH_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${TILTH_CCACHE}")
  set(CMAKE_C_COMPILER_LAUNCHER "${TILTH_CCACHE}")
endif()
find_program(TILTH_MOLD mold)
if(TILTH_MOLD AND NOT CMAKE_CROSSCOMPILING)
  add_link_options(-fuse-ld=mold)
endif()

add_library(tilth_options INTERFACE)
target_include_directories(tilth_options INTERFACE "${CMAKE_SOURCE_DIR}" "${CMAKE_BINARY_DIR}")
target_compile_options(tilth_options INTERFACE -Wall -Wextra
  -Wno-missing-field-initializers  # options are structs with defaults, of which a caller names the few that differ
  $<$<BOOL:${TILTH_WERROR}>:-Werror>)
# g++ 12 reports every `string = "literal"` that it inlines (GCC bug 105651).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(tilth_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wno-restrict>)
endif()

# tilth_module(NAME SOURCES a.cc … DEPS x …): a static library `tilth_NAME`. Headers are found from the repository root.
function(tilth_module name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS" ${ARGN})
  add_library(tilth_${name} STATIC ${arg_SOURCES})
  target_link_libraries(tilth_${name} PUBLIC tilth_options ${arg_DEPS})
endfunction()

# tilth_tests(MODULE SOURCES a_test.cc … DEPS x …): one GoogleTest program `MODULE_tests`, each TEST a ctest entry.
function(tilth_tests module)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${module}_tests ${arg_SOURCES})
  target_link_libraries(${module}_tests PRIVATE tilth_options GTest::gtest GTest::gmock GTest::gtest_main ${arg_DEPS})
  target_compile_definitions(${module}_tests PRIVATE
    TILTH_SOURCE_DIR="${CMAKE_SOURCE_DIR}" TILTH_BINARY_DIR="${CMAKE_BINARY_DIR}")
  gtest_discover_tests(${module}_tests DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT 300)
endfunction()
