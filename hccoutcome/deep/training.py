"""One training loop for all deep systems: early stopping, checkpoints from which it goes on, curves, progress.

Order of batches, views and dropout of an epoch follow from seed and epoch alone, so a training that was stopped and one
that was not give the same weights, bit for bit on a processor (with equally many threads).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn

from hccoutcome.deep.augmentation import Augmenter
from hccoutcome.deep.batches import Batch, batches_of, network_seed
from hccoutcome.deep.checkpoint import load_checkpoint, save_checkpoint, save_tensors
from hccoutcome.deep.devices import enough_memory, reproducible
from hccoutcome.deep.samples import Samples, Split
from hccoutcome.deep.training_settings import TrainingSettings
from hccoutcome.errors import InputError
from hccoutcome.files import sha256_of_json, write_csv
from hccoutcome.progress import Progress, silent

CHECKPOINT, CURVES, TIMES = "checkpoint.safetensors", "curves.csv", "times.csv"
LESS_MEMORY = "choose a smaller batch or a smaller network"

Loss = Callable[[Tensor, Mapping[str, Tensor]], Tensor]
"""Given outputs and targets of a batch; returns one loss for each case."""
Metric = Callable[[NDArray[np.float64], Mapping[str, NDArray[Any]]], float | None]
"""Given outputs and targets of the validation part; returns a figure for the curves, None where there is none."""


@dataclass(frozen=True)
class Epoch:
    """What one epoch came to.

    Attributes:
        epoch: its number, from 0.
        learning_rate: in it.
        training_loss: mean over the training part, with dropout and augmentation.
        validation_loss: mean over the validation part.
        metric: AUC or C-index of the validation part; None where it has none.
    """

    epoch: int
    learning_rate: float
    training_loss: float
    validation_loss: float
    metric: float | None


@dataclass(frozen=True)
class Timing:
    """How long one epoch took in seconds: all of it, and the part in which the device waited for data."""

    epoch: int
    seconds: float
    waiting: float


@dataclass(frozen=True)
class Trained:
    """A training that has ended; the network holds the weights of its best epoch.

    Attributes:
        epochs: what every epoch came to.
        best: epoch with the lowest validation loss, whose weights are kept.
        lowest_training: epoch with the lowest training loss.
        stopped_early: whether it ended before the last epoch allowed.
        timings: of the epochs of this run.
        memory: most bytes that a GPU held; None elsewhere.
    """

    epochs: tuple[Epoch, ...]
    best: int
    lowest_training: int
    stopped_early: bool
    timings: tuple[Timing, ...] = ()
    memory: int | None = None


@dataclass
class _State:
    """How far a training is."""

    epochs: list[Epoch] = field(default_factory=list)

    @property
    def best(self) -> int:
        return int(np.argmin([epoch.validation_loss for epoch in self.epochs]))

    @property
    def lowest_training(self) -> int:
        return int(np.argmin([epoch.training_loss for epoch in self.epochs]))

    def exhausted(self, patience: int) -> bool:
        return bool(self.epochs) and len(self.epochs) - 1 - self.best >= patience


def train(
    network: nn.Module,
    loss: Loss,
    samples: Samples,
    split: Split,
    settings: TrainingSettings,
    folder: Path,
    *,
    device: torch.device | None = None,
    metric: Metric | None = None,
    progress: Progress = silent,
) -> Trained:
    """Train a network and leave it with the weights of the epoch with the lowest validation loss.

    Args:
        network: called with the inputs of a batch in their order; it already knows the training part's statistics.
        loss: of outputs and targets, case by case.
        samples: all cases.
        split: which train, and which tell when to stop.
        settings: of the training.
        folder: for checkpoint, best weights and curves; a training found there goes on.
        device: to train on; the processor where None.
        metric: figure for the curves.
        progress: told how far it is and how long it still takes at most; may stop it between two steps.

    Raises:
        InputError: the folder holds another training, or the loss is no longer finite.
        EnvironmentNeeded: the device's memory or the disk is full.
        Cancelled: the progress callback asked to stop; it goes on from the last checkpoint when called again.
    """
    run = _Run(network, loss, samples, split, settings, folder, device or torch.device("cpu"), metric, progress)
    if run.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(run.device)
    with reproducible(run.device), enough_memory(run.device, LESS_MEMORY):
        return run.to_the_end()


class _Run:
    """One training: what its epochs share."""

    def __init__(
        self,
        network: nn.Module,
        loss: Loss,
        samples: Samples,
        split: Split,
        settings: TrainingSettings,
        folder: Path,
        device: torch.device,
        metric: Metric | None,
        progress: Progress,
    ) -> None:
        self.network, self.loss, self.metric, self.progress = network.to(device), loss, metric, progress
        self.samples, self.settings, self.folder, self.device = samples, settings, folder, device
        self.names = tuple(samples.inputs)
        learned = [parameter for parameter in network.parameters() if parameter.requires_grad]
        self.optimiser = _optimiser(learned, settings, device)
        self.scaler = torch.amp.GradScaler(device.type, enabled=_half(device, settings) is torch.float16)
        workers = settings.workers_for(device.type)
        augmenter = _augmenter(samples, settings)
        common = (settings.batch, settings.seed)
        self.drawn, self.batches = batches_of(samples, split.training, *common, augmenter, workers, device.type)
        _, self.held_out = batches_of(samples, split.validation, *common, None, 0, device.type)
        self.split, self.timings = split, list[Timing]()

    def to_the_end(self) -> Trained:
        """Train until the last epoch or until nothing gets better."""
        identity = self._identity()
        state = self._resumed(identity)
        while len(state.epochs) < self.settings.epochs and not state.exhausted(self.settings.patience):
            self._epoch(state)
            if state.best == len(state.epochs) - 1:
                save_tensors(self._weights(state.best), self.network.state_dict())
            if len(state.epochs) % self.settings.checkpoint_every == 0 or self._ends(state):
                self._save(state, identity)
            self._report(state)
        self._take(state.best)
        return Trained(
            tuple(state.epochs),
            state.best,
            state.lowest_training,
            len(state.epochs) < self.settings.epochs,
            tuple(self.timings),
            torch.cuda.max_memory_allocated(self.device) if self.device.type == "cuda" else None,
        )

    def _ends(self, state: _State) -> bool:
        return len(state.epochs) == self.settings.epochs or state.exhausted(self.settings.patience)

    def _identity(self) -> str:
        """Return a hash of all that the weights depend on beside the state."""
        shapes = {name: list(tensor.shape) for name, tensor in self.network.state_dict().items()}
        parts = {
            "settings": self.settings.to_dict(),
            "samples": self.samples.fingerprint(),
            "training": self.split.training.tolist(),
            "validation": self.split.validation.tolist(),
            "network": shapes,
        }
        return sha256_of_json(parts)

    def _resumed(self, identity: str) -> _State:
        path = self.folder / CHECKPOINT
        if not path.is_file():
            return _State()
        kept = load_checkpoint(path, self.network, self.optimiser)
        if kept.get("identity") != identity:
            raise InputError(
                f"The folder '{self.folder.name}' holds a training with other data or settings: choose another "
                "folder, or remove that training."
            )
        if kept["scale"] is not None:
            self.scaler.load_state_dict(kept["scale"])
        names = [each.name for each in fields(Epoch)]
        state = _State([Epoch(**{name: row[name] for name in names}) for row in kept["epochs"]])
        if not self._weights(state.best).is_file():
            raise InputError(
                f"The folder '{self.folder.name}' lacks the weights of its best epoch: remove the rest too."
            )
        return state

    def _save(self, state: _State, identity: str) -> None:
        rows = [asdict(epoch) for epoch in state.epochs]
        scale = self.scaler.state_dict() or None
        whole = {"epochs": rows, "identity": identity, "scale": scale}
        save_checkpoint(self.folder / CHECKPOINT, self.network, self.optimiser, whole)
        write_csv(self.folder / CURVES, [each.name for each in fields(Epoch)], rows)
        times = [{k: round(v, 4) for k, v in asdict(timing).items()} for timing in self.timings]
        write_csv(self.folder / TIMES, [each.name for each in fields(Timing)], times)
        for path in self.folder.glob(self._weights(0).name.replace("0000", "*")):
            if path != self._weights(state.best):
                path.unlink()

    def _epoch(self, state: _State) -> None:
        number, start = len(state.epochs), time.perf_counter()
        rate = learning_rate([epoch.training_loss for epoch in state.epochs], self.settings)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        torch.manual_seed(network_seed(self.settings.seed, number))
        self.drawn.epoch = number
        waited = _Waited(self.batches)
        training_loss = self._train_once(waited, number)
        validation_loss, metric = self._validate(number)
        state.epochs.append(Epoch(number, rate, training_loss, validation_loss, metric))
        self.timings.append(Timing(number, time.perf_counter() - start, waited.seconds))

    def _train_once(self, batches: Iterable[Batch], number: int) -> float:
        self.network.train()
        total, cases, steps = torch.zeros((), device=self.device), 0, len(self.drawn)
        for step, batch in enumerate(batches):
            each = self._losses(batch)[1]
            self.optimiser.zero_grad(set_to_none=True)
            self.scaler.scale(each.mean()).backward()
            self.scaler.step(self.optimiser)
            self.scaler.update()
            # Summed on the device: asking it for a number would make it wait after every step.
            total += each.detach().float().sum()
            cases += len(each)
            self.progress(self._done(number, step / steps), f"Training, epoch {number + 1}")
        return self._finite(float(total) / cases, number)

    def _validate(self, number: int) -> tuple[float, float | None]:
        self.network.eval()
        losses, outputs, targets = [], [], []
        with torch.inference_mode():
            for batch in self.held_out:
                found, each = self._losses(batch)
                losses.append(each.float().cpu())
                outputs.append(found.float().cpu().numpy())
                targets.append({name: batch[name].numpy() for name in self.samples.targets})
        together = {name: np.concatenate([one[name] for one in targets]) for name in self.samples.targets}
        figure = None if self.metric is None else self.metric(np.concatenate(outputs).astype(np.float64), together)
        return self._finite(float(torch.cat(losses).double().mean()), number), figure

    def _losses(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return outputs and the loss of every case of a batch."""
        there = {name: tensor.to(self.device, non_blocking=True) for name, tensor in batch.items()}
        with self._precision():
            outputs = self.network(*(there[name] for name in self.names))
        return outputs, self.loss(outputs.float(), {name: there[name] for name in self.samples.targets})

    def _precision(self) -> AbstractContextManager[Any]:
        half = _half(self.device, self.settings)
        return nullcontext() if half is None else torch.autocast(self.device.type, half)

    def _finite(self, loss: float, number: int) -> float:
        if not math.isfinite(loss):
            raise InputError(
                f"The loss of epoch {number + 1} is not finite: choose a lower learning rate than "
                f"{self.settings.learning_rate:g} or check the table for values that are far off."
            )
        return loss

    def _done(self, epochs: int, share: float = 0.0) -> float:
        return (epochs + share) / self.settings.epochs

    def _report(self, state: _State) -> None:
        last, count = state.epochs[-1], len(state.epochs)
        seconds = float(np.mean([timing.seconds for timing in self.timings]))
        left = time_left(seconds * (self.settings.epochs - count))
        self.progress(
            self._done(count),
            f"Epoch {count} of at most {self.settings.epochs}: loss {last.training_loss:.4f} in training and "
            f"{last.validation_loss:.4f} in validation, {left}",
        )

    def _weights(self, epoch: int) -> Path:
        """Return the file of an epoch's weights: the best keeps its own until the checkpoint knows a better one."""
        return self.folder / f"weights-{epoch:04d}.safetensors"

    def _take(self, epoch: int) -> None:
        self.network.load_state_dict(load_file(self._weights(epoch), device=str(self.device)))
        self.network.eval()


class _Waited:
    """Batches, and how long it took to get them."""

    def __init__(self, batches: Iterable[Batch]) -> None:
        self.batches, self.seconds = batches, 0.0

    def __iter__(self) -> Iterator[Batch]:
        start = time.perf_counter()
        for batch in self.batches:
            self.seconds += time.perf_counter() - start
            yield batch
            start = time.perf_counter()


def learning_rate(losses: Sequence[float], settings: TrainingSettings) -> float:
    """Return the learning rate of the epoch after those with these training losses.

    With a plateau of n epochs it becomes a tenth each time that n epochs in a row brought no loss below the lowest
    before by more than a ten-thousandth of it, as PyTorch's ReduceLROnPlateau has it.
    """
    if settings.plateau is None:
        return settings.learning_rate
    weight = torch.zeros(1, requires_grad=True)
    optimiser = torch.optim.SGD([weight], lr=settings.learning_rate)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimiser, factor=0.1, patience=settings.plateau - 1)
    for loss in losses:
        schedule.step(loss)
    return float(optimiser.param_groups[0]["lr"])


def time_left(seconds: float) -> str:
    """Return in words how long something still takes at most."""
    if seconds < 90:
        return f"at most {max(round(seconds), 0)} s left"
    minutes = seconds / 60
    return f"at most {minutes:.0f} min left" if minutes < 90 else f"at most {minutes / 60:.1f} h left"


def _optimiser(
    learned: Sequence[nn.Parameter], settings: TrainingSettings, device: torch.device
) -> torch.optim.Optimizer:
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[settings.optimiser]
    return kind(
        learned, lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=device.type == "cuda" or None
    )


def _half(device: torch.device, settings: TrainingSettings) -> torch.dtype | None:
    """Return the 16-bit numbers that a device computes fastest with; None for 32 bits throughout."""
    if device.type != "cuda" or not settings.mixed_precision:
        return None
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16


def _augmenter(samples: Samples, settings: TrainingSettings) -> Augmenter | None:
    if settings.augmentation is None or "images" not in samples.inputs:
        return None
    return Augmenter(settings.augmentation, samples.inputs["images"].shape[-1])
