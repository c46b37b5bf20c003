"""Write feature maps to files, with one table of what each is and how it came about.

The files are NRRD: readers of NIfTI (ITK's, and so Slicer's) turn the NaN outside a region into 0.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from hccoutcome.files import sha256_of, write_atomically, write_json
from hccoutcome.radiomics.extraction import provenance
from hccoutcome.radiomics.maps import FeatureMap
from hccoutcome.radiomics.settings import RadiomicsSettings

SUMMARY_FILE = "maps.json"


def write_map(found: FeatureMap, folder: Path) -> dict[str, Any]:
    """Write one map as ``<name>.nrrd`` into an existing folder; return its row of the summary.

    Raises:
        EnvironmentNeeded: the folder cannot be written to.
    """
    path = folder / f"{found.name}.nrrd"
    write_atomically(path, lambda partial: sitk.WriteImage(found.image, str(partial), useCompression=True))
    image_type, name, feature = found.name.radiomic.split("_", 2)
    return {
        "name": str(found.name),
        "file": path.name,
        "sha256": sha256_of(path),
        "phase": found.name.phase,
        "region": found.name.region,
        "image_type": image_type,
        "class": name,
        "feature": feature,
        "computed_on": found.computed_on,
        **statistics_of(found),
    }


def statistics_of(found: FeatureMap) -> dict[str, Any]:
    """Return the number of voxels, of those without a value, and least, greatest and mean value (None without any)."""
    known = found.values[np.isfinite(found.values)]
    numbers = (known.min(), known.max(), known.mean()) if known.size else (None, None, None)
    least, greatest, mean = (None if number is None else float(number) for number in numbers)
    return {
        "voxels": int(found.values.size),
        "undefined": int(found.values.size - known.size),
        "min": least,
        "max": greatest,
        "mean": mean,
    }


def summary(
    rows: Sequence[Mapping[str, Any]],
    settings: RadiomicsSettings,
    inputs: Mapping[str, str],
) -> dict[str, Any]:
    """Return what it takes to make the same maps again, and one row for each. Plain data for JSON.

    Args:
        rows: From :func:`write_map`.
        settings: What was in force, kernel included.
        inputs: SHA256 of what was read, by ``image:<phase>`` and ``mask:<region>``.
    """
    return {
        "maps": [dict(row) for row in rows],
        "inputs": dict(inputs),
        **provenance(settings),
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }


def write_summary(folder: Path, data: Mapping[str, Any]) -> Path:
    """Write the summary of the maps in a folder."""
    return write_json(folder / SUMMARY_FILE, dict(data))
