"""A strict stand-in for the parts of the Slicer application that slicer-core lacks: see README.md beside it."""
