"""What TotalSegmentator has for the liver: which of its tasks gives which region, from which weights.

The names are those of TotalSegmentator 2.18 (``map_to_binary.py``, ``map_tasks_config.py``); the numbers are the
nnU-Net data sets of its weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from hccoutcome.case import Modality

SEGMENTS = tuple(f"segment{number}" for number in range(1, 9))

WEIGHTS: Mapping[int, str] = MappingProxyType(
    {
        8: "Dataset008_HepaticVessel",
        291: "Dataset291_TotalSegmentator_part1_organs_1559subj",
        292: "Dataset292_TotalSegmentator_part2_vertebrae_1532subj",
        293: "Dataset293_TotalSegmentator_part3_cardiac_1559subj",
        294: "Dataset294_TotalSegmentator_part4_muscles_1559subj",
        295: "Dataset295_TotalSegmentator_part5_ribs_1559subj",
        297: "Dataset297_TotalSegmentator_total_3mm_1559subj",
        298: "Dataset298_TotalSegmentator_total_6mm_1559subj",
        570: "Dataset570_ct_liver_segments",
        576: "Dataset576_mri_liver_segments_120subj",
        589: "Dataset589_ct_mri_liver_lesions_750subj",
        591: "Dataset591_ct_liver_lesions_842subj",
        850: "Dataset850_TotalSegMRI_part1_organs_1088subj",
        851: "Dataset851_TotalSegMRI_part2_muscles_1088subj",
        852: "Dataset852_TotalSegMRI_total_3mm_1088subj",
    }
)
"""Folder of the weights by the number of their data set."""

_DOWNLOADS: Mapping[str, frozenset[int]] = MappingProxyType(
    {
        "total": frozenset((291, 292, 293, 294, 295, 298)),
        "total_fast": frozenset((297, 298)),
        "total_mr": frozenset((850, 851)),
        "total_fast_mr": frozenset((852,)),
        "liver_vessels": frozenset((8,)),
        "liver_segments": frozenset((570,)),
        "liver_segments_mr": frozenset((576,)),
        "liver_lesions": frozenset((591,)),
        "liver_lesions_mr": frozenset((589,)),
    }
)
"""What ``totalseg_download_weights -t NAME`` brings."""


@dataclass(frozen=True)
class LiverTask:
    """One task of TotalSegmentator.

    Attributes:
        task: its name.
        classes: name of the mask (``liver.nii.gz``) by our region.
        computes: the data sets whose weights compute the masks, those that find the liver first included.
        wants: those without which it would start a download.
        arguments: further arguments.
    """

    task: str
    classes: Mapping[str, str]
    computes: tuple[int, ...]
    wants: tuple[int, ...] = ()
    arguments: tuple[str, ...] = ()

    @property
    def needed(self) -> tuple[int, ...]:
        """All data sets that must be there."""
        return tuple(dict.fromkeys((*self.computes, *self.wants)))


_LIVER_ALONE = ("--roi_subset", "liver")
_SEGMENT_CLASSES = {region: f"liver_segment_{number}" for number, region in enumerate(SEGMENTS, start=1)}
_TASKS: Mapping[Modality, tuple[LiverTask, ...]] = MappingProxyType(
    {
        "CT": (
            LiverTask("total", {"liver": "liver"}, (291, 298), (292, 293, 294, 295), _LIVER_ALONE),
            LiverTask("total", {"liver": "liver"}, (297, 298), (), ("--fast", *_LIVER_ALONE)),
            LiverTask("liver_lesions", {"tumor": "liver_lesions"}, (591, 297)),
            LiverTask("liver_vessels", {"vessel": "liver_vessels"}, (8, 298)),
            LiverTask("liver_segments", _SEGMENT_CLASSES, (570, 298)),
        ),
        "MR": (
            LiverTask("total_mr", {"liver": "liver"}, (850, 852), (851,), _LIVER_ALONE),
            LiverTask("total_mr", {"liver": "liver"}, (852,), (), ("--fast", *_LIVER_ALONE)),
            LiverTask("liver_lesions_mr", {"tumor": "liver_lesions"}, (589, 852)),
            LiverTask("liver_segments_mr", _SEGMENT_CLASSES, (576, 852)),
        ),
    }
)
"""By modality; of two tasks for one region the finer one comes first."""


def regions_of(modality: Modality) -> tuple[str, ...]:
    """Return the regions that are given on a modality."""
    return tuple(dict.fromkeys(region for task in _TASKS[modality] for region in task.classes))


def weights_there(folder: Path) -> frozenset[int]:
    """Return the data sets whose weights lie in a folder, as TotalSegmentator unpacks them."""
    return frozenset(number for number, name in WEIGHTS.items() if checkpoints(folder, number))


def checkpoints(folder: Path, number: int) -> tuple[Path, ...]:
    """Return the checkpoints of a data set."""
    return tuple(sorted((folder / WEIGHTS[number]).glob("*/fold_*/checkpoint_final.pth")))


def tasks_for(regions: tuple[str, ...], modality: Modality, there: frozenset[int]) -> tuple[LiverTask, ...]:
    """Return the tasks that give some regions, each the finest whose weights are there, else the finest."""
    chosen: list[LiverTask] = []
    for region in regions:
        able = [task for task in _TASKS[modality] if region in task.classes]
        task = next((task for task in able if there.issuperset(task.needed)), able[0])
        chosen += [] if task in chosen else [task]
    return tuple(chosen)


def downloads_for(numbers: frozenset[int]) -> tuple[str, ...]:
    """Return what to give to ``totalseg_download_weights -t`` to get some data sets."""
    wanted: list[str] = []
    missing = set(numbers)
    while missing:
        name = max(_DOWNLOADS, key=lambda name: len(_DOWNLOADS[name] & missing))
        wanted.append(name)
        missing -= _DOWNLOADS[name]
    return tuple(wanted)
