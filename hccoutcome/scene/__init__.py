"""Between plain data and the MRML scene: the only place that imports slicer and vtk."""
