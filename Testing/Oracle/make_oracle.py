"""Write PyRadiomics' values of the stored cases to ``Testing/Python/radiomics/stored_oracle.json``.

    python Testing/Oracle/make_oracle.py

needs PyRadiomics 3.0.1 (which a compiler must build) and trimesh. The tests then hold the engine to these values where
neither can be installed.
"""

from __future__ import annotations

import json
import logging
import sys
import warnings
from importlib import metadata
from pathlib import Path
from typing import Any

import SimpleITK as sitk
from scipy import special

FOLDER = Path(__file__).resolve().parents[1] / "Python" / "radiomics"
sys.path.insert(0, str(FOLDER))
from stored_cases import CASES, STORED, case  # noqa: E402

from hccoutcome.radiomics.settings import RadiomicsSettings  # noqa: E402

SPHERES = ((0, 1.0), (1, 1.0), (2, 1.5))


def main() -> None:
    warnings.simplefilter("ignore")
    if not hasattr(special, "sph_harm"):  # the same function by the name that PyRadiomics knows
        special.sph_harm = lambda order, degree, azimuth, polar: special.sph_harm_y(degree, order, polar, azimuth)
    import radiomics  # noqa: F401 (sets the level of its logger)

    logging.getLogger("radiomics").setLevel(logging.CRITICAL + 1)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    packages = ("pyradiomics", "numpy", "scipy", "SimpleITK", "PyWavelets", "scikit-image", "trimesh")
    stored = {
        "made with": {name: metadata.version(name) for name in packages},
        "spheres": [[*sphere, corners(*sphere)] for sphere in SPHERES],
        "cases": {name: nested(values(*case(name))) for name in CASES},
    }
    lines = [
        f'{{"made with": {json.dumps(stored["made with"])},',
        f'"spheres": {json.dumps(stored["spheres"])},',
        '"cases": {',
    ]
    for name, images in stored["cases"].items():
        lines.append(f"{json.dumps(name)}: {{")
        lines += [f"{json.dumps(image)}: {json.dumps(classes)}," for image, classes in images.items()]
        lines[-1] = lines[-1][:-1] + "},"
    lines[-1] = lines[-1][:-1] + "}}"
    STORED.write_text("\n".join(lines) + "\n", encoding="utf-8")
    json.loads(STORED.read_text(encoding="utf-8"))


def corners(subdivisions: int, radius: float) -> list[list[float]]:
    from trimesh.creation import icosphere

    return icosphere(subdivisions, radius).vertices.tolist()


def values(image: sitk.Image, mask: sitk.Image, settings: RadiomicsSettings) -> dict[str, float]:
    """Run PyRadiomics itself, not through the engine's adapter."""
    from radiomics.featureextractor import RadiomicsFeatureExtractor

    found = RadiomicsFeatureExtractor(settings.to_dict()).execute(image, mask)
    return {name: float(value) for name, value in found.items() if not name.startswith("diagnostics_")}


def nested(features: dict[str, float]) -> dict[str, dict[str, dict[str, float]]]:
    """Take the names apart, so that the file stays small: image, class, feature."""
    tree: dict[str, dict[str, Any]] = {}
    for name, value in features.items():
        image, group, feature = name.split("_")
        tree.setdefault(image, {}).setdefault(group, {})[feature] = value
    return tree


if __name__ == "__main__":
    main()
