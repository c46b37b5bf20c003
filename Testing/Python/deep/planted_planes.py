"""Small planes and variables with an outcome that follows from both, as a network has to find out."""

from __future__ import annotations

import numpy as np

from hccoutcome.deep.samples import Samples, Split, split_patients

PIXELS, VARIABLES = 32, 3


def planted(cases: int = 160, seed: int = 0):
    """Return planes (n, 2, 32, 32), variables (n, 3), outcome (n,): a bright corner and the second variable decide."""
    rng = np.random.default_rng(seed)
    images = rng.random((cases, 2, PIXELS, PIXELS)).astype(np.float32) * 0.3
    bright = rng.random(cases)
    images[:, 1, 16:, :16] += (0.6 * bright)[:, None, None].astype(np.float32)
    clinical = rng.normal(size=(cases, VARIABLES)).astype(np.float32)
    score = 6 * (bright - 0.5) + 2 * clinical[:, 1]
    return images, clinical, score > np.median(score)


def names(cases: int) -> tuple[str, ...]:
    return tuple(f"P{number:03d}" for number in range(cases))


def response_samples(settings, cases: int = 160, seed: int = 0, permuted: bool = False) -> tuple[Samples, Split]:
    from hccoutcome.deep.learning import response_targets

    images, clinical, outcome = planted(cases, seed)
    if permuted:
        outcome = np.random.default_rng(99).permutation(outcome)
    split = split_patients(names(cases), outcome, settings.validation, settings.seed)
    targets = response_targets(outcome, split, settings)
    return Samples({"images": images, "clinical": clinical}, targets, names(cases)), split
