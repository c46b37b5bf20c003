"""Radiomic features by the definitions of PyRadiomics."""

from pathlib import Path

from hccoutcome.radiomics.kernelcache import drop_stale_kernels

drop_stale_kernels(Path(__file__).parent)
