"""A case as it lies in the application's scene, written to files for a worker process."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
import slicer
from vtkmodules.vtkCommonMath import vtkMatrix4x4

from hccoutcome.case import CaseFiles, ImageFile, MaskFile, Modality, canonical_region
from hccoutcome.errors import InputError
from hccoutcome.imaging.geometry import Geometry, same_geometry, same_lattice
from hccoutcome.imaging.reading import RIGHT_ANGLE
from hccoutcome.scene.exchange import BINARY_LABELMAP, empty_grid, region_from_segment
from hccoutcome.scene.handover import Part, part_of_segment, write_region, write_volume
from hccoutcome.scene.nodes import SYNTHETIC, CaseNodes, find_case_nodes
from hccoutcome.scene.review import is_draft, records_of, unreviewed


@dataclass(frozen=True)
class SceneCase:
    """A case made of nodes.

    Attributes:
        case_id: name of the case.
        volumes: volume node by canonical phase.
        segmentation: the segmentation node, None where no region is outlined.
        segments: identifiers of the segments by canonical region; several are united.
        clinical: clinical record: name to number, text or ``{"value": ..., "unit": ...}``.
        modality: ``"CT"``, ``"MR"`` or None where not stated.
        habitats: segmentation whose segments are regions by their identifiers (``habitat1``...); None for none.
    """

    case_id: str
    volumes: Mapping[str, slicer.vtkMRMLScalarVolumeNode] = field(default_factory=dict)
    segmentation: slicer.vtkMRMLSegmentationNode | None = None
    segments: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    clinical: Mapping[str, Any] = field(default_factory=dict)
    modality: Modality | None = None
    habitats: slicer.vtkMRMLSegmentationNode | None = None


Outlines = Mapping[str, tuple[tuple[slicer.vtkMRMLSegmentationNode, str], ...]]
"""By region, the segments that make it up: the node and the segment's identifier there."""


def outlines_of(case: SceneCase) -> Outlines:
    """Return the segments of every region of a case, those of its habitats among them.

    Raises:
        InputError: a habitat is outlined twice, by the user and by the habitats handed over.
    """
    outlines = {region: tuple((case.segmentation, key) for key in keys) for region, keys in case.segments.items()}
    for key in segment_ids(case.habitats):
        region = canonical_region(key)
        if region in outlines:
            raise InputError(
                f"The region '{region}' was expected once, found it in '{case.segmentation.GetName()}' and in "
                f"'{case.habitats.GetName()}': set the segment to 'not used', or choose no habitats."
            )
        outlines[region] = ((case.habitats, key),)
    return outlines


def outlined_by(case: SceneCase) -> dict[str, list[Any]]:
    """Return by region what is known of who outlined its segments; those that a person drew are not in it."""
    found: dict[str, list[Any]] = {}
    for region, segments in outlines_of(case).items():
        records = [records_of(segmentation).get(key) for segmentation, key in segments]
        known = [record for record in records if record is not None]
        if known:
            found[region] = known
    return found


def segment_ids(segmentation: slicer.vtkMRMLSegmentationNode | None) -> tuple[str, ...]:
    """Return the identifiers of a segmentation's segments in their order; none without a segmentation."""
    return () if segmentation is None else tuple(segmentation.GetSegmentation().GetSegmentIDs())


Writing = Generator[float, None, CaseFiles]
"""Yields the fraction done after each small step, and returns where the files lie."""


def write_case(case: SceneCase, folder: Path) -> CaseFiles:
    """Write a case's voxels into ``folder`` at one go; see ``case_writing``."""
    writing = case_writing(case, folder)
    while True:
        try:
            next(writing)
        except StopIteration as end:
            return end.value


def case_writing(case: SceneCase, folder: Path) -> Writing:
    """Write a case's voxels into ``folder`` as uncompressed NRRD, a small step at a time, and return where they lie.

    A region is written once for each distinct grid among the volumes, so that every phase finds it on its own voxels.
    Habitats that were found on prepared images are written on those voxels too: whoever prepares the images in the same
    way measures them as they were drawn. Nothing is written where the case is refused at once.

    Raises:
        InputError: a volume has no voxels or lies under a transform, a segment no longer exists or nobody has accepted
            it; from a step: a region is empty.
    """
    outlines = outlines_of(case)
    check_case(case, outlines)
    return _writing(case, outlines, folder)


def _writing(case: SceneCase, outlines: Outlines, folder: Path) -> Writing:
    grids: list[str] = []
    for phase, volume in case.volumes.items():
        if not any(same_geometry(grid_of(volume), grid_of(case.volumes[other])) for other in grids):
            grids.append(phase)
    steps = max(1, len(case.volumes) + len(outlines) * len(grids))
    done = 0
    for phase, volume in case.volumes.items():
        # Somebody may have emptied it since the step before.
        _refuse_unusable(volume)
        for fraction in write_volume(volume, folder / f"{phase}.nrrd"):
            yield (done + fraction) / steps
        done += 1
    for region in outlines:
        for grid in grids:
            _refuse_unusable(case.volumes[grid])
            parts = _parts(outlines, region, case.volumes[grid])
            for fraction in write_region(parts, case.volumes[grid], folder / f"{region}-{grid}.nrrd"):
                yield (done + fraction) / steps
            done += 1
    return CaseFiles(
        case_id=case.case_id,
        images={phase: ImageFile(folder / f"{phase}.nrrd") for phase in case.volumes},
        masks={
            region: (*(MaskFile(folder / f"{region}-{grid}.nrrd") for grid in grids), *further)
            for region, further in _on_prepared(case, outlines, folder).items()
            if grids
        },
        clinical=dict(case.clinical),
        modality=case.modality,
        synthetic=any(volume.GetAttribute(SYNTHETIC) for volume in case.volumes.values()),
    )


def check_case(case: SceneCase, outlines: Outlines) -> None:
    """Refuse what can be refused before anything is written.

    Raises:
        InputError: a volume has no voxels, several values in each, axes that are not at right angles, or lies under a
            transform, a segment no longer exists, or nobody has accepted it.
    """
    for volume in case.volumes.values():
        _refuse_transform(volume)
        _refuse_unusable(volume)
    for segments in outlines.values():
        for segmentation, key in segments:
            _refuse_transform(segmentation)
            _refuse_missing(segmentation, key)
            _refuse_draft(segmentation, key)


def grid_of(volume: slicer.vtkMRMLScalarVolumeNode) -> Geometry:
    """Return the grid of a volume node.

    Raises:
        InputError: it is none that can be used.
    """
    _refuse_unusable(volume)
    one = Geometry.from_image(empty_grid(volume))
    return replace(one, size=tuple(volume.GetImageData().GetDimensions()))


def voxel_marks(case: SceneCase) -> tuple[object, ...]:
    """Return marks of the voxels and positions of a case: other ones mean that somebody has touched them.

    They tell when Slicer last changed them, without a look at the voxels themselves.
    """
    volumes = ((_mark(volume.GetImageData()), *_lattice(volume)) for volume in case.volumes.values())
    keys = [(case.segmentation, key) for keys in case.segments.values() for key in keys]
    keys += [(case.habitats, key) for key in segment_ids(case.habitats)]
    segments = (node.GetSegmentation().GetSegment(key) for node, key in keys)
    labelmaps = (None if segment is None else segment.GetRepresentation(BINARY_LABELMAP) for segment in segments)
    return (*volumes, *map(_mark, labelmaps))


def _mark(voxels: Any) -> int:
    return 0 if voxels is None else voxels.GetMTime()


def _lattice(volume: slicer.vtkMRMLScalarVolumeNode) -> tuple[object, ...]:
    matrix = vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    return (volume.GetTransformNodeID(), *matrix.GetData())


def _on_prepared(case: SceneCase, outlines: Outlines, folder: Path) -> dict[str, tuple[MaskFile, ...]]:
    """Write the habitats that lie on no volume's voxels on their own; return by region what was written."""
    written: dict[str, tuple[MaskFile, ...]] = dict.fromkeys(outlines, ())
    for region, ((segmentation, key), *_) in outlines.items():
        if segmentation is case.habitats:
            own = sitk.ConstantPad(region_from_segment(segmentation, key), (1, 1, 1), (1, 1, 1))
            if not any(same_lattice(own, grid_of(volume)) for volume in case.volumes.values()):
                written[region] = (MaskFile(_write(own, folder / f"{region}-prepared.nrrd")),)
    return written


def case_nodes(case: SceneCase) -> CaseNodes:
    """Return the nodes of a case that are still in the scene, with what earlier work has put beside them."""
    earlier = find_case_nodes(slicer.mrmlScene).get(case.case_id)
    return CaseNodes(
        case_id=case.case_id,
        scene=slicer.mrmlScene,
        images={phase: volume for phase, volume in case.volumes.items() if volume.GetScene() is not None},
        segmentations=tuple(node for node in (case.segmentation,) if node is not None and node.GetScene() is not None),
        findings={} if earlier is None else earlier.findings,
    )


def _parts(outlines: Outlines, region: str, volume: slicer.vtkMRMLScalarVolumeNode) -> list[Part]:
    """Return the segments of a region as parts on the grid of a volume."""
    for segmentation, key in outlines[region]:
        _refuse_missing(segmentation, key)
    found = [part_of_segment(segmentation, key, volume) for segmentation, key in outlines[region]]
    parts = [part for part in found if part is not None]
    if not parts:
        raise _empty(region, volume)
    return parts


def _empty(region: str, volume: slicer.vtkMRMLScalarVolumeNode) -> InputError:
    return InputError(
        f"The region '{region}' was expected to hold at least one voxel of the volume '{volume.GetName()}', found "
        "none: draw it, or choose other segments or another volume."
    )


def _refuse_unusable(volume: slicer.vtkMRMLScalarVolumeNode) -> None:
    data = volume.GetImageData()
    if data is None or data.GetPointData().GetScalars() is None:
        raise InputError(f"The volume '{volume.GetName()}' has no voxels: choose another, or load it again.")
    components = data.GetNumberOfScalarComponents()
    if components != 1:
        raise InputError(
            f"The volume '{volume.GetName()}' was expected to hold one value per voxel, found {components} (a colour "
            "image or a field): choose another."
        )
    matrix = vtkMatrix4x4()
    volume.GetIJKToRASDirectionMatrix(matrix)
    axes = np.reshape(matrix.GetData(), (4, 4))[:3, :3]
    if min(volume.GetSpacing()) <= 0 or not np.allclose(axes.T @ axes, np.eye(3), atol=RIGHT_ANGLE):
        raise InputError(
            f"The volume '{volume.GetName()}' was expected to have axes at right angles, found sheared ones: resample "
            "it to a rectangular grid (module Resample Scalar/Vector/DWI Volume)."
        )


def _refuse_missing(segmentation: slicer.vtkMRMLSegmentationNode, key: str) -> None:
    if segmentation.GetSegmentation().GetSegment(key) is None:
        raise InputError(
            f"The segmentation '{segmentation.GetName()}' no longer has the segment '{key}': choose its regions again."
        )


def _refuse_draft(segmentation: slicer.vtkMRMLSegmentationNode, key: str) -> None:
    if is_draft(segmentation) or key in unreviewed(segmentation):
        name = segmentation.GetSegmentation().GetSegment(key).GetName()
        raise InputError(
            f"The segment '{name}' was expected to be accepted by a person, found an automatic draft: look at every "
            "slice and accept it, or set it to 'not used'."
        )


def _refuse_transform(node: slicer.vtkMRMLTransformableNode) -> None:
    if node.GetParentTransformNode() is not None:
        raise InputError(
            f"'{node.GetName()}' lies under the transform '{node.GetParentTransformNode().GetName()}': "
            "harden the transform first, so that voxels and positions agree."
        )


def _write(image: sitk.Image, path: Path) -> Path:
    sitk.WriteImage(image, str(path), useCompression=False)
    return path
