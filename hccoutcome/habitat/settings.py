"""How habitats are found, as plain settings of a study or a model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any, Literal, get_args

from hccoutcome.case import canonical_phase
from hccoutcome.errors import InputError, nearest

Method = Literal["one-step", "two-step", "pooled"]
Algorithm = Literal["kmeans", "gmm"]
Criterion = Literal["elbow", "silhouette", "calinski-harabasz", "davies-bouldin", "gap"]
Kinetics = Literal["none", "ratio", "difference"]
ScalingRule = Literal["minmax", "zscore", "robust", "none"]
Scope = Literal["patient", "cohort"]
METHODS: tuple[Method, ...] = get_args(Method)
ALGORITHMS: tuple[Algorithm, ...] = get_args(Algorithm)
CRITERIA: tuple[Criterion, ...] = get_args(Criterion)
KINETICS: tuple[Kinetics, ...] = get_args(Kinetics)
SCALINGS: tuple[ScalingRule, ...] = get_args(ScalingRule)
SCOPES: tuple[Scope, ...] = get_args(Scope)

MOST_HABITATS = 99
"""Regions are named habitat1 to habitat99."""


@dataclass(frozen=True)
class HabitatSettings:
    """Everything that decides which voxel belongs to which habitat. The defaults follow paper 003 and HABIT's demo.

    Attributes:
        method: ``"one-step"`` clusters this tumour's voxels alone; ``"two-step"`` first clusters each tumour into
            supervoxels and then those of the whole cohort; ``"pooled"`` clusters the voxels of the whole cohort.
        algorithm: ``"kmeans"`` or ``"gmm"`` (Gaussian mixture with full covariances).
        k: number of habitats; None chooses it.
        k_range: smallest and largest number of habitats to try.
        criterion: how k is chosen: ``"elbow"`` of the inertia (Kneedle), or the best silhouette, Calinski-Harabasz or
            Davies-Bouldin index, or the gap statistic.
        intensities: cluster the grey level of every image.
        entropy_radius: half width in voxels of the cube in which the local entropy of each image is taken; 0 for none.
        kinetics: enhancement and wash-out of each voxel: ``"none"``, ``"ratio"`` (relative to the earlier phase) or
            ``"difference"``.
        times: seconds after the injection by phase; given, kinetics are per minute.
        winsorise: part of the voxels at each end whose values are cut to the quantile there.
        scaling: how each voxel feature is scaled after that.
        scaling_scope: whether quantiles and scale are learnt on each patient's own region or on the cohort's voxels.
        supervoxels: supervoxels of each tumour (two-step).
        voxels_per_patient: most voxels that one tumour gives to the cohort's clustering (pooled) or scaling.
        smallest_island_mm3: connected parts of a habitat below this volume join what surrounds them; 0 keeps all.
        repeats: clusterings with other seeds, and as many bootstraps, by which the choice is judged; 0 for none.
        radiomics: parameter file (name or path) of the features of each habitat; None measures none.
        resample: allow images on other grids to be resampled onto that of the mask.
        seed: seed of all that is random.
    """

    method: Method = "one-step"
    algorithm: Algorithm = "kmeans"
    k: int | None = None
    k_range: tuple[int, int] = (2, 10)
    criterion: Criterion = "elbow"
    intensities: bool = True
    entropy_radius: int = 0
    kinetics: Kinetics = "none"
    times: Mapping[str, float] = field(default_factory=dict)
    winsorise: float = 0.05
    scaling: ScalingRule = "minmax"
    scaling_scope: Scope = "patient"
    supervoxels: int = 50
    voxels_per_patient: int = 20_000
    smallest_island_mm3: float = 100.0
    repeats: int = 10
    radiomics: str | None = "haic-mri"
    resample: bool = False
    seed: int = 42

    def __post_init__(self) -> None:
        for name, known in _WORDS.items():
            value = getattr(self, name)
            if value not in known:
                raise InputError(f"'{value}' is not a known {name} of the habitats; {nearest(str(value), known)}.")
        for name in ("intensities", "resample"):
            if not isinstance(getattr(self, name), bool):
                raise _wrong(name, "true or false", getattr(self, name))
        self._check_counts()
        if not _is_number(self.winsorise) or not 0 <= self.winsorise < 0.5:
            raise _wrong("winsorise", "a part of the voxels from 0 to below 0.5", self.winsorise)
        if not _is_number(self.smallest_island_mm3) or self.smallest_island_mm3 < 0:
            raise _wrong("smallest_island_mm3", "a volume from 0 mm3", self.smallest_island_mm3)
        if self.scaling_scope == "cohort" and self.method == "one-step":
            raise InputError(
                "The scope 'cohort' of the scaling needs a method that sees a cohort, found 'one-step': choose "
                "'two-step' or 'pooled', or the scope 'patient'."
            )
        object.__setattr__(self, "times", MappingProxyType(_times(self.times)))

    def _check_counts(self) -> None:
        for name, least in (("entropy_radius", 0), ("supervoxels", 2), ("voxels_per_patient", 2), ("repeats", 0)):
            _check_count(name, getattr(self, name), least)
        _check_count("seed", self.seed, 0, 2**31 - 1)
        if self.k is not None:
            _check_count("k", self.k, 2, MOST_HABITATS)
        if not isinstance(self.k_range, tuple) or len(self.k_range) != 2:
            raise _wrong("k_range", "a smallest and a largest number of habitats", self.k_range)
        low, high = self.k_range
        _check_count("k_range", low, 2, MOST_HABITATS)
        _check_count("k_range", high, low, MOST_HABITATS)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> HabitatSettings:
        """Return the settings that JSON data state; what they leave out takes its default.

        Raises:
            InputError: an unknown setting (the message names the nearest one) or a value that it cannot have.
        """
        known = [item.name for item in fields(cls)]
        for name in data:
            if name not in known:
                raise InputError(f"'{name}' is not a known setting of the habitats; {nearest(name, known)}.")
        values = dict(data)
        if isinstance(values.get("k_range"), list):
            values["k_range"] = tuple(values["k_range"])
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON data that ``from_dict`` reads."""
        data = {item.name: getattr(self, item.name) for item in fields(self)}
        return {**data, "k_range": list(self.k_range), "times": dict(self.times)}


_WORDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "method": METHODS,
        "algorithm": ALGORITHMS,
        "criterion": CRITERIA,
        "kinetics": KINETICS,
        "scaling": SCALINGS,
        "scaling_scope": SCOPES,
    }
)


def _wrong(name: str, expected: str, value: Any) -> InputError:
    return InputError(f"The setting '{name}' of the habitats is {expected}, found {value!r}: correct it.")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _check_count(name: str, value: Any, least: int, most: int | None = None) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least or (most is not None and value > most):
        upper = f" to {most}" if most is not None else ""
        raise _wrong(name, f"a whole number from {least}{upper}", value)


def _times(times: Mapping[str, float]) -> dict[str, float]:
    if not isinstance(times, Mapping) or not all(map(_is_number, times.values())):
        raise _wrong("times", "seconds after the injection by phase", times)
    return {canonical_phase(phase): float(seconds) for phase, seconds in times.items()}
