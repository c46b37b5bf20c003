"""Each deep system's training: the same loop with its own network, loss and figures, from planes to fitted weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch.nn import functional

from hccoutcome.deep.augmentation import Augmenter
from hccoutcome.deep.batches import seed_for
from hccoutcome.deep.cache import Cache
from hccoutcome.deep.devices import reproducible
from hccoutcome.deep.dlopctr_network import DlopctrNetwork
from hccoutcome.deep.hazards import followed, likelihood_loss, risk_of
from hccoutcome.deep.inputs import digest
from hccoutcome.deep.resnet import FeatureExtractor
from hccoutcome.deep.samples import Samples, Split, class_weights
from hccoutcome.deep.selection_network import SelectionNetwork, SelectionSize
from hccoutcome.deep.tci_network import TciNetwork, TciSize
from hccoutcome.deep.training import Trained, train
from hccoutcome.deep.training_settings import TrainingSettings
from hccoutcome.deep.whole_network import WholeNetwork, planes_features
from hccoutcome.progress import Progress, silent

_VIEWS = 7
"""Purpose of the seeds of views whose features are computed beforehand, among those of ``batches``."""


@dataclass(frozen=True)
class Place:
    """Where a training runs and where it keeps what it needs to go on."""

    folder: Path
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    progress: Progress = silent


def response_loss(logits: Tensor, targets: Mapping[str, Tensor]) -> Tensor:
    """Return the weighted binary cross-entropy of every case, of logits (n,) and the targets outcome and weight."""
    every = functional.binary_cross_entropy_with_logits(logits, targets["outcome"], reduction="none")
    return every * targets["weight"]


def survival_loss(logits: Tensor, targets: Mapping[str, Tensor]) -> Tensor:
    """Return minus the log-likelihood of every case, of logits (n, intervals) and the targets survived and failed."""
    return likelihood_loss(logits, targets["survived"], targets["failed"])


def area_under_curve(logits: NDArray[np.float64], targets: Mapping[str, NDArray[Any]]) -> float | None:
    """Return the AUC; None where there is one outcome only."""
    outcome = targets["outcome"] > 0
    return None if outcome.all() or not outcome.any() else float(roc_auc_score(outcome, logits))


def concordance(logits: NDArray[np.float64], targets: Mapping[str, NDArray[Any]]) -> float | None:
    """Return Harrell's C-index of the cumulative hazard; None where no two patients can be compared."""
    from sksurv.exceptions import NoComparablePairException
    from sksurv.metrics import concordance_index_censored

    risk = risk_of(1 / (1 + np.exp(-logits)))
    try:
        return float(concordance_index_censored(targets["event"].astype(bool), targets["time"], risk)[0])
    except (NoComparablePairException, ValueError):
        return None


def response_targets(
    outcome: NDArray[np.bool_], split: Split, settings: TrainingSettings
) -> dict[str, NDArray[np.float32]]:
    """Return the targets of ``response_loss``: the outcome and each case's weight, learned from the training part.

    Raises:
        InputError: the training part has one outcome only.
    """
    weights = class_weights(outcome, split.training)
    known = np.asarray(outcome, np.float32)
    return {"outcome": known, "weight": weights if settings.class_weights else np.ones_like(weights)}


def survival_targets(
    time: NDArray[np.float64], event: NDArray[np.bool_], breaks: NDArray[np.float64]
) -> dict[str, NDArray[Any]]:
    """Return the targets of ``survival_loss``, and time (months) and event for the C-index."""
    survived, failed = followed(time, event, breaks)
    return {"survived": survived, "failed": failed, "time": np.asarray(time, float), "event": np.asarray(event, bool)}


def learn_selection(
    samples: Samples, split: Split, size: SelectionSize, settings: TrainingSettings, place: Place
) -> tuple[SelectionNetwork, Trained]:
    """Train SELECTION, or its ViT where there are no clinical variables.

    Args:
        samples: inputs ``images`` (n, phases, rows, columns) and ``clinical`` (n, variables); ``response_targets``.
        split: by patient.
        size: of the network.
        settings: of the training.
        place: where it runs.
    """
    images, clinical = samples.inputs["images"], samples.inputs["clinical"]
    with reproducible(place.device):
        torch.manual_seed(settings.seed)
        network = SelectionNetwork(size, clinical.shape[1])
    network.learn_statistics((images[case] for case in split.training), clinical[split.training])
    return network, _train(network, samples, split, settings, place)


def learn_tci(
    samples: Samples, split: Split, size: TciSize, settings: TrainingSettings, place: Place
) -> tuple[TciNetwork, Trained]:
    """Train the TCI transformer on features of frozen convolutions.

    Args:
        samples: inputs ``features`` (n, variants, instances, channels; ``case_features``) and ``present``
            (n, instances); ``response_targets``.
        split: by patient.
        size: of the network.
        settings: of the training.
        place: where it runs.
    """
    with reproducible(place.device):
        torch.manual_seed(settings.seed)
        network = TciNetwork(size)
    _learn_features(network, samples, split)
    return network, _train(network, samples, split, settings, place)


def learn_dlopctr(
    samples: Samples, split: Split, settings: TrainingSettings, place: Place
) -> tuple[DlopctrNetwork, Trained]:
    """Train DLOPCTR's fully connected layer on features of frozen convolutions.

    Args:
        samples: inputs ``features`` (n, variants, patches, channels; ``case_features``) and ``present`` (n, patches);
            ``survival_targets``.
        split: by patient.
        settings: of the training.
        place: where it runs.
    """
    survived, failed = samples.targets["survived"], samples.targets["failed"]
    with reproducible(place.device):
        torch.manual_seed(settings.seed)
        network = DlopctrNetwork(samples.inputs["features"].shape[-1], survived.shape[1])
    _learn_features(network, samples, split)
    network.start_at(survived[split.training], failed[split.training])
    return network, _train(network, samples, split, settings, place)


def learn_from_scratch(
    extractor: FeatureExtractor,
    reader: TciNetwork | DlopctrNetwork,
    samples: Samples,
    split: Split,
    settings: TrainingSettings,
    place: Place,
) -> tuple[WholeNetwork, Trained]:
    """Train convolutions and reader together, where no weights to start from are at hand.

    Args:
        extractor: not frozen.
        reader: of its features, which are not standardised: they change as it learns.
        samples: inputs ``images`` (n, planes, rows, columns) and ``present`` (n, planes); targets of the system.
        split: by patient.
        settings: of the training.
        place: where it runs.
    """
    if isinstance(reader, DlopctrNetwork):
        reader.start_at(samples.targets["survived"][split.training], samples.targets["failed"][split.training])
    network = WholeNetwork(extractor, reader)
    return network, _train(network, samples, split, settings, place)


def case_features(
    extractor: FeatureExtractor,
    images: NDArray[np.float32],
    present: NDArray[np.bool_],
    settings: TrainingSettings,
    place: Place,
    cache: Cache | None = None,
) -> NDArray[np.float32]:
    """Return features of every case as it is and of augmented views, shape (n, 1 + variants, planes, channels).

    Args:
        extractor: frozen; it is moved to the device.
        images: planes (n, planes, rows, columns).
        present: which exist, (n, planes).
        settings: how many views, and how far they differ.
        place: where it runs.
        cache: where the features of a case are kept, so that a training that was stopped does not compute them again.
    """
    views = settings.variants if settings.augmentation is not None else 0
    augmenter = None if settings.augmentation is None else Augmenter(settings.augmentation, images.shape[-1])
    extractor = extractor.to(place.device).eval()
    found = np.zeros((len(images), 1 + views, images.shape[1], extractor.size.channels), np.float32)

    def compute(case: int) -> NDArray[np.float32]:
        whole, exist = torch.from_numpy(np.array(images[case])), torch.from_numpy(np.array(present[case]))
        rows = np.zeros(found.shape[1:], np.float32)
        for view in range(1 + views):
            drawn = whole
            if view and augmenter is not None:
                drawn = augmenter(whole, seed_for(settings.seed, view, _VIEWS, case))
            rows[view] = planes_features(extractor, drawn, exist).numpy()
        return rows

    depends = {name: settings.to_dict()[name] for name in ("augmentation", "seed")}
    weights = "" if cache is None else _digest_of(extractor)

    def known(case: int, kept: Cache) -> NDArray[np.float32]:
        own = {**depends, "views": views, "case": case, "device": place.device.type}
        key = digest("features", weights, own, np.array(images[case]).tobytes(), np.array(present[case]).tobytes())
        return kept.arrays(key, lambda: ({"features": compute(case)}, {}))[0]["features"]

    for case in range(len(images)):
        found[case] = compute(case) if cache is None else known(case, cache)
        place.progress((case + 1) / len(images), f"Features of case {case + 1} of {len(images)}")
    return found


def _digest_of(extractor: FeatureExtractor) -> str:
    tensors = extractor.state_dict()
    return digest(extractor.size.to_dict(), *(tensor.cpu().numpy().tobytes() for tensor in tensors.values()))


def _learn_features(network: TciNetwork | DlopctrNetwork, samples: Samples, split: Split) -> None:
    plain, present = samples.inputs["features"][:, 0], samples.inputs["present"]
    network.learn_statistics(plain[split.training], present[split.training])


def _train(network: nn.Module, samples: Samples, split: Split, settings: TrainingSettings, place: Place) -> Trained:
    survival = "survived" in samples.targets
    return train(
        network,
        survival_loss if survival else response_loss,
        samples,
        split,
        settings,
        place.folder,
        device=place.device,
        metric=concordance if survival else area_under_curve,
        progress=place.progress,
    )
