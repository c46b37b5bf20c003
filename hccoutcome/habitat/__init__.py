"""Habitats: parts of a tumour whose voxels behave alike over phases or sequences, found by clustering."""
