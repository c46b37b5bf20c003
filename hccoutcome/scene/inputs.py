"""A case as it lies in the application's scene, written to files for a worker process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import SimpleITK as sitk
import slicer

from hccoutcome.case import CaseFiles, ImageFile, MaskFile, Modality, canonical_region
from hccoutcome.errors import InputError
from hccoutcome.imaging.geometry import same_geometry, same_lattice
from hccoutcome.scene.appearance import appearance
from hccoutcome.scene.exchange import image_from_node, mask_from_segment, region_from_segment, segment_from_mask
from hccoutcome.scene.nodes import SYNTHETIC, CaseNodes, find_case_nodes


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


def segment_ids(segmentation: slicer.vtkMRMLSegmentationNode | None) -> tuple[str, ...]:
    """Return the identifiers of a segmentation's segments in their order; none without a segmentation."""
    return () if segmentation is None else tuple(segmentation.GetSegmentation().GetSegmentIDs())


def write_case(case: SceneCase, folder: Path) -> CaseFiles:
    """Write a case's voxels into ``folder`` as uncompressed NRRD and return where they lie.

    A region is written once for each distinct grid among the volumes, so that every phase finds it on its own voxels.
    Habitats that were found on prepared images are written on those voxels too: whoever prepares the images in the same
    way measures them as they were drawn.

    Raises:
        InputError: a volume has no voxels or lies under a transform, a segment no longer exists, or a region is empty.
    """
    images = {phase: _image(volume) for phase, volume in case.volumes.items()}
    outlines = outlines_of(case)
    grids: list[str] = []
    for phase, image in images.items():
        if not any(same_geometry(image, images[other]) for other in grids):
            grids.append(phase)
    return CaseFiles(
        case_id=case.case_id,
        images={phase: ImageFile(_write(image, folder / f"{phase}.nrrd")) for phase, image in images.items()},
        masks={
            region: (*_on_grids(outlines, region, {grid: case.volumes[grid] for grid in grids}, folder), *further)
            for region, further in _on_prepared(case, outlines, images, folder).items()
            if grids
        },
        clinical=dict(case.clinical),
        modality=case.modality,
        synthetic=any(volume.GetAttribute(SYNTHETIC) for volume in case.volumes.values()),
    )


def _on_grids(
    outlines: Outlines, region: str, volumes: Mapping[str, slicer.vtkMRMLScalarVolumeNode], folder: Path
) -> tuple[MaskFile, ...]:
    """Write a region on the voxels of each volume."""
    return tuple(
        MaskFile(_write(_region(outlines, region, volume), folder / f"{region}-{grid}.nrrd"))
        for grid, volume in volumes.items()
    )


def _on_prepared(
    case: SceneCase, outlines: Outlines, images: Mapping[str, sitk.Image], folder: Path
) -> dict[str, tuple[MaskFile, ...]]:
    """Write the habitats that lie on no volume's voxels on their own; return by region what was written."""
    written: dict[str, tuple[MaskFile, ...]] = dict.fromkeys(outlines, ())
    for region, ((segmentation, key), *_) in outlines.items():
        if segmentation is case.habitats:
            own = sitk.ConstantPad(region_from_segment(segmentation, key), (1, 1, 1), (1, 1, 1))
            if not any(same_lattice(own, image) for image in images.values()):
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


@contextmanager
def nodes_to_draw(case: SceneCase) -> Iterator[CaseNodes]:
    """Yield the nodes of a case with its segments united and named by region, as pictures want them.

    The user's own segmentation may name its segments in any way; the one that is yielded is gone afterwards.

    Raises:
        InputError: a node was removed from the scene meanwhile.
    """
    nodes = case_nodes(case)
    for node in filter(None, (*case.volumes.values(), case.segmentation, case.habitats)):
        if node.GetScene() is None:
            raise InputError(f"'{node.GetName()}' is no longer in the scene: choose another and press Apply again.")
    outlines = outlines_of(case)
    if not outlines or not case.volumes:
        yield replace(nodes, segmentations=())
        return
    drawn = slicer.vtkMRMLSegmentationNode()
    drawn.SetHideFromEditors(True)
    slicer.mrmlScene.AddNode(drawn)
    try:
        drawn.CreateDefaultDisplayNodes()
        grid = next(iter(case.volumes.values()))
        drawn.SetReferenceImageGeometryParameterFromVolumeNode(grid)
        for region, ((segmentation, key), *_) in outlines.items():
            own = segmentation.GetSegmentation().GetSegment(key)
            segment = segment_from_mask(_region(outlines, region, grid), own.GetName())
            segment.SetColor(*own.GetColor())
            drawn.GetSegmentation().AddSegment(segment, region)
            drawn.GetDisplayNode().SetSegmentOpacity3D(region, appearance(region).opacity)
        yield replace(nodes, segmentations=(drawn,))
    finally:
        slicer.mrmlScene.RemoveNode(drawn.GetDisplayNode())
        slicer.mrmlScene.RemoveNode(drawn)


def _image(volume: slicer.vtkMRMLScalarVolumeNode) -> sitk.Image:
    _refuse_transform(volume)
    if volume.GetImageData() is None:
        raise InputError(f"The volume '{volume.GetName()}' has no voxels: choose another, or load it again.")
    return image_from_node(volume)


def _region(outlines: Outlines, region: str, grid: slicer.vtkMRMLScalarVolumeNode) -> sitk.Image:
    """Return the segments of a region as one mask on the grid of a volume."""
    united = None
    for segmentation, key in outlines[region]:
        _refuse_transform(segmentation)
        if segmentation.GetSegmentation().GetSegment(key) is None:
            raise InputError(
                f"The segmentation '{segmentation.GetName()}' no longer has the segment '{key}': "
                "choose its regions again."
            )
        mask = mask_from_segment(segmentation, key, grid)
        united = mask if united is None else united | mask
    if not sitk.GetArrayViewFromImage(united).any():
        raise InputError(
            f"The region '{region}' was expected to hold at least one voxel of the volume '{grid.GetName()}', found "
            "none: draw it, or choose other segments or another volume."
        )
    return united


def _refuse_transform(node: slicer.vtkMRMLTransformableNode) -> None:
    if node.GetParentTransformNode() is not None:
        raise InputError(
            f"'{node.GetName()}' lies under the transform '{node.GetParentTransformNode().GetName()}': "
            "harden the transform first, so that voxels and positions agree."
        )


def _write(image: sitk.Image, path: Path) -> Path:
    sitk.WriteImage(image, str(path), useCompression=False)
    return path
