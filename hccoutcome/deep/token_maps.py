"""Attention rollout in terms of what the network reads: of every patch, plane and clinical variable, its part.

SELECTION (eClinicalMedicine 2024;75:102808, "Visualization of SELECTION"): heads averaged, identity added, rows
normalised, layers multiplied (``rollout``). The paper reads the row of the class token; where the head reads the mean
of the tokens, as in the networks here, the mean over the rows stands in its place. The parts sum to 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hccoutcome.deep.model import DeepModel
from hccoutcome.deep.rollout import attention_rollout
from hccoutcome.deep.selection_network import SelectionNetwork
from hccoutcome.deep.tci_network import TciNetwork
from hccoutcome.errors import InputError


@dataclass(frozen=True, eq=False)
class Parts:
    """How much of the attention goes back to what was read; everything together is 1.

    Attributes:
        planes: for each plane an array of cells, 0 where it is missing.
        whole: what goes to each plane as a whole beside its cells (its class token).
        variables: of each clinical variable.
    """

    planes: list[NDArray[np.float64]]
    whole: NDArray[np.float64]
    variables: NDArray[np.float64]

    @property
    def of_planes(self) -> NDArray[np.float64]:
        """What goes to each plane, its cells and the rest, (planes,)."""
        return np.array([cells.sum() for cells in self.planes]) + self.whole


def attention_parts(model: DeepModel, images: Tensor, present: Tensor, clinical: Tensor) -> Parts:
    """Return the attention rollout of one case.

    Args:
        model: in evaluation.
        images: grey levels (1, planes, rows, columns).
        present: which planes exist, (1, planes).
        clinical: variables (1, variables).

    Raises:
        InputError: the network has no attention.
    """
    network = model.network
    with torch.no_grad():
        if isinstance(network, SelectionNetwork):
            return _of_selection(network, images, clinical)
        if isinstance(network.reader, TciNetwork):
            features = network.features(images, present)
            return _of_instances(network.reader, features, present)
    raise InputError("The network has no attention that could be followed: choose the method 'gradcam' or 'shap'.")


def _of_selection(network: SelectionNetwork, images: Tensor, clinical: Tensor) -> Parts:
    rows = attention_rollout(network.attention(images, clinical)[1])[0]
    part = rows.mean(dim=0).double().cpu().numpy()
    tokens = network.tokens
    phases = range(tokens.phases)
    return Parts(
        [part[tokens.patches(phase)].reshape(tokens.side, tokens.side) for phase in phases],
        np.array([part[tokens.class_token(phase)] for phase in phases]),
        part[tokens.variable(0) :] if tokens.variables else np.zeros(0),
    )


def _of_instances(reader: TciNetwork, features: Tensor, present: Tensor) -> Parts:
    """Return the part of every slice, a token each; rows of missing ones have no say."""
    rows = attention_rollout(reader.attention(features, present)[1])[0]
    part = rows[present[0]].mean(dim=0).double().cpu().numpy()
    return Parts([np.full((1, 1), value) for value in part], np.zeros(len(part)), np.zeros(0))
