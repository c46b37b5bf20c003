"""A case as it lies in the application's scene, written to files for a worker process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import SimpleITK as sitk
import slicer

from hccoutcome.case import CaseFiles, ImageFile, MaskFile, Modality
from hccoutcome.errors import InputError
from hccoutcome.imaging.geometry import same_geometry
from hccoutcome.scene.appearance import appearance
from hccoutcome.scene.exchange import image_from_node, mask_from_segment, segment_from_mask
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
    """

    case_id: str
    volumes: Mapping[str, slicer.vtkMRMLScalarVolumeNode] = field(default_factory=dict)
    segmentation: slicer.vtkMRMLSegmentationNode | None = None
    segments: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    clinical: Mapping[str, Any] = field(default_factory=dict)
    modality: Modality | None = None


def write_case(case: SceneCase, folder: Path) -> CaseFiles:
    """Write a case's voxels into ``folder`` as uncompressed NRRD and return where they lie.

    A region is written once for each distinct grid among the volumes, so that every phase finds it on its own voxels.

    Raises:
        InputError: a volume has no voxels or lies under a transform, a segment no longer exists, or a region is empty.
    """
    images = {phase: _image(volume) for phase, volume in case.volumes.items()}
    grids: list[str] = []
    for phase, image in images.items():
        if not any(same_geometry(image, images[other]) for other in grids):
            grids.append(phase)
    return CaseFiles(
        case_id=case.case_id,
        images={phase: ImageFile(_write(image, folder / f"{phase}.nrrd")) for phase, image in images.items()},
        masks={
            region: tuple(
                MaskFile(_write(_region(case, region, case.volumes[grid]), folder / f"{region}-{grid}.nrrd"))
                for grid in grids
            )
            for region in case.segments
            if grids
        },
        clinical=dict(case.clinical),
        modality=case.modality,
        synthetic=any(volume.GetAttribute(SYNTHETIC) for volume in case.volumes.values()),
    )


def case_nodes(case: SceneCase) -> CaseNodes:
    """Return the nodes of a case, with what an earlier analysis of the same case has put beside them."""
    earlier = find_case_nodes(slicer.mrmlScene).get(case.case_id)
    return CaseNodes(
        case_id=case.case_id,
        scene=slicer.mrmlScene,
        images=dict(case.volumes),
        segmentations=() if case.segmentation is None else (case.segmentation,),
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
    for node in filter(None, (*case.volumes.values(), case.segmentation)):
        if node.GetScene() is None:
            raise InputError(f"'{node.GetName()}' is no longer in the scene: choose another and press Apply again.")
    if not case.segments or not case.volumes:
        yield replace(nodes, segmentations=())
        return
    drawn = slicer.vtkMRMLSegmentationNode()
    drawn.SetHideFromEditors(True)
    slicer.mrmlScene.AddNode(drawn)
    try:
        drawn.CreateDefaultDisplayNodes()
        grid = next(iter(case.volumes.values()))
        drawn.SetReferenceImageGeometryParameterFromVolumeNode(grid)
        for region, segments in case.segments.items():
            own = case.segmentation.GetSegmentation().GetSegment(segments[0])
            segment = segment_from_mask(_region(case, region, grid), own.GetName())
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


def _region(case: SceneCase, region: str, grid: slicer.vtkMRMLScalarVolumeNode) -> sitk.Image:
    """Return the segments of a region as one mask on the grid of a volume."""
    _refuse_transform(case.segmentation)
    united = None
    for segment in case.segments[region]:
        if case.segmentation.GetSegmentation().GetSegment(segment) is None:
            raise InputError(
                f"The segmentation '{case.segmentation.GetName()}' no longer has the segment '{segment}': "
                "choose its regions again."
            )
        mask = mask_from_segment(case.segmentation, segment, grid)
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
