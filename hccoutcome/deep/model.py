"""The networks under one face: planes, which of them exist and clinical variables in, one number a case out.

The number is that which is explained: the log-odds of the outcome, or of DLOPCTR the logarithm of the cumulative hazard
over all its intervals, which is higher where survival is worse.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from hccoutcome.deep.selection_network import SelectionNetwork
from hccoutcome.deep.tci_network import TciNetwork
from hccoutcome.deep.whole_network import WholeNetwork, planes_features

AT_ONCE = 8
"""Planes whose activations are kept for a gradient at one time."""
Network = SelectionNetwork | WholeNetwork


class DeepModel(nn.Module):
    """A network that gives its number.

    Args:
        network: SELECTION's, or convolutions with what reads their features.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return next(self.network.parameters()).device

    def raw(self, images: Tensor, present: Tensor, clinical: Tensor) -> Tensor:
        """Return what the network itself gives: logits (batch,), or of hazards (batch, intervals).

        Args:
            images: grey levels (batch, planes, rows, columns).
            present: which planes exist, (batch, planes).
            clinical: variables (batch, variables), NaN where not known.
        """
        if isinstance(self.network, SelectionNetwork):
            return self.network(images, clinical)
        return self.network(images, present)

    def forward(self, images: Tensor, present: Tensor, clinical: Tensor) -> Tensor:
        """Return one number a case, (batch,); the arguments are those of ``raw``."""
        return number_of(self.raw(images, present, clinical))

    def filled(self, clinical: Tensor) -> Tensor:
        """Return clinical variables with the training part's median where they are not known."""
        if not isinstance(self.network, SelectionNetwork):
            return clinical
        return torch.where(clinical.isnan(), self.network.clinic.median, clinical)

    def median(self) -> Tensor:
        """Return the training part's median of every clinical variable, (variables,)."""
        if not isinstance(self.network, SelectionNetwork):
            return torch.zeros(0, device=self.device)
        return self.network.clinic.median

    def gradient(self, images: Tensor, present: Tensor, clinical: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the number of one case (1,), and its gradients by grey levels and by clinical variables.

        The arguments are those of ``raw`` with a batch of one and no variable missing.
        """
        if isinstance(self.network, WholeNetwork):
            return self._by_planes(self.network, images, present, clinical)
        planes, values = images.detach().requires_grad_(), clinical.detach().requires_grad_()
        number = self(planes, present, values)
        by_planes, by_values = torch.autograd.grad(number.sum(), (planes, values), materialize_grads=True)
        return number.detach(), by_planes, by_values

    def _by_planes(
        self, network: WholeNetwork, images: Tensor, present: Tensor, clinical: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the same through the convolutions some planes at a time, so that memory does not grow with them."""
        features = planes_features(network.extractor, images[0], present[0]).to(images.device)
        known = features[None].clone().requires_grad_()
        number = number_of(network.reader(known, present))
        (by_features,) = torch.autograd.grad(number.sum(), known)
        gradient = torch.zeros_like(images)
        for some in torch.nonzero(present[0]).flatten().split(AT_ONCE):
            planes = images[0, some].detach().requires_grad_()
            (gradient[0, some],) = torch.autograd.grad(network.extractor(planes), planes, by_features[0, some])
        return number.detach(), gradient, torch.zeros_like(clinical)


def number_of(raw: Tensor) -> Tensor:
    """Return the number that is explained, (batch,), of what a network gives (batch,) or (batch, intervals)."""
    # -log(1 - h) of a logistic hazard is the softplus of its logit.
    return raw if raw.ndim == 1 else functional.softplus(raw).sum(dim=1).log()


def has_attention(model: DeepModel) -> bool:
    """Return whether attention can be followed through a network."""
    return isinstance(model.network, SelectionNetwork) or isinstance(model.network.reader, TciNetwork)
