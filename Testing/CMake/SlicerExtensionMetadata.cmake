# What the Extensions Index wants of an extension's top CMakeLists.txt.
foreach(_name HOMEPAGE CATEGORY CONTRIBUTORS DESCRIPTION ICONURL SCREENSHOTURLS DEPENDS)
  if(NOT EXTENSION_${_name})
    message(FATAL_ERROR "EXTENSION_${_name} is not set")
  endif()
endforeach()
if(PROJECT_NAME MATCHES "^Slicer")
  message(FATAL_ERROR "The extension's name '${PROJECT_NAME}' must not start with 'Slicer'")
endif()
