"""Features of a pretrained ResNet as columns of a table: what SELECTION's convolutional comparator learns from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch

from hccoutcome.deep.inputs import NetworkInput
from hccoutcome.deep.resnet import FeatureExtractor
from hccoutcome.deep.whole_network import planes_features
from hccoutcome.naming import FeatureName
from hccoutcome.progress import Progress, silent

REGION = "liver"
"""Region that the plane of SELECTION shows."""


def cnn_features(
    seen: Sequence[NetworkInput], cases: Sequence[str], extractor: FeatureExtractor, progress: Progress = silent
) -> pd.DataFrame:
    """Return one row a case and one column for each phase and channel: ``arterial_liver_resnet_pool_Channel0017``.

    Args:
        seen: what SELECTION sees of each case (``selection_inputs``).
        cases: their names, for the index ``case_id``.
        extractor: frozen, on the device that it is to run on.
        progress: told how far it is.
    """
    extractor.eval()
    rows = []
    for number, one in enumerate(seen):
        found = planes_features(extractor, torch.from_numpy(one.pixels), torch.from_numpy(one.present))
        rows.append(np.where(one.present[:, None], found.numpy(), np.nan).ravel())
        progress((number + 1) / len(seen), f"Features of case {number + 1} of {len(seen)}")
    columns = [
        str(FeatureName(plane.phase, REGION, f"resnet_pool_Channel{channel:04d}"))
        for plane in seen[0].planes
        for channel in range(extractor.size.channels)
    ]
    return pd.DataFrame(rows, index=pd.Index(cases, name="case_id"), columns=columns, dtype=float)
