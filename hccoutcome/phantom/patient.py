"""The phantom as a case: anatomy, images and clinical record of one seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import SimpleITK as sitk

from hccoutcome.case import Case
from hccoutcome.phantom.body import paint_body
from hccoutcome.phantom.canvas import Canvas
from hccoutcome.phantom.image import take_images
from hccoutcome.phantom.liver import LiverMasks, LiverPlan, paint_liver, plan_liver
from hccoutcome.phantom.organs import paint_organs
from hccoutcome.phantom.record import draw_record
from hccoutcome.phantom.rooms import Rooms, make_rooms
from hccoutcome.phantom.settings import PHASES, PhantomSettings
from hccoutcome.phantom.space import Array, Space, draw_build, make_space

_STREAMS = ("build", "body", "organs", "liver", "record", "scanner", *PHASES)
_PLAN_SPACING = (4.0, 4.0, 4.0)


@dataclass(frozen=True)
class Patient:
    """A patient before any image is taken.

    Attributes:
        canvas: the tissues.
        rooms: the walls of the trunk, which tell what breathes.
        plan: the liver in mm.
        masks: liver, tumours and portal vein on the canvas' grid.
    """

    canvas: Canvas
    rooms: Rooms
    plan: LiverPlan
    masks: LiverMasks


def phantom_case(seed: int | None = None, settings: PhantomSettings | None = None) -> Case:
    """Return a synthetic patient: four phases, masks of liver, tumours and portal vein, and a clinical record.

    Args:
        seed: the patient; replaces the seed of the settings (1 where neither is given).
        settings: grid, modality, lesions, enhancement, noise.

    Raises:
        InputError: a lesion does not fit into the liver, or a given clinical entry cannot be.
    """
    settings = with_seed(seed, settings)
    rngs = streams(settings.seed)
    patient = draw_patient(settings, rngs)
    scanner = [rngs["scanner"], *(rngs[phase] for phase in PHASES)]
    arrays = take_images(patient.canvas, patient.rooms, settings, scanner)
    space, masks = patient.canvas.space, patient.masks
    regions = {"tumor": masks.tumor, "liver": masks.liver, "portalvein": masks.portal_vein}
    return Case(
        case_id=f"phantom-{settings.seed:04d}",
        images={phase: _image(array, space) for phase, array in arrays.items()},
        masks={region: (_image(mask.astype(np.uint8), space),) for region, mask in regions.items()},
        clinical=_record(patient, settings, rngs["record"]),
        modality=settings.modality,
        synthetic=True,
    )


def draw_patient(settings: PhantomSettings, rngs: Mapping[str, np.random.Generator]) -> Patient:
    """Return the patient of the settings; ``rngs`` holds ``build``, ``body``, ``organs`` and ``liver``."""
    build = draw_build(rngs["build"])
    coarse, space = make_space(_PLAN_SPACING, build), make_space(settings.spacing, build)
    plan = plan_liver(coarse, make_rooms(coarse), settings, rngs["liver"])
    canvas, rooms = Canvas(space), make_rooms(space)
    paint_body(canvas, rooms, rngs["body"])
    paint_organs(canvas, rooms, rngs["organs"])
    return Patient(canvas, rooms, plan, paint_liver(canvas, rooms, plan))


def streams(seed: int) -> dict[str, np.random.Generator]:
    """Return one stream of random numbers for each part, so that one part can change without the others."""
    spawned = np.random.SeedSequence(seed).spawn(len(_STREAMS))
    return {name: np.random.default_rng(stream) for name, stream in zip(_STREAMS, spawned, strict=True)}


def _record(patient: Patient, settings: PhantomSettings, rng: np.random.Generator) -> dict[str, float | str]:
    lesions, masks = patient.plan.lesions, patient.masks
    extent = 100 * float(masks.tumor.sum() / masks.liver.sum())
    largest = max(lesion.longest for lesion in lesions)
    return draw_record(rng, largest, len(lesions), extent, settings.clinical)


def with_seed(seed: int | None, settings: PhantomSettings | None) -> PhantomSettings:
    """Return settings with a seed in place of their own where one is given."""
    settings = settings or PhantomSettings()
    return settings if seed is None else replace(settings, seed=seed)


def _image(array: Array, space: Space) -> sitk.Image:
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(space.spacing)
    image.SetOrigin([float(axis[0]) for axis in space.axes])
    return image
