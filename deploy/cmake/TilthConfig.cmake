# The CMake package of Tilth: builds model libraries as part of your build.
#
#   find_package(Tilth REQUIRED)
#   tilth_add_model(faces MODEL faces.onnx LOG tuning.db THREADS 2)
#   target_link_libraries(app PRIVATE faces)        # and #include "faces.h"
#
# The library is built again when the model or the log changes. TILTH_EXECUTABLE names the `tilth` program; by default it
# is the one of this installation.
if(NOT TILTH_EXECUTABLE)
  find_program(TILTH_EXECUTABLE tilth HINTS "${CMAKE_CURRENT_LIST_DIR}/../../../bin")
endif()
if(NOT TILTH_EXECUTABLE)
  set(Tilth_FOUND FALSE)
  set(Tilth_NOT_FOUND_MESSAGE "there is no program tilth; set TILTH_EXECUTABLE to its path")
  return()
endif()

# tilth_add_model(NAME MODEL file.onnx [LOG tuning.db] [TARGET preset] [THREADS n] [DIMS name=value …] [STRICT])
#
# Adds the shared library target NAME: libNAME.so for TARGET (default: native), with NAME.h in its include directories.
# STRICT fails the build if the log lacks a kernel. The files land in ${CMAKE_CURRENT_BINARY_DIR}/NAME.tilth.
function(tilth_add_model name)
  cmake_parse_arguments(arg "STRICT" "MODEL;LOG;TARGET;THREADS" "DIMS" ${ARGN})
  if(NOT arg_MODEL)
    message(FATAL_ERROR "tilth_add_model(${name}): MODEL is missing; name the ONNX file")
  endif()
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "tilth_add_model(${name}): unknown arguments ${arg_UNPARSED_ARGUMENTS}")
  endif()
  get_filename_component(model "${arg_MODEL}" ABSOLUTE)
  set(directory "${CMAKE_CURRENT_BINARY_DIR}/${name}.tilth")
  set(command "${TILTH_EXECUTABLE}" build "${model}" -o "${directory}" --name "${name}")
  set(inputs "${model}" "${TILTH_EXECUTABLE}")
  if(arg_LOG)
    get_filename_component(log "${arg_LOG}" ABSOLUTE)
    list(APPEND command --log "${log}")
    list(APPEND inputs "${log}")
  endif()
  if(arg_TARGET)
    list(APPEND command --target "${arg_TARGET}")
  endif()
  if(arg_THREADS)
    list(APPEND command --threads "${arg_THREADS}")
  endif()
  foreach(dimension IN LISTS arg_DIMS)
    list(APPEND command --dim "${dimension}")
  endforeach()
  if(arg_STRICT)
    list(APPEND command --strict)
  endif()

  add_custom_command(
    OUTPUT "${directory}/lib${name}.so" "${directory}/${name}.h" "${directory}/manifest.json"
    COMMAND ${command}
    DEPENDS ${inputs}
    COMMENT "Building the model library ${name}"
    VERBATIM)
  add_custom_target(${name}_tilth_build DEPENDS "${directory}/lib${name}.so")
  file(MAKE_DIRECTORY "${directory}") # an include directory must be there when the build is configured
  add_library(${name} SHARED IMPORTED GLOBAL)
  set_target_properties(${name} PROPERTIES
    IMPORTED_LOCATION "${directory}/lib${name}.so"
    IMPORTED_NO_SONAME TRUE
    INTERFACE_INCLUDE_DIRECTORIES "${directory}")
  add_dependencies(${name} ${name}_tilth_build)
endfunction()
