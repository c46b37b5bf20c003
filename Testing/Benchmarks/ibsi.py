"""The engine against the reference values of IBSI 1: ``python Testing/Benchmarks/ibsi.py [--all]``.

For the digital phantom and the CT configurations A, B and C each value is compared with the reference and tolerance,
twice: as PyRadiomics' rules prepare the image (``hcc features`` with the parameter file of the configuration), and as
IBSI prescribes it (grid centred on the image, intensities rounded, mask interpolated and cut at one half, bins from the
lower end of the re-segmentation range, excess kurtosis, axis lengths with N - 1 degrees of freedom). The features are
computed by the same functions in both.

Without data in ``../shared/data/ibsi`` or ``$HCC_TEST_DATA`` there is nothing to compare with.
"""

from __future__ import annotations

import argparse
import csv
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from hccoutcome.radiomics.binning import bin_image
from hccoutcome.radiomics.classes import TextureSettings, compute_first_order, compute_shape, compute_texture
from hccoutcome.radiomics.extraction import extract_region
from hccoutcome.radiomics.features import FEATURES, TEXTURE_CLASSES
from hccoutcome.radiomics.settings import FeatureClass, RadiomicsSettings

DATA = Path(os.environ.get("HCC_TEST_DATA", Path(__file__).resolve().parents[3] / "shared" / "data")) / "ibsi"
Values = dict[str, float]


@dataclass(frozen=True)
class Configuration:
    """One of IBSI's: where its data and references lie, and how the image is processed."""

    name: str
    phantom: str
    references: str
    planar: bool
    spacing: tuple[float, ...] | None = None
    intensities: tuple[float, float] | None = None
    bin_width: float | None = None
    bin_count: int | None = None

    def parameters(self, merged: bool) -> RadiomicsSettings:
        """Return PyRadiomics' parameters that come nearest; ``merged``: one matrix of all directions."""
        values = {
            "resampledPixelSpacing": list(self.spacing) if self.spacing else None,
            "interpolator": "sitkLinear",
            "resegmentRange": list(self.intensities) if self.intensities else None,
            "binWidth": self.bin_width or 1,
            "binCount": self.bin_count,
            "force2D": self.planar,
            "weightingNorm": "no_weighting" if merged else None,
        }
        classes = tuple(
            FeatureClass(name, tuple(FEATURES[name]) if name == "shape" else ())
            for name in ("shape", "firstorder", *TEXTURE_CLASSES)
        )
        return replace(RadiomicsSettings.from_dict({"setting": values}), classes=classes)


CONFIGURATIONS = (
    Configuration("digital phantom, 3D", "ibsi_1_digital_phantom", "ibsi_1_dig_phantom.csv", False, bin_width=1),
    Configuration("digital phantom, 2.5D", "ibsi_1_digital_phantom", "ibsi_1_dig_phantom.csv", True, bin_width=1),
    Configuration(
        "configuration A, 2.5D",
        "ibsi_1_ct_radiomics_phantom",
        "ibsi_1_chest_config_a.csv",
        True,
        intensities=(-500, 400),
        bin_width=25,
    ),
    Configuration(
        "configuration B, 2.5D",
        "ibsi_1_ct_radiomics_phantom",
        "ibsi_1_chest_config_b.csv",
        True,
        spacing=(2, 2, 0),
        intensities=(-500, 400),
        bin_count=32,
    ),
    Configuration(
        "configuration C, 3D",
        "ibsi_1_ct_radiomics_phantom",
        "ibsi_1_chest_config_c.csv",
        False,
        spacing=(2, 2, 2),
        intensities=(-1000, 400),
        bin_width=25,
    ),
)


def read_phantom(configuration: Configuration) -> tuple[sitk.Image, sitk.Image]:
    folder = DATA / configuration.phantom
    image, mask = (sitk.ReadImage(str(folder / f"{name}.nii.gz")) for name in ("phantom", "mask"))
    mask.CopyInformation(image)
    return image, sitk.Cast(mask, sitk.sitkUInt8)


def read_references(configuration: Configuration) -> dict[str, tuple[float, float]]:
    """Return reference value and tolerance by tag."""
    with (DATA / "reference_values" / configuration.references).open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter=";")
        return {
            row["tag"]: (float(row["reference value"]), float(row["tolerance"]))
            for row in rows
            if row["reference value"]
        }


def tagged(found: dict[str, Values], merged: bool, planar: bool) -> Values:
    """Give features IBSI's tags: by slice with merged directions, and so on."""
    place = "2_5D" if planar else "3D"
    values = {}
    for group, features in found.items():
        for name, value in features.items():
            stem = FEATURES[group][name].ibsi
            if stem is None:
                continue
            if group in ("glcm", "glrlm"):
                values[f"{stem}_{place}_{'comb' if merged else 'avg'}"] = value
            else:
                values[f"{stem}_{place}" if group in TEXTURE_CLASSES else stem] = value
    return values


def by_pyradiomics_rules(configuration: Configuration) -> Values:
    """Compute all values with the parameter file of the configuration."""
    values: Values = {}
    for merged in (False, True):
        found: dict[str, Values] = {}
        for name, value in extract_region(*read_phantom(configuration), configuration.parameters(merged)).items():
            _, group, feature = name.split("_")
            found.setdefault(group, {})[feature] = value
        values |= tagged(found, merged, configuration.planar)
    return values


def by_ibsi_rules(configuration: Configuration) -> Values:
    """Compute all values from the image as IBSI prepares it."""
    image, mask = read_phantom(configuration)
    if configuration.spacing:
        image, mask = interpolated(image, mask, configuration.spacing)
    spacing = image.GetSpacing()[::-1]
    intensities, morphology = sitk.GetArrayFromImage(image), sitk.GetArrayFromImage(mask) > 0
    region = morphology.copy()
    if configuration.intensities:
        low, high = configuration.intensities
        region &= (intensities >= low) & (intensities <= high)
    levels = discretised(intensities, region, configuration)
    first_order = compute_first_order(intensities[region], levels[region], float(np.prod(spacing)))
    first_order["Kurtosis"] -= 3
    shape = compute_shape(morphology, spacing)
    voxels = int(morphology.sum())
    for axis in ("MajorAxisLength", "MinorAxisLength", "LeastAxisLength"):
        shape[axis] *= np.sqrt(voxels / (voxels - 1))
    values = tagged({"firstorder": first_order, "shape": shape}, False, configuration.planar)
    for merged in (False, True):
        settings = TextureSettings(
            spacing, weighting_norm="no_weighting" if merged else None, force_2d=configuration.planar
        )
        values |= tagged(compute_texture(levels, TEXTURE_CLASSES, settings), merged, configuration.planar)
    return values


def interpolated(image: sitk.Image, mask: sitk.Image, spacing: tuple[float, ...]) -> tuple[sitk.Image, sitk.Image]:
    """Resample linearly on the grid centred on the image; round intensities; cut the mask at one half."""
    old, size = np.array(image.GetSpacing()), np.array(image.GetSize())
    new = np.where(np.array(spacing) == 0, old, spacing)
    count = np.ceil(size * old / new).astype(int)
    first = ((size - 1) * old - (count - 1) * new) / 2 / old
    resampler = sitk.ResampleImageFilter()
    resampler.SetSize(count.tolist())
    resampler.SetOutputSpacing(new.tolist())
    resampler.SetOutputDirection(image.GetDirection())
    resampler.SetOutputOrigin(image.TransformContinuousIndexToPhysicalPoint(first.tolist()))
    resampler.SetInterpolator(sitk.sitkLinear)
    values = sitk.Round(resampler.Execute(sitk.Cast(image, sitk.sitkFloat64)))
    return values, resampler.Execute(sitk.Cast(mask, sitk.sitkFloat64)) >= 0.5


def discretised(
    values: NDArray[np.generic], region: NDArray[np.bool_], configuration: Configuration
) -> NDArray[np.int32]:
    """Return grey levels from 1 up: a number of bins, or bins of a width from the lower end of the range."""
    if configuration.bin_count:
        return bin_image(values, region, bin_count=configuration.bin_count)
    low = configuration.intensities[0] if configuration.intensities else 1
    levels = np.floor((values - low) / configuration.bin_width).astype(np.int32) + 1
    return np.where(region, levels, 0).astype(np.int32)


def within(value: float, reference: tuple[float, float]) -> bool:
    """Tell whether a value lies in the tolerance, once it is rounded as the reference is, to three digits."""
    expected, tolerance = reference
    digits = 2 - int(np.floor(np.log10(abs(expected)))) if expected else 12
    return abs(round(value, digits) - expected) <= tolerance * (1 + 1e-9) + 1e-12


def compare(configuration: Configuration, show_all: bool) -> Iterator[str]:
    references = read_references(configuration)
    theirs, ibsi = by_pyradiomics_rules(configuration), by_ibsi_rules(configuration)
    tags = [tag for tag in references if tag in theirs and tag in ibsi]
    hits = [sum(within(values[tag], references[tag]) for tag in tags) for values in (theirs, ibsi)]
    yield f"{configuration.name}: {len(tags)} values; by PyRadiomics' rules {hits[0]}, by IBSI's {hits[1]} in tolerance"
    for tag in tags:
        marks = [" " if within(values[tag], references[tag]) else "*" for values in (theirs, ibsi)]
        if show_all or "*" in marks:
            reference, tolerance = references[tag]
            yield (
                f"  {tag:32} {reference:12.6g} +-{tolerance:9.3g}  PyRadiomics' rules {theirs[tag]:12.6g}{marks[0]}"
                f"  IBSI's {ibsi[tag]:12.6g}{marks[1]}"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="print every value, not only those out of tolerance (*)")
    options = parser.parse_args()
    if not DATA.is_dir():
        parser.exit(2, f"The IBSI phantoms are not at hand: set HCC_TEST_DATA to a folder that holds {DATA.name}.\n")
    for configuration in CONFIGURATIONS:
        for line in compare(configuration, options.all):
            print(line)


if __name__ == "__main__":
    main()
