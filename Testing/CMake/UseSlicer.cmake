include(CTest)

# Copies scripts and resources into the build tree and installs the folder that they were copied to.
macro(slicerMacroBuildScriptedModule)
  cmake_parse_arguments(MY_SLICER "WITH_GENERIC_TESTS;WITH_SUBDIR;VERBOSE" "NAME" "SCRIPTS;RESOURCES" ${ARGN})
  message(STATUS "Configuring Scripted module: ${MY_SLICER_NAME}")

  if(MY_SLICER_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "Unknown keywords given to slicerMacroBuildScriptedModule(): \"${MY_SLICER_UNPARSED_ARGUMENTS}\"")
  endif()
  if(NOT DEFINED MY_SLICER_NAME)
    message(FATAL_ERROR "NAME is mandatory")
  endif()
  if(NOT MY_SLICER_SCRIPTS)
    message(FATAL_ERROR "SCRIPTS is mandatory")
  endif()

  set(_destination ${CMAKE_BINARY_DIR}/${Slicer_QTSCRIPTEDMODULES_LIB_DIR})
  set(_installed ${_destination}/)
  if(MY_SLICER_WITH_SUBDIR)
    get_filename_component(_folder ${CMAKE_CURRENT_SOURCE_DIR} NAME)
    set(_destination ${_destination}/${_folder})
    set(_installed ${_destination})
  endif()

  set(_copied)
  foreach(_file IN LISTS MY_SLICER_SCRIPTS MY_SLICER_RESOURCES)
    if(NOT EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${_file})
      message(FATAL_ERROR "slicerMacroBuildScriptedModule given nonexistent file or directory '${_file}'")
    endif()
    add_custom_command(
      OUTPUT ${_destination}/${_file}
      DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${_file}
      COMMAND ${CMAKE_COMMAND} -E copy ${CMAKE_CURRENT_SOURCE_DIR}/${_file} ${_destination}/${_file}
      )
    list(APPEND _copied ${_destination}/${_file})
  endforeach()
  add_custom_target(Copy${MY_SLICER_NAME}PythonFiles ALL DEPENDS ${_copied})
  install(DIRECTORY ${_installed} DESTINATION ${Slicer_INSTALL_QTSCRIPTEDMODULES_LIB_DIR} USE_SOURCE_PERMISSIONS)
endmacro()

# Without Slicer there is nothing to run the test with: only its file is checked.
macro(slicer_add_python_unittest)
  cmake_parse_arguments(MY "" "TESTNAME_PREFIX;SCRIPT" "SLICER_ARGS" ${ARGN})
  if(NOT EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${MY_SCRIPT})
    message(FATAL_ERROR "slicer_add_python_unittest given nonexistent file '${MY_SCRIPT}'")
  endif()
  add_test(NAME py_${MY_SCRIPT} COMMAND ${CMAKE_COMMAND} -E true)
endmacro()
