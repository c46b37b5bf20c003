"""Training of the deep systems against a plain PyTorch loop on the same machine, and how long a device waits for data.

``python Testing/Benchmarks/bench_deep.py`` takes the processor, or a CUDA device where PyTorch finds one; on the
processor the networks are the tiny ones. Printed besides: cases per second, the share of the time in which the device
waited for a batch, and the most memory that a GPU held.

Then one case goes through four SELECTION networks of the paper's size and ATOM, by ``hcc atom`` in a new process and by
the networks that are loaded already.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from rows import Row, write_rows

from hccoutcome.cohort.networks import advise
from hccoutcome.deep.learning import Place, case_features, learn_selection, learn_tci, response_loss, response_targets
from hccoutcome.deep.model import DeepModel
from hccoutcome.deep.package import DeepConfig
from hccoutcome.deep.package_making import Making, make_package
from hccoutcome.deep.resnet import TCI_EXTRACTOR, FeatureExtractor
from hccoutcome.deep.samples import Samples, split_patients
from hccoutcome.deep.selection_inputs import SelectionView
from hccoutcome.deep.selection_network import SelectionNetwork, selection_size
from hccoutcome.deep.tci_network import TciNetwork, TciSize
from hccoutcome.deep.training import Trained
from hccoutcome.deep.training_settings import SELECTION_TRAINING, TCI_TRAINING, TrainingSettings
from hccoutcome.loading import load_case, read_case_folder
from hccoutcome.package.inputs import learn_columns
from hccoutcome.package.reading import read_package
from hccoutcome.package.writing import write_package
from hccoutcome.phantom import write_phantom
from hccoutcome.treatment.atom import WITH_SYSTEMIC

EPOCHS = 3
FURTHER = 3
HCC = "import sys; from hccoutcome.cli import main; sys.exit(main())"
AIM = "no slower than the plain loop"
SECONDS = "seconds on two cores"
RSS_UNIT = 1 if sys.platform == "darwin" else 1024


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


def base_packages(folder: Path) -> dict[str, Path]:
    """Write SELECTION packages of the paper's size with random weights, and return their folders by ATOM's model."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"age": rng.uniform(40, 80, 20), "afp": 90 * 6 ** rng.normal(size=20)})
    columns, size = learn_columns(table, standardise=False), selection_size("base")
    found = {}
    for seed, model in enumerate(("TACE", "HAIC", "TC", "HC")):
        target = "one-year survival" if model in WITH_SYSTEMIC.values() else "response"
        config = DeepConfig("selection", target, size.to_dict(), SelectionView(), 0.5, True, columns=columns)
        torch.manual_seed(seed)
        network = DeepModel(SelectionNetwork(size, len(columns))).eval()
        making = Making(name=f"random-{model.lower()}", endpoint=target, card="# Random weights\n")
        found[model] = write_package(make_package(config, network, table, making), folder / model.lower())
    return found


def atom_rows(folder: Path, device: torch.device) -> list[Row]:
    """Return ATOM of one case from a new process on, and what a further case takes."""
    packages, case = base_packages(folder), write_phantom(folder / "case")
    words = [word for model, path in packages.items() for word in (f"--{model.lower()}", str(path))]
    command = [sys.executable, "-c", HCC, "atom", *words, "--case", str(case), "--out", str(folder / "out")]
    used, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
    cold, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    print(
        f"ATOM cold: {after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime:.1f} s of a processor's time, "
        f"at most {after.ru_maxrss * RSS_UNIT / 2**30:.1f} GiB",
        flush=True,
    )
    read = {model: read_package(path) for model, path in packages.items()}
    known = load_case(read_case_folder(case))
    advise(known, read, device.type)
    start = time.perf_counter()
    for _ in range(FURTHER):
        advise(known, read, device.type)
    warm = (time.perf_counter() - start) / FURTHER
    what = f"four SELECTION base networks and ATOM, one case ({device.type})"
    print(f"{what}: {1 / warm:.2f} cases/s once loaded", flush=True)
    return [
        Row("inference", f"{what}, new process", cold, aim=SECONDS),
        Row("inference", f"{what}, networks loaded", warm, aim=SECONDS),
    ]


def main() -> None:
    """Time the trainings, and ATOM."""
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
    with tempfile.TemporaryDirectory() as folder:
        rows += atom_rows(Path(folder), device)
    write_rows(options.rows, rows)


if __name__ == "__main__":
    main()
