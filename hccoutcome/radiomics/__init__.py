"""Radiomic features by the definitions of PyRadiomics."""
