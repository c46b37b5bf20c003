"""Batches for training: drawn by seed and epoch alone, so that a training that was stopped goes on as if it had not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from hccoutcome.deep.augmentation import Augmenter
from hccoutcome.deep.samples import Indices, Samples

Batch = dict[str, Tensor]
_ORDER, _VIEW, _NETWORK = range(3)


def seed_for(seed: int, epoch: int, purpose: int, case: int = 0) -> int:
    """Return an independent seed below 2^31 for one purpose in one epoch."""
    return int(np.random.SeedSequence((seed, epoch, purpose, case)).generate_state(1)[0] >> 1)


def network_seed(seed: int, epoch: int) -> int:
    """Return the seed of what the network draws in an epoch (dropout)."""
    return seed_for(seed, epoch, _NETWORK)


class DrawnBatches(Sampler[list[tuple[int, int]]]):
    """Batches of ``(epoch, case)``; in epoch -1 all cases in their own order, unchanged.

    Args:
        cases: to draw from.
        batch: cases of a batch.
        seed: of the order.
    """

    def __init__(self, cases: Indices, batch: int, seed: int) -> None:
        self.cases, self.batch, self.seed = cases, batch, seed
        self.epoch = -1

    def __len__(self) -> int:
        return -(-len(self.cases) // self.batch)

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        order = self.cases
        if self.epoch >= 0:
            order = np.random.default_rng(seed_for(self.seed, self.epoch, _ORDER)).permutation(self.cases)
        for start in range(0, len(order), self.batch):
            yield [(self.epoch, int(case)) for case in order[start : start + self.batch]]


class CaseBatches(Dataset[Batch]):
    """The cases of samples, gathered batch by batch.

    Args:
        samples: the cases.
        augmenter: draws views of the input ``images`` in training; none where None.
        seed: of views and variants.
    """

    def __init__(self, samples: Samples, augmenter: Augmenter | None, seed: int) -> None:
        self.samples, self.augmenter, self.seed = samples, augmenter, seed

    def __getitem__(self, index: tuple[int, int]) -> Batch:
        """Return one case as a batch."""
        return self.__getitems__([index])

    def __getitems__(self, indices: Sequence[tuple[int, int]]) -> Batch:
        """Return a batch of ``(epoch, case)``."""
        cases = np.array([case for _, case in indices])
        batch = {name: self._gathered(name, array, indices) for name, array in self.samples.inputs.items()}
        for name, array in self.samples.targets.items():
            batch[name] = torch.from_numpy(np.ascontiguousarray(array[cases]))
        return batch

    def _gathered(self, name: str, array: np.ndarray, indices: Sequence[tuple[int, int]]) -> Tensor:
        cases = np.array([case for _, case in indices])
        if name == self.samples.varied:
            return torch.from_numpy(array[cases, [self._variant(array, *index) for index in indices]])
        found = torch.from_numpy(np.ascontiguousarray(array[cases]))
        if name != "images" or self.augmenter is None:
            return found
        views = [
            planes if epoch < 0 else self.augmenter(planes, seed_for(self.seed, epoch, _VIEW, case))
            for planes, (epoch, case) in zip(found, indices, strict=True)
        ]
        return torch.stack(views)

    def _variant(self, array: np.ndarray, epoch: int, case: int) -> int:
        return 0 if epoch < 0 else seed_for(self.seed, epoch, _VIEW, case) % array.shape[1]


def batches_of(
    samples: Samples, cases: Indices, batch: int, seed: int, augmenter: Augmenter | None, workers: int, device: str
) -> tuple[DrawnBatches, DataLoader[Batch]]:
    """Return batches of some cases, and the sampler whose ``epoch`` is set before each pass.

    Args:
        samples: all cases.
        cases: those to draw from.
        batch: cases of a batch.
        seed: of order, views and variants.
        augmenter: of the input ``images``; none where None.
        workers: processes that gather and augment ahead of the device; 0 does so in this process. The batches do not
            depend on it.
        device: kind of device that they go to.
    """
    drawn = DrawnBatches(cases, batch, seed)
    loader = DataLoader(
        CaseBatches(samples, augmenter, seed),
        batch_sampler=drawn,
        collate_fn=_as_it_is,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=device == "cuda",
        prefetch_factor=4 if workers else None,
    )
    return drawn, loader


def _as_it_is(batch: Any) -> Any:
    return batch
