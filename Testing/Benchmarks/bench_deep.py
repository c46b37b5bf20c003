"""Training of the deep systems against a plain PyTorch loop on the same machine, and how long a device waits for data.

``python Testing/Benchmarks/bench_deep.py`` takes the processor, or a CUDA device where PyTorch finds one; on the
processor the networks are the tiny ones. Printed besides: cases per second, the share of the time in which the device
waited for a batch, and the most memory that a GPU held.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from rows import Row, write_rows

from hccoutcome.deep.learning import Place, case_features, learn_selection, learn_tci, response_loss, response_targets
from hccoutcome.deep.resnet import TCI_EXTRACTOR, FeatureExtractor
from hccoutcome.deep.samples import Samples, split_patients
from hccoutcome.deep.selection_network import SelectionNetwork, selection_size
from hccoutcome.deep.tci_network import TciNetwork, TciSize
from hccoutcome.deep.training import Trained
from hccoutcome.deep.training_settings import SELECTION_TRAINING, TCI_TRAINING, TrainingSettings

EPOCHS = 3
AIM = "no slower than the plain loop"


def plain_loop(
    network: torch.nn.Module, arrays: list[np.ndarray], targets: dict, cases: np.ndarray, batch: int
) -> float:
    """Return the seconds of one epoch of the shortest loop: everything in the device's memory, no view, no check."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = network.to(device).train()
    inputs = [torch.from_numpy(array[cases]).to(device) for array in arrays]
    known = {name: torch.from_numpy(array[cases]).to(device) for name, array in targets.items()}
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-4, fused=device.type == "cuda" or None)
    taken = []
    for _ in range(EPOCHS):
        start = time.perf_counter()
        for some in torch.randperm(len(cases), device=device).split(batch):
            half = torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda")
            with half:
                outputs = network(*(one[some] for one in inputs))
            loss = response_loss(outputs.float(), {name: one[some] for name, one in known.items()}).mean()
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
        loss.item()
        taken.append(time.perf_counter() - start)
    return float(np.median(taken))


def training_seconds(trained: Trained, cases: int, what: str) -> float:
    """Return the seconds of an epoch without the first, and print throughput, waiting and memory."""
    later = trained.timings[1:]
    seconds = float(np.median([timing.seconds for timing in later]))
    waiting = sum(timing.waiting for timing in later) / sum(timing.seconds for timing in later)
    memory = "" if trained.memory is None else f", at most {trained.memory / 2**30:.1f} GiB on the GPU"
    print(
        f"{what}: {cases / seconds:.0f} cases/s, {100 * waiting:.1f} % of the time waiting for data{memory}", flush=True
    )
    return seconds


def selection_rows(name: str, cases: int, settings: TrainingSettings, device: torch.device) -> list[Row]:
    """Return SELECTION's training on random planes, as it is and with augmented views."""
    rng = np.random.default_rng(0)
    size = selection_size(name)
    images = rng.random((cases, 2, size.pixels, size.pixels), dtype=np.float32)
    clinical, outcome = rng.normal(size=(cases, 20)).astype(np.float32), rng.random(cases) < 0.4
    people = tuple(map(str, range(cases)))
    split = split_patients(people, outcome)
    targets = response_targets(outcome, split, settings)
    samples = Samples({"images": images, "clinical": clinical}, targets, people)
    theirs = plain_loop(SelectionNetwork(size, 20), [images, clinical], targets, split.training, settings.batch)
    rows = []
    for views in (False, True):
        chosen = settings if views else replace(settings, augmentation=None)
        with tempfile.TemporaryDirectory() as folder:
            _, trained = learn_selection(samples, split, size, chosen, Place(Path(folder), device))
        case = f"SELECTION {name}, {len(split.training)} cases{', augmented views' if views else ''} ({device.type})"
        ours = training_seconds(trained, len(split.training), case)
        peer = "plain PyTorch, no views, no validation"
        rows.append(Row("training", case, ours, peer, theirs, "" if views else AIM))
    return rows


def tci_rows(cases: int, settings: TrainingSettings, device: torch.device) -> list[Row]:
    """Return the training of TCI's transformer on features computed beforehand, and how long these took."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(cases, 5, 36, 1024)).astype(np.float32)
    present, outcome = np.ones((cases, 36), bool), rng.random(cases) < 0.4
    people = tuple(map(str, range(cases)))
    split = split_patients(people, outcome)
    targets = response_targets(outcome, split, settings)
    samples = Samples({"features": features, "present": present}, targets, people, varied="features")
    with tempfile.TemporaryDirectory() as folder:
        _, trained = learn_tci(samples, split, TciSize(), settings, Place(Path(folder), device))
        case = f"TCI transformer, {len(split.training)} cases ({device.type})"
        ours = training_seconds(trained, len(split.training), case)
        arrays = [features[:, 0], present]
        theirs = plain_loop(TciNetwork(TciSize()), arrays, targets, split.training, settings.batch)
        extractor = FeatureExtractor(TCI_EXTRACTOR["base"], frozen=True)
        planes = rng.random((1, 36, 224, 224), dtype=np.float32)
        start = time.perf_counter()
        case_features(
            extractor, planes, np.ones((1, 36), bool), replace(settings, variants=0), Place(Path(folder), device)
        )
        once = time.perf_counter() - start
    return [
        Row("training", case, ours, "plain PyTorch, no variants, no validation", theirs, AIM),
        Row("training", f"features of 36 slices by ResNet-50 ({device.type})", once),
    ]


def main() -> None:
    """Time the trainings."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=Path, metavar="FILE.json")
    parser.add_argument("--quick", action="store_true", help="fewer cases")
    options = parser.parse_args()
    gpu = torch.cuda.is_available()
    device = torch.device("cuda" if gpu else "cpu")
    cases = 40 if options.quick else 320
    common = {"epochs": EPOCHS, "patience": EPOCHS, "checkpoint_every": EPOCHS}
    rows = selection_rows("tiny", cases, replace(SELECTION_TRAINING, **common), device)
    if gpu:
        rows += selection_rows("base", cases, replace(SELECTION_TRAINING, **common), device)
    rows += tci_rows(cases, replace(TCI_TRAINING, **common), device)
    write_rows(options.rows, rows)


if __name__ == "__main__":
    main()
