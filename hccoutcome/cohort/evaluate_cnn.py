"""SELECTION's convolutional comparator in a study: features of a ResNet-50, read by logistic regression.

Its features are those of frozen convolutions, which see every patient alike; selection and regression are learned in
each training part of the study's cross-validation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from hccoutcome.case import CaseFiles
from hccoutcome.cohort.deep_cases import find_cases
from hccoutcome.cohort.evaluate_networks import CaseImages
from hccoutcome.cohort.packaging import LearningData
from hccoutcome.deep.inputs import NetworkInput
from hccoutcome.deep.package import require_torch
from hccoutcome.deep.selection_inputs import VARIABLES, SelectionView, selection_input
from hccoutcome.errors import InputError
from hccoutcome.imaging.prepare import prepare
from hccoutcome.loading import load_case
from hccoutcome.progress import Progress, part, silent
from hccoutcome.trainable import Options, Trainable

if TYPE_CHECKING:
    from hccoutcome.deep.resnet import FeatureExtractor


def _cnn_logistic(options: Options) -> Any:
    from hccoutcome.response.selection_comparators import CnnLogistic

    return CnnLogistic(random_state=options.seed)


CNN_LOGISTIC = Trainable(
    name="cnn-logistic",
    system="cnn-logistic",
    title="ResNet-50 features with logistic regression",
    tasks=("response",),
    modalities=("early",),
    make=_cnn_logistic,
    method=(
        "Features of a ResNet-50 with ImageNet weights, of the slices that SELECTION sees, and its clinical variables "
        "pass univariate tests, a filter of |r| above 0.9 and LASSO with 10-fold cross-validation; a logistic "
        "regression reads what is left."
    ),
    citation="eClinicalMedicine 2024;75:102808, Table 2 (the comparator of SELECTION)",
)
"""A system that studies compare with; it reads images, so that no table alone can train it."""


def extractor_of(images: CaseImages | None) -> FeatureExtractor:
    """Return the comparator's convolutions with the weights that a study names.

    Raises:
        InputError: no images or weights are named, or they are not those of a ResNet-50.
        EnvironmentNeeded: PyTorch or MONAI is not installed.
    """
    if images is None or images.weights is None:
        raise InputError(
            f"'{CNN_LOGISTIC.name}' reads features of a ResNet-50, found no "
            f"{'--images' if images is None else '--weights'}: name the folder of the cases with --images and the file "
            "with ImageNet weights with --weights."
        )
    require_torch()
    from hccoutcome.deep.devices import training_device
    from hccoutcome.deep.resnet import CNN_EXTRACTOR, FeatureExtractor
    from hccoutcome.deep.weights import read_resnet

    extractor = FeatureExtractor(CNN_EXTRACTOR["base"], frozen=True)
    extractor.take_weights(read_resnet(images.weights, CNN_EXTRACTOR["base"]))
    return extractor.to(training_device(images.device))


def with_cnn_features(
    data: LearningData, images: CaseImages, extractor: FeatureExtractor, progress: Progress = silent
) -> tuple[LearningData, tuple[str, ...]]:
    """Return the patients with what the comparator reads, and a note on those whose images cannot be used.

    Args:
        data: the patients of the study.
        images: where their images lie.
        extractor: frozen convolutions.
        progress: told after every case.

    Raises:
        InputError: a patient has no images, or those of nobody can be used.
    """
    from hccoutcome.deep.cnn_features import cnn_features

    cases = list(map(str, data.X.index))
    files = find_cases(images.table, images.root, cases)
    seen = _seen(files, part(progress, 0.0, 0.7))
    if not seen:
        raise InputError(f"SELECTION sees nothing in the images of any of {len(cases)} patients: check --images.")
    found = cnn_features(list(seen.values()), list(seen), extractor, part(progress, 0.7, 1.0)).reindex(cases)
    clinical = data.X[[name for name in VARIABLES if name in data.X.columns]]
    table = pd.concat([clinical, found.set_axis(data.X.index)], axis=1)
    lost = len(cases) - len(seen)
    note = f"{lost} patients whose images cannot be used have the training median in place of features in"
    return replace(data, X=table), (f"{note} {CNN_LOGISTIC.name}.",) if lost else ()


def _seen(files: Mapping[str, CaseFiles], progress: Progress) -> dict[str, NetworkInput]:
    found = {}
    for number, (name, own) in enumerate(files.items()):
        progress(number / len(files), f"Looks at case {number + 1} of {len(files)}")
        try:
            case = load_case(own)
            found[name] = selection_input(case.images, prepare(case.images, case.masks).masks, SelectionView())
        except InputError:  # counted by the caller
            continue
    return found
