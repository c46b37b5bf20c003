"""The whole way of one case: prepare where asked for, find the habitats, and keep what a scene needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import SimpleITK as sitk

from hccoutcome.case import Case, canonical_region
from hccoutcome.errors import InputError
from hccoutcome.habitat.assign import assign_habitats
from hccoutcome.habitat.find import find_habitats
from hccoutcome.habitat.habitats import Habitats
from hccoutcome.habitat.learn import Patient
from hccoutcome.habitat.model import HabitatModel
from hccoutcome.habitat.preparation import RegistrationCheck, prepare_tumour
from hccoutcome.habitat.region import order_phase
from hccoutcome.habitat.settings import HabitatSettings
from hccoutcome.imaging.preparation import Preparation
from hccoutcome.loading import mask_for
from hccoutcome.progress import Progress, part, silent

DEFAULT_REGION = "tumor"


@dataclass(frozen=True)
class CaseHabitats:
    """The habitats of one case.

    Attributes:
        case: the case as it was clustered: its images prepared, with the region's mask on their grid.
        region: the region that was divided.
        habitats: what was found.
        checks: one for each registered phase.
        preparation: what was done to the images; None where nothing was.
    """

    case: Case
    region: str
    habitats: Habitats
    checks: tuple[RegistrationCheck, ...] = ()
    preparation: Preparation | None = None


@dataclass(frozen=True)
class _Ready:
    """A case with images and mask ready to be clustered, and what the preparation has to say."""

    case: Case
    mask: sitk.Image
    checks: tuple[RegistrationCheck, ...] = ()
    notes: tuple[str, ...] = ()


def habitats_of_case(
    case: Case,
    region: str = DEFAULT_REGION,
    settings: HabitatSettings | None = None,
    preparation: Preparation | None = None,
    model: HabitatModel | None = None,
    progress: Progress = silent,
    maps: Mapping[str, sitk.Image] | None = None,
) -> CaseHabitats:
    """Return the habitats of one region of a case.

    Args:
        case: the case as read.
        region: the region to divide.
        settings: how habitats are found; the defaults where None.
        preparation: what is done to the images first; nothing where None. A model's own takes its place.
        model: the cohort's habitats to assign; None finds them in this case alone.
        progress: told the fraction done; may stop the work.
        maps: further voxel maps by name.

    Raises:
        InputError: images, mask, settings and model do not fit together; the message says how.
    """
    settings = settings or HabitatSettings()
    if model is not None:
        preparation = None if model.preparation is None else Preparation.from_dict(model.preparation)
        _check_phases(case, model)
    share = 0.0 if preparation is None else 0.5
    ready = _ready(case, region, preparation, settings.seed, part(progress, 0.0, share))
    rest = part(progress, share, 1.0)
    if model is None:
        found = find_habitats(ready.case.images, ready.mask, settings, rest, maps)
    else:
        found = assign_habitats(ready.case.images, ready.mask, model, settings, rest, maps)
    found = replace(found, notes=(*ready.notes, *found.notes))
    return CaseHabitats(ready.case, region, found, ready.checks, preparation)


def patient_of_case(
    case: Case,
    region: str = DEFAULT_REGION,
    preparation: Preparation | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> Patient:
    """Return what a cohort's clustering needs of one case, prepared where asked for."""
    ready = _ready(case, region, preparation, seed, progress)
    return Patient(case.case_id, ready.case.images, ready.mask)


def chosen_region(case: Case, region: str | None = None) -> str:
    """Return the region to divide: the one named, the tumour, or the only one that was outlined.

    Raises:
        InputError: none was outlined, or several and none of them is named.
    """
    if region is not None:
        return canonical_region(region)
    if DEFAULT_REGION in case.masks or not case.masks:
        return DEFAULT_REGION
    if len(case.masks) == 1:
        return next(iter(case.masks))
    raise InputError(
        f"Habitats divide one region, found {', '.join(case.masks)}: name the one that is meant, or outline the tumour."
    )


def _check_phases(case: Case, model: HabitatModel) -> None:
    """Refuse a case without the model's phases before anything is prepared."""
    missing = [phase for phase in model.phases if phase not in case.images]
    if missing:
        raise InputError(
            f"The habitat package was made for {', '.join(model.phases)}, found {', '.join(case.images) or 'none'}: "
            f"add {', '.join(missing)}, or choose a package made for the phases at hand."
        )


def _ready(case: Case, region: str, preparation: Preparation | None, seed: int, progress: Progress) -> _Ready:
    if not case.images:
        raise InputError("Habitats need at least one image, found none: add the images of the phases.")
    masks = case.masks.get(region, ())
    if preparation is None or not masks:
        mask = masks[0] if len(masks) == 1 else mask_for(case, region, order_phase(tuple(case.images)))
        return _Ready(case, mask)
    prepared = prepare_tumour(case.images, masks, preparation, region, seed, progress)
    ready = replace(case, images=prepared.images, masks={region: (prepared.mask,)})
    return _Ready(ready, prepared.mask, prepared.checks, prepared.notes)
