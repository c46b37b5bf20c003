"""Every value that a PyRadiomics parameter file can set, with its type, range and default.

The names, types and ranges are those of PyRadiomics' ``paramSchema.yaml``; the defaults are those of its code (where
its documentation differs, as for ``lbp2DSamples``, the code counts).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from hccoutcome.errors import InputError, nearest

INTERPOLATORS = (
    "sitkNearestNeighbor",
    "sitkLinear",
    "sitkBSpline",
    "sitkGaussian",
    "sitkLabelGaussian",
    "sitkHammingWindowedSinc",
    "sitkCosineWindowedSinc",
    "sitkWelchWindowedSinc",
    "sitkLanczosWindowedSinc",
    "sitkBlackmanWindowedSinc",
)
"""SimpleITK's interpolators; a parameter file may also give the number, counted from 1."""

Check = Callable[[Any], Any]
"""Returns the value as it is kept; raises ValueError with what was expected."""


def _number(kind: type, low: float | None = None, above: float | None = None, high: float | None = None) -> Check:
    """Return a check for an int or float: at least ``low``, more than ``above``, at most ``high``."""
    limits = [f"at least {low:g}"] if low is not None else []
    limits += [f"above {above:g}"] if above is not None else []
    limits += [f"at most {high:g}"] if high is not None else []
    wanted = " ".join(["a whole number" if kind is int else "a number", " and ".join(limits)]).strip()

    def check(value: Any) -> Any:
        number = _as_float(value) if kind is float else value
        if isinstance(number, bool) or not isinstance(number, int if kind is int else (int, float)):
            raise ValueError(wanted)
        low_ok = (low is None or number >= low) and (above is None or number > above)
        if not low_ok or (high is not None and number > high) or (limits and not math.isfinite(number)):
            raise ValueError(wanted)
        return number

    return check


def _as_float(value: Any) -> Any:
    """Read a number written as text ('1e-06', 'nan'), as PyRadiomics' schema allows; leave everything else."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _flag(value: Any) -> bool:
    if value is None:
        return False
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


def _many(check: Check, sizes: tuple[int, ...] = (), wanted: str = "a list of numbers", fewest: int = 0) -> Check:
    """Return a check for a list of which each item passes ``check``, with an allowed or least number of items."""

    def check_all(values: Any) -> tuple[Any, ...]:
        if not isinstance(values, list | tuple) or len(values) < fewest or (sizes and len(values) not in sizes):
            raise ValueError(wanted)
        try:
            return tuple(check(value) for value in values)
        except ValueError as error:
            raise ValueError(f"{wanted}, each {error}") from error

    return check_all


def _choice(*known: str) -> Check:
    def check(value: Any) -> str:
        if value not in known:
            raise ValueError(f"one of {', '.join(known)}")
        return value

    return check


def _interpolator(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= len(INTERPOLATORS):
        return INTERPOLATORS[value - 1]
    return _choice(*INTERPOLATORS)(value)


def _wavelet(value: Any) -> str:
    import pywt  # kept out of the module so that reading settings stays light

    if value not in pywt.wavelist(kind="discrete"):
        raise ValueError("a discrete wavelet that PyWavelets knows, such as coif1, db4 or bior2.2")
    return value


def _optional(check: Check) -> Check:
    return lambda value: None if value is None else check(value)


def _key(key: str, default: Any, check: Check) -> Any:
    return field(default=default, metadata={"key": key, "check": check})


@dataclass(frozen=True)
class Parameters:
    """The values of the sections ``setting`` and ``voxelSetting``; the comments state unit and meaning.

    Numbers keep the type they were written with: a sigma of ``4`` names its image ``log-sigma-4-mm-3D``, one of ``4.0``
    ``log-sigma-4-0-mm-3D``, and a whole bin width bins whole-number images in whole numbers.
    """

    # The region
    minimum_roi_dimensions: int = _key("minimumROIDimensions", 2, _number(int, 1, high=3))
    minimum_roi_size: int | None = _key("minimumROISize", None, _optional(_number(int, above=0)))  # voxels, exclusive
    geometry_tolerance: float | None = _key("geometryTolerance", None, _optional(_number(float, above=0)))
    correct_mask: bool = _key("correctMask", False, _flag)
    additional_info: bool = _key("additionalInfo", True, _flag)  # changes no feature
    label: int = _key("label", 1, _number(int, above=0))
    label_channel: int = _key("label_channel", 0, _number(int, 0))
    # Grey levels
    bin_width: float = _key("binWidth", 25, _number(float, above=0))  # intensity units
    bin_count: int | None = _key("binCount", None, _optional(_number(int, above=0)))
    normalize: bool = _key("normalize", False, _flag)
    normalize_scale: float = _key("normalizeScale", 1, _number(float, above=0))
    remove_outliers: float | None = _key("removeOutliers", None, _optional(_number(float, above=0)))  # deviations
    # Grid
    resampled_pixel_spacing: tuple[float, ...] | None = _key(
        "resampledPixelSpacing", None, _optional(_many(_number(float, 0), (2, 3), "a list of one spacing per axis"))
    )  # mm, x y z; 0 keeps the mask's
    interpolator: str | None = _key("interpolator", "sitkBSpline", _optional(_interpolator))
    pad_distance: int = _key("padDistance", 5, _number(int, 0))  # voxels
    pre_crop: bool = _key("preCrop", False, _flag)
    # Resegmentation
    resegment_range: tuple[float, ...] | None = _key(
        "resegmentRange", None, _optional(_many(_number(float), (1, 2), "a list of one or two thresholds"))
    )
    resegment_mode: str = _key("resegmentMode", "absolute", _choice("absolute", "relative", "sigma"))
    resegment_shape: bool = _key("resegmentShape", False, _flag)
    # Matrices
    distances: tuple[int, ...] = _key(
        "distances", (1,), _many(_number(int, above=0), wanted="a list of one distance or more", fewest=1)
    )  # voxels; one that stands twice counts as in PyRadiomics, see ``neighbour_steps``
    force_2d: bool = _key("force2D", False, _flag)
    force_2d_dimension: int = _key("force2Ddimension", 0, _number(int, 0, high=2))  # array axis z, y, x
    voxel_array_shift: int = _key("voxelArrayShift", 0, _number(int))
    symmetrical_glcm: bool = _key("symmetricalGLCM", True, _flag)
    weighting_norm: str | None = _key(
        "weightingNorm", None, _optional(_choice("euclidean", "manhattan", "infinity", "no_weighting"))
    )
    gldm_a: int = _key("gldm_a", 0, _number(int, 0))
    # Filters
    sigma: tuple[float, ...] = _key("sigma", (), _many(_number(float, above=0)))  # mm
    start_level: int = _key("start_level", 0, _number(int, 0))
    level: int = _key("level", 1, _number(int, above=0))
    wavelet: str = _key("wavelet", "coif1", _wavelet)
    gradient_use_spacing: bool = _key("gradientUseSpacing", True, _flag)
    lbp_2d_radius: float = _key("lbp2DRadius", 1, _number(float, above=0))  # pixels
    lbp_2d_samples: int = _key("lbp2DSamples", 8, _number(int, 1))
    lbp_2d_method: str = _key("lbp2DMethod", "uniform", _choice("default", "ror", "uniform", "var"))
    lbp_3d_levels: int = _key("lbp3DLevels", 2, _number(int, 1))
    lbp_3d_icosphere_radius: float = _key("lbp3DIcosphereRadius", 1, _number(float, above=0))  # voxels
    lbp_3d_icosphere_subdivision: int = _key("lbp3DIcosphereSubdivision", 1, _number(int, 0))
    # Voxel maps
    kernel_radius: int = _key("kernelRadius", 1, _number(int, above=0))
    masked_kernel: bool = _key("maskedKernel", True, _flag)
    init_value: float = _key("initValue", 0, _number(float))
    voxel_batch: int = _key("voxelBatch", -1, _number(int, above=0))

    def __post_init__(self) -> None:
        """Check what was not left at its default, as for a parameter file.

        Raises:
            InputError: a value of a wrong type or out of its range.
        """
        for item in fields(self):
            value = getattr(self, item.name)
            if value is not item.default:
                object.__setattr__(self, item.name, _checked(item.metadata["key"], value, "Parameters"))

    def to_dict(self) -> dict[str, Any]:
        """Return every value under PyRadiomics' own key."""
        return {item.metadata["key"]: getattr(self, item.name) for item in fields(self)}


FIELDS = {item.metadata["key"]: item for item in fields(Parameters)}
VOXEL_KEYS = ("kernelRadius", "maskedKernel", "initValue", "voxelBatch")
SETTING_KEYS = tuple(key for key in FIELDS if key not in VOXEL_KEYS)


def parse(section: Mapping[str, Any] | None, where: str, known: tuple[str, ...] = SETTING_KEYS) -> dict[str, Any]:
    """Check one section of a parameter file.

    Args:
        section: keys and values as read; None counts as empty.
        where: the section's name for error messages, e.g. ``setting``.
        known: the keys that may stand there.

    Returns:
        Checked values by field name of ``Parameters``.

    Raises:
        InputError: an unknown key, a wrong type or a value out of range.
    """
    if section is None:
        return {}
    if not isinstance(section, Mapping):
        raise InputError(f"The section '{where}' holds keys and values, found {section!r}: write it as 'key: value'.")
    if section.get("binWidth", 0) is None and section.get("binCount") is not None:  # the count goes before the width
        section = {key: value for key, value in section.items() if key != "binWidth"}
    return {FIELDS[_known(key, where, known)].name: _checked(key, value, where) for key, value in section.items()}


def _known(key: str, where: str, known: tuple[str, ...]) -> str:
    if key in known:
        return key
    if key in FIELDS:
        home = "voxelSetting" if key in VOXEL_KEYS else "setting"
        raise InputError(f"'{key}' stands in the section '{home}', found in '{where}': move it there.")
    raise InputError(f"PyRadiomics knows no key '{key}' in '{where}': {nearest(key, known)}.")


def _checked(key: str, value: Any, where: str) -> Any:
    try:
        return FIELDS[key].metadata["check"](value)
    except ValueError as error:
        raise InputError(f"'{key}' in '{where}' expects {error}, found {value!r}: correct the value.") from error
