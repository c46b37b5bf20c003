"""How the networks are trained, with the papers' figures where they give any."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from hccoutcome.deep.augmentation import Augmentation
from hccoutcome.errors import InputError

Optimiser = Literal["adam", "adamw"]
MOST_WORKERS = 8
LARGEST_SEED = 2**32 - 1
"""That scikit-learn and NumPy take."""


@dataclass(frozen=True)
class TrainingSettings:
    """The settings of one training.

    Attributes:
        epochs: most passes through the training part.
        batch: cases of a step.
        optimiser: ``"adam"`` or ``"adamw"``.
        learning_rate: at the start.
        weight_decay: of the optimiser.
        patience: epochs without a better validation loss after which training stops.
        plateau: epochs without a better training loss after which the learning rate is a tenth; never where None.
        augmentation: views of the planes; the planes as they are where None.
        variants: augmented views of each case whose features are computed beforehand, where convolutions are frozen.
        class_weights: whether both outcomes count alike however frequent they are.
        validation: share of the patients that tells when to stop.
        seed: of everything random.
        workers: processes that prepare batches; on a GPU as many as there are cores, up to eight, and else none, where
            None.
        mixed_precision: whether a GPU may compute in 16 bits what bears it.
        checkpoint_every: epochs between checkpoints.
    """

    epochs: int = 100
    batch: int = 32
    optimiser: Optimiser = "adamw"
    learning_rate: float = 1e-4
    weight_decay: float = 1e-2
    patience: int = 15
    plateau: int | None = None
    augmentation: Augmentation | None = field(default_factory=Augmentation)
    variants: int = 4
    class_weights: bool = True
    validation: float = 0.2
    seed: int = 0
    workers: int | None = None
    mixed_precision: bool = True
    checkpoint_every: int = 1

    def __post_init__(self) -> None:
        least = {"epochs": 1, "batch": 1, "patience": 1, "variants": 0, "seed": 0, "checkpoint_every": 1}
        for name, bound in least.items():
            if getattr(self, name) < bound:
                raise InputError(f"'{name}' of the training is at least {bound}, found {getattr(self, name)}.")
        if self.seed > LARGEST_SEED:
            raise InputError(f"'seed' of the training is at most {LARGEST_SEED}, found {self.seed}.")
        if not self.learning_rate > 0 or not self.weight_decay >= 0:
            raise InputError(
                "The learning rate lies above 0 and the weight decay is not negative, found "
                f"{self.learning_rate:g} and {self.weight_decay:g}: correct them."
            )

    def to_dict(self) -> dict[str, Any]:
        """Return JSON data that tells all that the result depends on; the number of workers is not among it."""
        return {name: value for name, value in asdict(self).items() if name not in ("workers", "checkpoint_every")}

    def workers_for(self, device: str) -> int:
        """Return how many processes prepare batches for a kind of device."""
        if self.workers is not None:
            return self.workers
        # On Windows every process would take a copy of all planes.
        if device != "cuda" or sys.platform == "win32":
            return 0
        return min(MOST_WORKERS, max((os.cpu_count() or 1) - 1, 0))


SELECTION_TRAINING = TrainingSettings()
"""The paper names none of these in its text: they are ours."""
TCI_TRAINING = TrainingSettings(
    epochs=50, batch=16, optimiser="adamw", learning_rate=1e-5, weight_decay=1e-5, patience=5
)
"""TCI, "Model Construction": AdamW, 1e-5, weight decay 1e-5, 50 epochs, stop after 5 without change."""
DLOPCTR_TRAINING = TrainingSettings(
    epochs=500,
    batch=32,
    optimiser="adam",
    learning_rate=1e-3,
    weight_decay=1e-4,
    patience=20,
    plateau=10,
    class_weights=False,
)
"""DLOPCTR, Appendix E3: Adam, 1e-3 (the text also says 1e-4), weight decay 1e-4, batch 32, at most 500 epochs, a tenth
of the learning rate after 10 epochs without a better training loss, stop after 20 without a better validation loss."""
