"""Every limit of the quality table, with its reason."""

from __future__ import annotations

POSSIBLE_SPACING_MM = (0.05, 20.0)
"""No scanner has other voxels: outside of it the header is in another unit than mm."""
LARGEST_PIXEL_MM = 2.0
"""Pixels of liver CT and MRI are 0.6 to 1.6 mm wide; the published models resample to 1 mm."""
THICKEST_SLICE_MM = 5.0
"""LI-RADS 2018 asks for slices of at most 5 mm."""
LARGEST_ANISOTROPY = 8.0
"""5 mm slices with 0.65 mm pixels; beyond it, resampling to 1 mm invents most of what is measured."""
SHORTEST_COVERAGE_MM = 100.0
"""A liver is 130 to 200 mm high: a shorter stack cannot show all of it."""
ORTHONORMAL_TOLERANCE = 1e-3
"""Deviation of the direction matrix from a rotation that rounding in a header explains."""
OBLIQUE_DEGREES = 1.0
"""Smaller angles between an image axis and the body's are not called oblique."""

CT_LOWEST_HU, CT_HIGHEST_HU = -1100.0, 4095.0
"""Air is -1000 HU and detectors end at -1024; below lies padding. Above 12 bits lie metal or another unit."""
AIR_HU = -400.0
"""Below it: gas, lung and the air around the body, which every whole CT slice shows."""
SOFT_TISSUE_HU = (-20.0, 200.0)
"""Organs and muscle, before and after contrast."""
LEAST_SOFT_TISSUE = 0.05
"""Part of the voxels; an abdomen has 20 to 40 %."""
LEAST_AIR = 0.001
"""Part of the voxels; whole slices have far more, a crop inside the body none."""
MR_NEGATIVE_PART = 0.02
"""MR magnitudes are 0 and above; interpolation leaves ripples of at most this part of the 99th percentile."""
NORMALISED_SPAN = 20.0
"""A whole range of grey levels narrower than this was scaled before (z-scores, 0 to 1)."""
MOST_CLIPPED = 0.002
"""Part of the voxels at the very maximum; more means saturation or an export with a display window."""

FEWEST_VOXELS = 64
"""Texture matrices of fewer voxels (4 x 4 x 4) are mostly empty."""
LIVER_ML = (500.0, 4500.0)
"""Healthy livers have 1,100 to 1,900 mL; resection, cirrhosis and tumours widen the range."""
SPECK_VOXELS = 8
"""Separate pieces of a mask this small are slips of the brush."""
MOST_BACKGROUND = 0.05
"""Part of a region in air or background that partial volume at a lung border explains."""
MOSTLY = 0.5
"""A region that lies in air, or a tumour outside the liver, by more than half was outlined on another image."""
SHELL_VOXELS = 2
LEAST_LIVER_AROUND = 0.2
"""Part of the voxels around a tumour that are liver where the liver was outlined without it; under the capsule it is
less than half."""
MR_BACKGROUND_PART = 0.02
"""MR voxels below this part of the 99th percentile are background."""
MOST_TUMOR_OUTSIDE_LIVER = 0.10
"""Part of the tumour outside the liver's mask that two people's outlines explain."""
LIVER_HU = (-100.0, 300.0)
"""No liver's median leaves it: the fattest have about -40 HU, enhanced ones at low tube voltage below 200 HU."""
LIVER_ENHANCEMENT_HU = 10.0
"""The portal vein feeds three quarters of the liver, so liver is brightest in the portal phase; a phase that is
brighter than the portal one by more than noise of the median and timing explain was probably confused with it."""
