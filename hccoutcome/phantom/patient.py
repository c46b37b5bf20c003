"""The phantom as a case: anatomy, images and clinical record of one seed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import SimpleITK as sitk

from hccoutcome.case import Case
from hccoutcome.phantom.body import paint_body
from hccoutcome.phantom.canvas import Canvas
from hccoutcome.phantom.image import take_images
from hccoutcome.phantom.liver import paint_liver, plan_liver
from hccoutcome.phantom.organs import paint_organs
from hccoutcome.phantom.record import draw_record
from hccoutcome.phantom.rooms import make_rooms
from hccoutcome.phantom.settings import PHASES, PhantomSettings
from hccoutcome.phantom.space import Array, Space, draw_field, make_space

_STREAMS = ("space", "body", "organs", "liver", "record", "scanner", *PHASES)
_PLAN_SPACING = (4.0, 4.0, 4.0)


def phantom_case(seed: int | None = None, settings: PhantomSettings | None = None) -> Case:
    """Return a synthetic patient: four phases, masks of liver, tumours and portal vein, and a clinical record.

    Args:
        seed: the patient; replaces the seed of the settings (1 where neither is given).
        settings: grid, modality, lesions, enhancement, noise.

    Raises:
        InputError: a lesion does not fit into the liver, or a given clinical entry cannot be.
    """
    settings = with_seed(seed, settings)
    streams = np.random.SeedSequence(settings.seed).spawn(len(_STREAMS))
    rngs = {name: np.random.default_rng(stream) for name, stream in zip(_STREAMS, streams, strict=True)}
    bending = [draw_field(rngs["space"], 55.0) for _ in range(3)]
    coarse, space = make_space(_PLAN_SPACING, bending), make_space(settings.spacing, bending)
    plan = plan_liver(coarse, make_rooms(coarse), settings, rngs["liver"])
    canvas, rooms = Canvas(space), make_rooms(space)
    paint_body(canvas, rooms, rngs["body"])
    paint_organs(canvas, rooms, rngs["organs"])
    liver = paint_liver(canvas, rooms, plan)
    arrays = take_images(canvas, rooms, settings, [rngs["scanner"], *(rngs[phase] for phase in PHASES)])
    masks = {"tumor": liver.tumor, "liver": liver.liver, "portalvein": liver.portal_vein}
    extent = 100 * float(liver.tumor.sum() / liver.liver.sum())
    count, largest = len(settings.lesion_diameters), max(settings.lesion_diameters)
    return Case(
        case_id=f"phantom-{settings.seed:04d}",
        images={phase: _image(array, space) for phase, array in arrays.items()},
        masks={region: (_image(mask.astype(np.uint8), space),) for region, mask in masks.items()},
        clinical=draw_record(rngs["record"], largest, count, extent, settings.clinical),
        modality=settings.modality,
        synthetic=True,
    )


def with_seed(seed: int | None, settings: PhantomSettings | None) -> PhantomSettings:
    """Return settings with a seed in place of their own where one is given."""
    settings = settings or PhantomSettings()
    return settings if seed is None else replace(settings, seed=seed)


def _image(array: Array, space: Space) -> sitk.Image:
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(space.spacing)
    image.SetOrigin([float(axis[0]) for axis in space.axes])
    return image
