"""nnU-Net v2: a person's own trained model folder, run in the environment that has nnU-Net.

The folder is what training leaves behind and ``nnUNetv2_export_model_to_zip`` packs: ``plans.json``, ``dataset.json``
and ``fold_N/checkpoint_final.pth``. nnU-Net loads these checkpoints with ``weights_only=False``: whoever wrote the file
can run any code on the machine that opens it. So a folder is only run once its owner has said that it is their own,
and only as long as not one byte of it changes.

Source: Isensee et al., Nature Methods 2021;18:203-211.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import SimpleITK as sitk

from hccoutcome.case import MODALITIES, Modality, canonical_phase
from hccoutcome.errors import EnvironmentNeeded, InputError
from hccoutcome.imaging.geometry import same_geometry
from hccoutcome.processes import run_program
from hccoutcome.progress import Progress, part
from hccoutcome.segmentation.devices import device_failed, device_record, devices_of
from hccoutcome.segmentation.engine import Card, Draft, Offer, Readiness, Task
from hccoutcome.segmentation.exchange import (
    check_ended,
    foreign_environment,
    hash_of_files,
    mask_of,
    one_hash,
    read_labels,
    workspace,
    write_image,
)
from hccoutcome.segmentation.label_map import LabelMap, check_some, labels_by_name, parse_label_map
from hccoutcome.segmentation.setup import Setup, installed_version, program_beside, python_beside, read_setup
from hccoutcome.strict_json import parse_json

PROGRAM = "nnUNetv2_predict_from_modelfolder"
CHECKPOINT = "checkpoint_final.pth"
TRUST = (
    "nnU-Net runs code that a checkpoint may hold, so whoever made this folder can do on this machine what you can. "
    "Only trust a folder that you trained yourself or got from someone whom you would let do that."
)
_FOLD = re.compile(r"fold_(\d+|all)")
_PERCENT = re.compile(r"^\s*(\d{1,3})%\|")
_CASE = "case"


@dataclass(frozen=True)
class ModelFolder:
    """A trained model folder, as far as its two JSON files tell.

    Attributes:
        path: the folder.
        name: of its data set.
        labels: values by the label's name, those of regions with all their values.
        channels: names of the images that it takes, in their order.
        ending: of the files that it reads and writes.
        folds: its trained folds.
    """

    path: Path
    name: str
    labels: Mapping[str, tuple[int, ...]]
    channels: tuple[str, ...]
    ending: str
    folds: tuple[str, ...]

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that nnU-Net reads."""
        checkpoints = [self.path / f"fold_{fold}" / CHECKPOINT for fold in self.folds]
        return (self.path / "plans.json", self.path / "dataset.json", *checkpoints)

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """The modalities of its images; both where their names do not tell."""
        if any(name.strip().lower() == "ct" for name in self.channels):
            return ("CT",)
        return (
            ("MR",)
            if all(re.match(r"mr|t1|t2|dwi|adc|flair|hbp", name.lower()) for name in self.channels)
            else MODALITIES
        )


def read_model_folder(path: Path) -> ModelFolder:
    """Read what a trained model folder is for; its checkpoints are not opened.

    Raises:
        InputError: it is not such a folder.
    """
    dataset, plans = (_read_json(path / name) for name in ("dataset.json", "plans.json"))
    where = f"'{path.name}/dataset.json'"
    try:
        labels = {str(name): _values(value) for name, value in dataset["labels"].items()}
        names = dataset.get("channel_names") or dataset["modality"]
        channels = tuple(str(names[key]) for key in sorted(names, key=int))
        ending = str(dataset["file_ending"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"{where} should state labels, channel_names and file_ending as nnU-Net v2 does, found {error!r}: give the "
            "folder of a trained nnU-Net v2 model."
        ) from error
    folds = sorted(
        match[1]
        for entry in path.iterdir()
        if (match := _FOLD.fullmatch(entry.name)) and (entry / CHECKPOINT).is_file()
    )
    if not folds:
        raise InputError(
            f"The model folder '{path.name}' should hold fold_0/{CHECKPOINT} or the like, found none: give the folder "
            "of a model that was trained to its end."
        )
    if not re.fullmatch(r"\.nii(\.gz)?|\.nrrd|\.mha", ending):
        raise InputError(f"{where}: images end in .nii.gz, .nii, .nrrd or .mha, found '{ending}': use another model.")
    return ModelFolder(path, str(plans.get("dataset_name", path.name)), labels, channels, ending, tuple(folds))


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"The model folder '{path.parent.name}' should hold {path.name}, which cannot be read ({error.strerror}): "
            "give the folder of a trained nnU-Net v2 model."
        ) from error
    data = parse_json(content, f"'{path.parent.name}/{path.name}'")
    if not isinstance(data, dict):
        raise InputError(
            f"'{path.parent.name}/{path.name}' should be an object with named fields: give another folder."
        )
    return data


def _values(value: Any) -> tuple[int, ...]:
    """Return the values of a label: one number, or several for a region."""
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(number, int) and not isinstance(number, bool) for number in values):
        raise ValueError(value)
    return tuple(values)


def fingerprint(model: ModelFolder) -> str:
    """Return one SHA256 for all that nnU-Net reads of a model folder."""
    return one_hash(hash_of_files(model.files, model.path))


@dataclass(frozen=True)
class NnUnet:
    """The engine, as a person has set it up."""

    setup: Setup = field(default_factory=Setup)

    @property
    def card(self) -> Card:
        """What the engine says of itself: what the model's labels name; liver and tumour where there is no model."""
        model = self._model_or_none()
        regions = tuple(self.label_map(model)) if model else ("liver", "tumor")
        modalities = model.modalities if model else MODALITIES
        program = program_beside(self.setup.python, PROGRAM)
        return Card(
            name="nnunet",
            title=f"nnU-Net v2 ({model.name})" if model else "nnU-Net v2",
            version=installed_version(python_beside(program), "nnunetv2") if program else "",
            offers=tuple(Offer(region, ("none",), modalities) for region in regions),
            licence="Apache-2.0; the model's own licence is its author's to tell",
            citation="Isensee F, et al. Nature Methods 2021;18:203-211, doi 10.1038/s41592-020-01008-z",
            weights="a trained model folder of your own",
        )

    def _model_or_none(self) -> ModelFolder | None:
        try:
            return None if self.setup.model is None else read_model_folder(self.setup.model)
        except InputError:
            return None  # said by readiness

    def label_map(self, model: ModelFolder) -> LabelMap:
        """Return the labels of each region that the model gives.

        Raises:
            InputError: no label names a region of ours, or what was set does not fit the model.
        """
        if self.setup.labels:
            return parse_label_map(self.setup.labels, model.labels)
        return check_some(labels_by_name(model.labels), model.labels, f"the model '{model.name}'")

    def readiness(self, task: Task | None = None) -> Readiness:
        """Return whether program and model are there and the model is trusted; its bytes are compared when it runs."""
        if program_beside(self.setup.python, PROGRAM) is None:
            return Readiness(
                False,
                "install nnunetv2 into a Python environment of its own and name that Python: hcc engine nnunet "
                "--python PYTHON.",
            )
        if self.setup.model is None:
            return Readiness(False, "name the folder of a trained model: hcc engine nnunet --model FOLDER.")
        try:
            self.label_map(read_model_folder(self.setup.model))
        except InputError as error:
            return Readiness(False, str(error))
        if not self.setup.trusted:
            return Readiness(
                False,
                f"if you trained the model in '{self.setup.model}' yourself, or would let its author use this machine "
                "(nnU-Net runs code that a checkpoint may hold), say so: hcc engine nnunet --trust.",
            )
        return Readiness(True)

    def segment(self, task: Task, progress: Progress) -> Draft:
        """Outline the regions of a task by one run of the model with all its folds."""
        readiness, program = self.readiness(task), program_beside(self.setup.python, PROGRAM)
        if not readiness.ready or program is None or self.setup.model is None:
            raise EnvironmentNeeded(f"The engine 'nnunet' is not ready on this machine: {readiness.step}")
        model = read_model_folder(self.setup.model)
        labels = self.label_map(model)
        images = channels_of(model, task)
        progress(0.0, "checking the model")
        hashes = hash_of_files(model.files, model.path)
        if one_hash(hashes) != self.setup.trusted:
            raise EnvironmentNeeded(
                f"The model in '{model.path}' has changed since it was trusted: find out why, and if it is yours trust "
                "it again: hcc engine nnunet --trust."
            )
        with workspace() as folder:
            found, device = self._predict(program, model, images, folder, part(progress, 0.05, 0.98))
        masks = {region: mask_of(found, labels[region]) for region in task.regions}
        versions = {name: installed_version(python_beside(program), name) for name in ("nnunetv2", "torch")}
        record = {
            "version": versions["nnunetv2"] or "unknown",
            "settings": {
                "model": model.name,
                "labels": {region: list(labels[region]) for region in task.regions},
                "folds": list(model.folds),
                "channels": list(model.channels),
            },
            "weights": hashes,
            "libraries": {name: version for name, version in versions.items() if version},
            **device,
        }
        return Draft(masks, record)

    def _predict(
        self, program: Path, model: ModelFolder, images: Sequence[sitk.Image], folder: Path, progress: Progress
    ) -> tuple[sitk.Image, dict[str, str]]:
        """Return the model's labels for some images, and on which device they were computed."""
        source, target = folder / "in", folder / "out"
        source.mkdir()
        for number, image in enumerate(images):
            write_image(image, source / f"{_CASE}_{number:04d}{model.ending}")
        paths = dict.fromkeys(("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"), str(folder))
        environment = foreign_environment(folder, {**paths, "nnUNet_compile": "f"})
        progress(0.0, "looking for devices")
        devices = devices_of(python_beside(program), environment, self.setup.device)
        for device in devices:
            command = predict_command(program, model, source, target, device)
            ended = run_program(command, environment, folder, FoldReader(len(model.folds)), progress)
            if ended.status == 0 or not device_failed(ended.lines):
                break
        check_ended(ended, "nnU-Net")
        labels = read_labels(target / f"{_CASE}{model.ending}", images[0], "nnU-Net")
        return labels, device_record(self.setup.device, devices, device)


def segmenter() -> NnUnet:
    """Return the engine as it is set up on this machine."""
    return NnUnet(read_setup("nnunet"))


def channels_of(model: ModelFolder, task: Task) -> tuple[sitk.Image, ...]:
    """Return the images of a task in the order of the model's channels.

    A model with one channel takes the first image. The channels of others are named as phases are.

    Raises:
        InputError: a channel's phase is missing, or lies on another grid than the first image.
    """
    if len(model.channels) == 1:
        return (task.reference,)
    found = []
    for name in model.channels:
        phase = canonical_phase(name)
        if phase not in task.images:
            listed = ", ".join(task.images)
            raise InputError(f"The model '{model.name}' takes the {phase} image too, found {listed}: give it as well.")
        if not same_geometry(task.images[phase], task.reference):
            raise InputError(
                f"The {phase} image was expected on the grid of the first image, since the model '{model.name}' sees "
                "both at once, found another grid: resample it first."
            )
        found.append(task.images[phase])
    return tuple(found)


def predict_command(program: Path, model: ModelFolder, source: Path, target: Path, device: str) -> list[str]:
    """Return the command that runs all folds of a model on the images in a folder."""
    words = [program, "-i", source, "-o", target, "-m", model.path, "-f", *model.folds, "-chk", CHECKPOINT]
    return [str(word) for word in (*words, "-device", device, "-npp", "1", "-nps", "1")]


class FoldReader:
    """Turns the program's lines into progress: it shows one bar for each fold."""

    def __init__(self, folds: int) -> None:
        self._folds, self._fold, self._last = max(folds, 1), 0, 0

    def __call__(self, line: str) -> tuple[float, str] | None:
        """Return the fraction done, None for a line that tells nothing."""
        text = line.strip().lower()
        if text.startswith("predicting"):
            return 0.05, "running the network"
        if text.startswith(("sending off", "done with")):
            return 0.97, "saving the masks"
        percent = _PERCENT.match(line)
        if percent is None:
            return None
        value = min(int(percent[1]), 100)
        if value < self._last:
            self._fold = min(self._fold + 1, self._folds - 1)
        self._last = value
        return 0.05 + 0.9 * (self._fold + value / 100) / self._folds, "running the network"
