"""The habitats' colours are told apart by readers with and without a colour vision deficiency."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from hccoutcome.habitat.palette import PALETTE, habitat_colour

MACHADO = {
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
"""How linear RGB is seen with each deficiency (Machado et al. 2009, IEEE TVCG 15:1291, table 1, severity 1)."""


def seen(colours: np.ndarray, vision: str) -> np.ndarray:
    """Return sRGB colours (n, 3) of 0 to 1 as they are seen."""
    if vision == "usual":
        return colours
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    linear = np.clip(linear @ np.array(MACHADO[vision]).T, 0, 1)
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)


def closest(colours: np.ndarray) -> float:
    """Return the CIEDE2000 distance of the two colours that are most alike."""
    lab = rgb2lab(colours[None])[0]
    return float(deltaE_ciede2000(lab[:, None], lab[None])[np.triu_indices(len(lab), 1)].min())


@pytest.mark.parametrize("vision", ["usual", *MACHADO])
def test_colours_are_told_apart_with_every_kind_of_vision(vision: str) -> None:
    colours = seen(np.array(PALETTE) / 255, vision)
    assert closest(colours) > 10, "ten habitats"
    assert closest(colours[:4]) > 20, "the few that most tumours have"


def test_the_measure_finds_a_red_and_a_green_that_only_some_readers_tell_apart() -> None:
    pair = np.array([[180, 80, 40], [90, 120, 30]]) / 255
    assert closest(seen(pair, "usual")) > 40
    assert closest(seen(pair, "deuteranopia")) < 10


def test_colours_come_again_after_the_last() -> None:
    assert habitat_colour(1) == PALETTE[0]
    assert habitat_colour(len(PALETTE) + 2) == PALETTE[1]
