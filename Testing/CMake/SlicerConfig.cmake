# A small stand-in for the SlicerConfig.cmake of a Slicer build tree: enough to configure, build and install this
# extension without one. It is as strict as Slicer (unknown keywords, missing files) or stricter (metadata).
# It stands for Slicer's UseSlicer.cmake, SlicerMacroBuildScriptedModule.cmake, SlicerMacroPythonTesting.cmake,
# SlicerExtensionCPack.cmake, and CTK's ctkMacroCompilePythonScript.cmake.

set(Slicer_USE_FILE "${CMAKE_CURRENT_LIST_DIR}/UseSlicer.cmake")
set(Slicer_EXTENSION_GENERATE_CONFIG "${CMAKE_CURRENT_LIST_DIR}/SlicerExtensionMetadata.cmake")
set(Slicer_EXTENSION_CPACK "${CMAKE_CURRENT_LIST_DIR}/SlicerExtensionMetadata.cmake")

set(Slicer_USE_PYTHONQT ON)
set(Slicer_QTSCRIPTEDMODULES_LIB_DIR "lib/Slicer-5.12/qt-scripted-modules")
set(Slicer_INSTALL_QTSCRIPTEDMODULES_LIB_DIR "./${Slicer_QTSCRIPTEDMODULES_LIB_DIR}")
