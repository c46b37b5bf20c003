"""A perturbation study of one case: the features of many perturbations, and what each did to the outline.

Where the settings resample, the image is interpolated once only, straight onto the perturbed mask's grid: the features
are those of the original image (with noise, where the chain has it) and the perturbed mask. Where they do not, the
image is sampled on that grid first. Normalisation is measured on the whole image as it is.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from itertools import islice
from threading import Event
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from hccoutcome.errors import Cancelled, InputError
from hccoutcome.imaging.geometry import Geometry, on_grid
from hccoutcome.progress import Progress, silent
from hccoutcome.radiomics.extraction import chosen_engine, extract_region, provenance
from hccoutcome.radiomics.grid import array_view
from hccoutcome.radiomics.preprocess import measure_normalisation
from hccoutcome.radiomics.settings import RadiomicsSettings
from hccoutcome.stability.agreement import MaskAgreement, compare_arrays
from hccoutcome.stability.lattice import cut, holds, image_on
from hccoutcome.stability.perturbation import Perturbation, PerturbationSettings, drawn
from hccoutcome.stability.perturber import MARGIN_MM, Perturber
from hccoutcome.stability.ratings import Ratings, ratings_of

_POLL_SECONDS = 0.5
_LOCAL_IMAGE_TYPES = {"Original"}
"""Image types that need nothing of the image beyond the region."""

OnMask = Callable[[Perturbation, sitk.Image], object]


@dataclass(frozen=True)
class PerturbationStudy:
    """Features of one case under perturbation.

    Attributes:
        original: features of the case as it is.
        features: names of the columns, those of ``original``.
        values: shape (perturbations, features), NaN in the row of one that failed.
        perturbations: what each did.
        agreement: of each outline with the original one; None where it failed.
        failures: why a perturbation has no features, by its number.
        provenance: settings, versions and seed; plain data.
    """

    original: Mapping[str, float]
    features: tuple[str, ...]
    values: NDArray[np.float64]
    perturbations: tuple[Perturbation, ...]
    agreement: tuple[MaskAgreement | None, ...]
    failures: Mapping[int, str]
    provenance: Mapping[str, Any]

    def ratings(self, subject: str) -> Ratings:
        """Return the features as ratings of one subject by as many raters as there are perturbations."""
        rows = zip(self.perturbations, self.values.tolist(), strict=True)
        return ratings_of(
            [(subject, str(item.index), dict(zip(self.features, row, strict=True))) for item, row in rows]
        )

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each perturbation: what it did, how far the outline changed, and why it failed."""
        return [
            {
                "perturbation": item.index,
                "degrees": item.degrees,
                **{f"shift_{axis}": part for axis, part in zip("xyz", item.shift, strict=True)},
                "growth": item.growth,
                "noise": item.noise,
                **_agreement_cells(agreement),
                "failure": self.failures.get(item.index, ""),
            }
            for item, agreement in zip(self.perturbations, self.agreement, strict=True)
        ]


@dataclass(frozen=True)
class _Outcome:
    perturbation: Perturbation
    features: Mapping[str, float]
    agreement: MaskAgreement | None
    mask: sitk.Image | None
    failure: str = ""


def perturb_case(
    image: sitk.Image,
    mask: sitk.Image,
    radiomics: RadiomicsSettings,
    settings: PerturbationSettings | None = None,
    n: int = 30,
    seed: int = 1,
    engine: str = "auto",
    workers: int | None = None,
    on_mask: OnMask | None = None,
    progress: Progress = silent,
) -> PerturbationStudy:
    """Extract the features of ``n`` perturbations of a case.

    Args:
        image: the image.
        mask: the region on its grid, label 1 inside.
        radiomics: what to extract.
        settings: families of perturbations and their reach; the defaults where None.
        n: number of perturbations.
        seed: with it and its number each perturbation can be repeated alone.
        engine: see ``hccoutcome.radiomics.extraction``.
        workers: perturbations computed at once, in threads; the processors where None. Changes no bit of the result.
        on_mask: called with each perturbation and its mask, in order, in the caller's thread.
        progress: called as perturbations finish and twice a second; may stop the study.

    Returns:
        The features, with NaN and the reason for a perturbation that cannot be extracted (a region that shrank away).

    Raises:
        InputError: fewer than 2 perturbations, grids that differ, an empty mask, an image that is constant in the
            region, no perturbation that can be extracted, or what the extraction refuses about the case as it is.
    """
    settings = settings or PerturbationSettings()
    if n < 2:
        raise InputError(f"A perturbation study needs at least 2 perturbations, found {n}: 30 are usual.")
    plan = [drawn(settings, seed, index) for index in range(1, n + 1)]
    perturber = Perturber(image, mask, settings, _context_mm(radiomics, image))
    _refuse_constant(image, mask)
    mask = sitk.Cast(mask != 0, sitk.sitkUInt8) * radiomics.parameters.label
    original = extract_region(image, mask, radiomics, engine)
    case = _Case(perturber, radiomics, engine)
    outcomes = list(_outcomes(case, plan, workers or min(os.cpu_count() or 1, 8), on_mask, progress))
    features = tuple(original)
    failures = {item.perturbation.index: item.failure for item in outcomes if item.failure}
    if len(failures) == n:
        raise InputError(f"None of {n} perturbations could be extracted; the first: {next(iter(failures.values()))}")
    return PerturbationStudy(
        original,
        features,
        np.array([[item.features.get(name, np.nan) for name in features] for item in outcomes]),
        tuple(plan),
        tuple(item.agreement for item in outcomes),
        failures,
        {
            "perturbation": {**asdict(settings), "seed": seed, "n": n},
            "radiomics": provenance(radiomics, engine),
        },
    )


def _refuse_constant(image: sitk.Image, mask: sitk.Image) -> None:
    """Refuse an image of one grey level in the region: none of its features could vary, so all would pass."""
    values = array_view(image)[array_view(mask) != 0]
    if values.min() == values.max():
        raise InputError(
            f"The image was expected to vary inside the region, found {values[0]:g} in all {values.size} voxels: check "
            "that it shows the region."
        )


class _Case:
    """One case and what to extract of it, shared by all threads."""

    def __init__(self, perturber: Perturber, radiomics: RadiomicsSettings, engine: str) -> None:
        self.perturber = perturber
        self.radiomics = radiomics
        self.engine = chosen_engine(engine)
        self.normalisation = measure_normalisation(perturber.original, radiomics.parameters)
        self.stopped = Event()

    def outcome(self, perturbation: Perturbation) -> _Outcome:
        """Carry out one perturbation."""
        perturber = self.perturber
        outline = perturber.outline(perturbation)
        mask = perturber.mask(perturbation, outline)
        try:
            agreement = compare_arrays(perturber.region, outline, perturber.spacing_zyx)
            features = extract_region(*self.inputs(perturbation, mask), engine=self.engine, progress=self._go_on)
        except InputError as error:
            return _Outcome(perturbation, {}, None, mask, str(error))
        return _Outcome(perturbation, features, agreement, mask)

    def inputs(self, perturbation: Perturbation, mask: sitk.Image) -> tuple[sitk.Image, sitk.Image, RadiomicsSettings]:
        """Return the image, mask and settings that give the features of a perturbation."""
        perturber, label = self.perturber, self.radiomics.parameters.label
        labelled = mask * label if label != 1 else mask
        direct = not perturbation.moves or _interpolates(self.radiomics, perturber.grid, mask)
        if direct and not perturbation.noise:
            return perturber.original, labelled, self.radiomics
        image = perturber.noisy(perturbation) if direct else perturber.image(perturbation, mask)
        if not (direct and perturbation.moves):
            labelled = on_grid(labelled, image)
        if self.normalisation is None:
            return image, labelled, self.radiomics
        values = image_on(self.normalisation(array_view(image)), Geometry.from_image(image))
        return values, labelled, self.radiomics.with_values(normalize=False)

    def _go_on(self, fraction: float, message: str) -> None:
        if self.stopped.is_set():
            raise Cancelled("The study was stopped.")


def _outcomes(
    case: _Case, plan: Sequence[Perturbation], workers: int, on_mask: OnMask | None, progress: Progress
) -> Iterator[_Outcome]:
    """Yield the outcomes in order; no more than ``workers`` and one waiting lie in memory with their masks."""
    with ThreadPoolExecutor(workers) as pool:
        running: list[Future[_Outcome]] = []
        rest = iter(plan)
        done = 0
        try:
            while done < len(plan):
                running += [pool.submit(case.outcome, item) for item in islice(rest, workers + 1 - len(running))]
                progress(done / len(plan), f"Extracts perturbation {done + 1} of {len(plan)}")
                if not wait(running[:1], _POLL_SECONDS, FIRST_COMPLETED).done:
                    continue
                outcome = running.pop(0).result()
                done += 1
                if on_mask is not None and outcome.mask is not None:
                    on_mask(outcome.perturbation, outcome.mask)
                yield _Outcome(outcome.perturbation, outcome.features, outcome.agreement, None, outcome.failure)
            progress(1.0, f"Extracted {len(plan)} perturbations")
        finally:
            case.stopped.set()
            pool.shutdown(cancel_futures=True)


def _context_mm(radiomics: RadiomicsSettings, image: sitk.Image) -> float | None:
    """Return how much image around the region the settings can reach; None for all of it."""
    parameters = radiomics.parameters
    if parameters.resampled_pixel_spacing is None or parameters.interpolator is None:
        local = {kind.name for kind in radiomics.image_types} <= _LOCAL_IMAGE_TYPES
        if not local and not parameters.pre_crop:
            return None
    widest = max(*image.GetSpacing(), *(parameters.resampled_pixel_spacing or ()))
    return MARGIN_MM + (parameters.pad_distance + 1) * widest


def _interpolates(radiomics: RadiomicsSettings, grid: Geometry, mask: sitk.Image) -> bool:
    """Say whether the extraction will resample the image onto the mask's own grid."""
    parameters = radiomics.parameters
    wanted = parameters.resampled_pixel_spacing
    if wanted is None or parameters.interpolator is None:
        return False
    labels = array_view(mask)
    places = [np.flatnonzero(labels.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    if not all(span.size for span in places):
        return True  # the extraction refuses the empty mask
    block = tuple(slice(int(span[0]), int(span[-1]) + 1) for span in places)
    thick = [part.stop - part.start > 1 for part in reversed(block)]
    changes = [
        bool(new) and not np.isclose(new, old) and deep
        for new, old, deep in zip(wanted, grid.spacing, thick, strict=True)
    ]
    return any(changes) and holds(grid, cut(Geometry.from_image(mask), (block[0], block[1], block[2])))


def _agreement_cells(agreement: MaskAgreement | None) -> dict[str, Any]:
    if agreement is None:
        return dict.fromkeys(("volume_ml", "dice", "surface_dice", "hausdorff_mm", "hausdorff95_mm"))
    return {
        "volume_ml": agreement.volumes_ml[1],
        "dice": agreement.dice,
        "surface_dice": agreement.surface_dice,
        "hausdorff_mm": agreement.hausdorff_mm,
        "hausdorff95_mm": agreement.hausdorff95_mm,
    }
