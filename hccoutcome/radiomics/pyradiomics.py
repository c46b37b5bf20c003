"""PyRadiomics itself as an engine, where the package ``radiomics`` is installed (in Slicer: SlicerRadiomics)."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import SimpleITK as sitk

from hccoutcome.errors import EnvironmentNeeded
from hccoutcome.progress import Progress
from hccoutcome.radiomics.parameters import FIELDS
from hccoutcome.radiomics.settings import RadiomicsSettings


def is_available() -> bool:
    """Tell whether PyRadiomics is installed."""
    return find_spec("radiomics") is not None


def extract_region(
    image: sitk.Image, mask: sitk.Image, settings: RadiomicsSettings, progress: Progress
) -> dict[str, float]:
    """Return the features that PyRadiomics computes, under its names and in its order, without its diagnostics.

    Raises:
        EnvironmentNeeded: PyRadiomics, or what it needs for an image type, is missing.
    """
    module = _import(settings)
    progress(0.0, "Computes features with PyRadiomics")
    with _silence():
        extractor = configured(settings, module.RadiomicsFeatureExtractor)
    with _tolerance(module), _silence():
        found = extractor.execute(image, mask)
    progress(1.0, "Computes features with PyRadiomics")
    return {name: float(value) for name, value in found.items()}


def configured(settings: RadiomicsSettings, extractor_class: type) -> Any:
    """Return an extractor of PyRadiomics with all settings in force, without its own validation (done already)."""
    extractor = extractor_class()
    extractor.settings = _values(settings)
    extractor.enabledImagetypes = {
        kind.name: {key: _listed(value) for key, value in _by_key(dict(kind.overrides)).items()}
        for kind in settings.image_types
    }
    extractor.enabledFeatures = {group.name: list(group.named) for group in settings.classes}
    return extractor


def _import(settings: RadiomicsSettings) -> ModuleType:
    if not is_available():
        raise EnvironmentNeeded(
            "The engine 'pyradiomics' needs the package 'radiomics', which is not installed: install the extension "
            "SlicerRadiomics or choose the engine 'fast', which gives the same values."
        )
    with _silence():
        from radiomics import featureextractor
    kinds = {kind.name for kind in settings.image_types}
    if "LBP2D" in kinds and find_spec("skimage") is None:
        raise EnvironmentNeeded(
            "PyRadiomics needs scikit-image for the image type LBP2D: install it or choose the engine 'fast'."
        )
    if "LBP3D" in kinds and not _has_spherical_harmonics():
        raise EnvironmentNeeded(
            "PyRadiomics needs trimesh and SciPy before 1.17 for the image type LBP3D: choose the engine 'fast'."
        )
    return featureextractor


def _has_spherical_harmonics() -> bool:
    from scipy import special

    return hasattr(special, "sph_harm") and find_spec("trimesh") is not None


def _values(settings: RadiomicsSettings) -> dict[str, Any]:
    values = {key: _listed(value) for key, value in settings.parameters.to_dict().items()}
    values["additionalInfo"] = False
    return values


def _by_key(overrides: dict[str, Any]) -> dict[str, Any]:
    keys = {item.name: key for key, item in FIELDS.items()}
    return {keys[name]: value for name, value in overrides.items()}


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


@contextmanager
def _silence() -> Iterator[None]:
    """Keep PyRadiomics' log messages and warnings, which may name patients' files, from the output."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if is_available():
            import_module("radiomics")  # which sets the level of its logger
        logger = logging.getLogger("radiomics")
        before = logger.level
        logger.setLevel(logging.CRITICAL + 1)
        try:
            yield
        finally:
            logger.setLevel(before)


@contextmanager
def _tolerance(module: ModuleType) -> Iterator[None]:
    """Undo what ``geometryTolerance`` does to SimpleITK and PyRadiomics for the whole process."""
    process = sitk.ProcessObject
    coordinate, direction = process.GetGlobalDefaultCoordinateTolerance(), process.GetGlobalDefaultDirectionTolerance()
    try:
        yield
    finally:
        process.SetGlobalDefaultCoordinateTolerance(coordinate)
        process.SetGlobalDefaultDirectionTolerance(direction)
        vars(module)["geometryTolerance"] = None
