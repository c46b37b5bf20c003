"""MedSAM's network on the slices of a box; only loaded in the process that computes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
import torch
from torch.nn import functional

from hccoutcome.progress import Progress
from hccoutcome.segmentation.checkpoints import read_parameters
from hccoutcome.segmentation.sam import Sam, load_sam
from hccoutcome.segmentation.sam_settings import SamSettings
from hccoutcome.segmentation.slices import Rectangle, as_seen, between, outline, slices_to_do, squared

IMAGE, LABELS = "image.nrrd", "labels.nrrd"


def answer(request: Mapping[str, Any], folder: Path, device: str, progress: Progress) -> dict[str, Any]:
    """Outline what the boxes of a request hold and write the labels.

    Raises:
        InputError: the checkpoint is not one of such a network.
    """
    progress(0.0, "loading the network")
    settings = SamSettings(**{**request["settings"], "everywhere": tuple(request["settings"]["everywhere"])})
    network = load_sam(read_parameters(Path(request["checkpoint"])), settings).to(device)
    image = sitk.ReadImage(str(folder / IMAGE))
    found: dict[int, Rectangle] = {int(index): tuple(box) for index, box in request["rectangles"].items()}
    seen = as_seen(sitk.GetArrayViewFromImage(image), request["modality"])
    step = request["step"]
    count = sum(map(len, slices_to_do(tuple(found), step)))
    masks: dict[int, np.ndarray] = {}

    def predict(index: int, box: Rectangle) -> np.ndarray:
        progress(0.05 + 0.9 * len(masks) / count, f"slice {len(masks) + 1} of {count}")
        return slice_mask(network, seen[index], box, device)

    for index, mask in outline(predict, found, step, tuple(request["margin"])):
        masks[index] = mask
    progress(0.96, "filling the slices between")
    columns, rows, _ = image.GetSpacing()
    labels = sitk.GetImageFromArray(between(masks, (rows, columns), len(seen)).astype(np.uint8))
    labels.CopyInformation(image)
    sitk.WriteImage(labels, str(folder / LABELS))
    return {"slices": sorted(masks)}


@torch.inference_mode()
def slice_mask(network: Sam, pixels: np.ndarray, box: Rectangle, device: str) -> np.ndarray:
    """Return the mask (bool) of one slice (rows, columns; 0 to 255) from a box in its pixels."""
    size = network.settings.size
    square = torch.from_numpy(squared(pixels, size)).to(device)
    rows, columns = pixels.shape
    scaled = torch.tensor([box], dtype=torch.float32) / torch.tensor([columns, rows, columns, rows]) * size
    logits = network(square.expand(1, 3, -1, -1), scaled.to(device))
    inside = functional.interpolate(torch.sigmoid(logits), (rows, columns), mode="bilinear", align_corners=False)
    return (inside[0, 0] > 0.5).cpu().numpy()
