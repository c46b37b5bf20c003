"""How images are prepared before anything is measured in them, as plain settings of a model package."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from hccoutcome.case import canonical_phase, canonical_region
from hccoutcome.errors import InputError, nearest
from hccoutcome.imaging.resample import INTERPOLATORS, Interpolation

REGISTRATIONS = ("none", "rigid", "deformable")
NORMALISATIONS = ("none", "zscore", "minmax", "window")
Pair = tuple[float, float]


@dataclass(frozen=True)
class Preparation:
    """The steps from a case's images to those that are measured, in the order of their execution.

    Attributes:
        bias_correction: N4 on every image (MR only).
        spacing: voxel size in mm for all images, along x, y, z; 0 keeps an image's own along that axis. None leaves
            the grids as they are.
        interpolation: ``"bspline"`` (order 3) or ``"linear"``, for images; masks go to the nearest neighbour.
        registration: ``"none"``, ``"rigid"`` or ``"deformable"`` registration to the reference phase; all images then
            lie on its grid, and so does every mask.
        reference_phase: phase to register to, on which the regions were outlined.
        registration_region: region around which the match counts (20 mm margin), e.g. ``"liver"``; None for all of
            the image.
        normalisation: ``"none"``; ``"zscore"`` over the whole image (PyRadiomics' ``normalize``); ``"minmax"`` to
            ``output_range`` over the whole image; ``"window"`` clips to ``window`` and, where ``output_range`` is
            given, scales to it.
        scale: of the z-score (PyRadiomics' ``normalizeScale``).
        outliers: z-scores are cut at so many deviations (PyRadiomics' ``removeOutliers``); None cuts none.
        window: lowest and highest grey level kept, e.g. (-50, 350) HU.
        output_range: grey levels after ``"minmax"`` (0 to 255 where None) or ``"window"`` (unscaled where None).
    """

    bias_correction: bool = False
    spacing: tuple[float, float, float] | None = None
    interpolation: Interpolation = "bspline"
    registration: Literal["none", "rigid", "deformable"] = "none"
    reference_phase: str | None = None
    registration_region: str | None = None
    normalisation: Literal["none", "zscore", "minmax", "window"] = "none"
    scale: float = 1.0
    outliers: float | None = None
    window: Pair | None = None
    output_range: Pair | None = None

    def __post_init__(self) -> None:
        if self.registration != "none" and self.reference_phase is None:
            raise InputError(
                f"A {self.registration} registration needs the phase to register to, found none: set 'reference_phase'."
            )
        if self.registration_region is not None and self.registration == "none":
            raise InputError("'registration_region' is only used by a registration, found none: set 'registration'.")
        if self.normalisation == "window" and self.window is None:
            raise InputError("The normalisation 'window' needs its lowest and highest value, found none: set 'window'.")
        if self.window is not None and self.normalisation != "window":
            raise InputError(
                f"A window is only used by the normalisation 'window', found '{self.normalisation}': "
                "set 'normalisation' or leave the window out."
            )

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Preparation:
        """Return the preparation that a package's JSON states; what it leaves out takes its default.

        Raises:
            InputError: an unknown setting (the message names the nearest one) or a value that it cannot have.
        """
        known = [field.name for field in fields(cls)]
        for name in data:
            if name not in known:
                raise InputError(f"'{name}' is not a known setting of the preparation; {nearest(name, known)}.")
        return cls(**{name: _READERS[name](name, value) for name, value in data.items()})

    def to_dict(self) -> dict[str, Any]:
        """Return JSON data that ``from_dict`` reads."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


def _wrong(name: str, expected: str, value: Any) -> InputError:
    return InputError(f"The setting '{name}' of the preparation is {expected}, found {value!r}: correct it.")


def _truth(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise _wrong(name, "true or false", value)
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _positive(name: str, value: Any) -> float:
    if not _is_number(value) or value <= 0:
        raise _wrong(name, "a number above 0", value)
    return float(value)


def _optional_positive(name: str, value: Any) -> float | None:
    return None if value is None else _positive(name, value)


def _pair(name: str, value: Any) -> Pair | None:
    if value is None:
        return None
    if (
        not isinstance(value, list | tuple)
        or len(value) != 2
        or not all(map(_is_number, value))
        or value[0] >= value[1]
    ):
        raise _wrong(name, "a lower and a higher number", value)
    return float(value[0]), float(value[1])


def _spacing(name: str, value: Any) -> tuple[float, float, float] | None:
    if value is None:
        return None
    numbers = [value] * 3 if _is_number(value) else value
    if not isinstance(numbers, list | tuple) or len(numbers) != 3 or not all(_is_number(n) and n >= 0 for n in numbers):
        raise _wrong(name, "a length in mm or three of them (0 keeps the image's own)", value)
    return float(numbers[0]), float(numbers[1]), float(numbers[2])


def _word(known: tuple[str, ...]) -> Any:
    def read(name: str, value: Any) -> str:
        if value not in known:
            raise InputError(f"'{value}' is not a known {name} of the preparation; {nearest(str(value), known)}.")
        return str(value)

    return read


_READERS: Mapping[str, Any] = {
    "bias_correction": _truth,
    "spacing": _spacing,
    "interpolation": _word(tuple(INTERPOLATORS)),
    "registration": _word(REGISTRATIONS),
    "reference_phase": lambda _, value: None if value is None else canonical_phase(value),
    "registration_region": lambda _, value: None if value is None else canonical_region(value),
    "normalisation": _word(NORMALISATIONS),
    "scale": _positive,
    "outliers": _optional_positive,
    "window": _pair,
    "output_range": _pair,
}
