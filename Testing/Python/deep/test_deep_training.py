"""The training loop: it learns what is there, stops in time, goes on after a kill as if nothing had been."""

from __future__ import annotations

import csv
import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install hccoutcome[deep]")
pytest.importorskip("monai", reason="MONAI is not installed: pip install hccoutcome[deep]")
pytestmark = pytest.mark.usefixtures("one_thread")

from planted_planes import planted, response_samples  # noqa: E402
from safetensors import safe_open  # noqa: E402
from sklearn.metrics import roc_auc_score  # noqa: E402

from hccoutcome.deep.batches import batches_of  # noqa: E402
from hccoutcome.deep.checkpoint import read_checkpoint  # noqa: E402
from hccoutcome.deep.learning import Place, learn_selection, response_loss  # noqa: E402
from hccoutcome.deep.samples import Samples, Split  # noqa: E402
from hccoutcome.deep.selection_network import SelectionNetwork, SelectionSize  # noqa: E402
from hccoutcome.deep.training import CHECKPOINT, CURVES, learning_rate, time_left, train  # noqa: E402
from hccoutcome.deep.training_settings import DLOPCTR_TRAINING, TCI_TRAINING, TrainingSettings  # noqa: E402
from hccoutcome.errors import Cancelled, EnvironmentNeeded, InputError  # noqa: E402

SIZE = SelectionSize(pixels=32, patch=16, width=16, hidden=32, heads=2, joint=1, dropout=0.1, attention_dropout=0.0)
QUICK = TrainingSettings(epochs=4, batch=16, learning_rate=2e-3, patience=4, seed=3)


def learn(folder, settings=QUICK, progress=None, cases=48, **changes):
    samples, split = response_samples(settings, cases, **changes)
    place = Place(folder) if progress is None else Place(folder, progress=progress)
    network, trained = learn_selection(samples, split, SIZE, settings, place)
    return network, trained, samples, split


def bytes_of(network) -> dict[str, bytes]:
    return {name: tensor.numpy().tobytes() for name, tensor in network.state_dict().items()}


def test_what_is_planted_is_found_on_patients_it_never_saw(tmp_path):
    settings = TrainingSettings(epochs=10, batch=16, learning_rate=1e-3, patience=10, augmentation=None, seed=1)
    network, trained, _, _ = learn(tmp_path, settings, cases=400)
    images, clinical, outcome = planted(400, seed=77)
    with torch.inference_mode():
        logits = network(torch.from_numpy(images), torch.from_numpy(clinical)).numpy()
    assert roc_auc_score(outcome, logits) > 0.9
    assert trained.epochs[trained.best].metric > 0.8


def test_nothing_is_found_where_outcomes_are_permuted(tmp_path):
    settings = TrainingSettings(epochs=6, batch=16, learning_rate=3e-3, patience=6, augmentation=None, seed=1)
    network, _, _, _ = learn(tmp_path, settings, cases=160, permuted=True)
    images, clinical, outcome = planted(400, seed=78)
    outcome = np.random.default_rng(5).permutation(outcome)
    with torch.inference_mode():
        logits = network(torch.from_numpy(images), torch.from_numpy(clinical)).numpy()
    # Standard error of an AUC of 0.5 with 200 against 200: 0.029.
    assert abs(roc_auc_score(outcome, logits) - 0.5) < 0.09


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(tmp_path):
    one, _, _, _ = learn(tmp_path / "a")
    two, _, _, _ = learn(tmp_path / "b")
    other, _, _, _ = learn(tmp_path / "c", replace(QUICK, seed=4))
    assert bytes_of(one) == bytes_of(two)
    assert bytes_of(one) != bytes_of(other)
    for path in (tmp_path / "a").glob("*.safetensors"):
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()
    assert (tmp_path / "a" / CURVES).read_bytes() == (tmp_path / "b" / CURVES).read_bytes()


def stopper(epoch: int, steps: int):
    """Return a progress callback that stops in the middle of an epoch, counted from 1."""
    seen = []

    def report(fraction: float, message: str) -> None:
        if message.startswith(f"Training, epoch {epoch}"):
            seen.append(fraction)
            if len(seen) == steps:
                raise Cancelled("stopped")

    return report


@pytest.mark.parametrize(("epoch", "every"), [(1, 1), (3, 1), (4, 1), (4, 2)])
def test_a_training_that_was_stopped_goes_on_as_if_it_had_not_been(tmp_path, epoch, every):
    settings = replace(QUICK, checkpoint_every=every)
    whole, complete, _, _ = learn(tmp_path / "whole", settings)
    with pytest.raises(Cancelled):
        learn(tmp_path / "stopped", settings, stopper(epoch, 2))
    resumed, again, _, _ = learn(tmp_path / "stopped", settings)
    assert bytes_of(resumed) == bytes_of(whole)
    assert again.epochs == complete.epochs
    assert len(again.timings) == 4 - (epoch - 1) // every * every
    for name in [CURVES, *(path.name for path in (tmp_path / "whole").glob("*.safetensors"))]:
        assert (tmp_path / "stopped" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_a_process_that_is_killed_leaves_a_training_that_goes_on(tmp_path):
    code = f"""
import os, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
import torch
torch.set_num_threads(1)
from pathlib import Path
from test_deep_training import learn
def die(fraction, message):
    if message.startswith("Training, epoch 3"):
        os._exit(9)
learn(Path({str(tmp_path / "killed")!r}), progress=die)
"""
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 9, done.stderr
    assert not [path for path in (tmp_path / "killed").iterdir() if path.name.startswith(".")]
    whole, complete, _, _ = learn(tmp_path / "whole")
    resumed, again, _, _ = learn(tmp_path / "killed")
    assert again.epochs == complete.epochs
    assert bytes_of(resumed) == bytes_of(whole)
    assert len(again.timings) == 2


def test_a_training_that_has_ended_is_only_read(tmp_path):
    first, complete, _, _ = learn(tmp_path)
    again, read, _, _ = learn(tmp_path)
    assert bytes_of(first) == bytes_of(again)
    assert read.epochs == complete.epochs
    assert read.timings == ()


@pytest.mark.parametrize("change", ["settings", "data", "split"])
def test_a_folder_with_another_training_is_refused(tmp_path, change):
    learn(tmp_path)
    with pytest.raises(InputError, match="holds a training with other data or settings"):
        if change == "settings":
            learn(tmp_path, replace(QUICK, learning_rate=1e-3))
        elif change == "data":
            learn(tmp_path, seed=1)
        else:
            samples, split = response_samples(QUICK, 48)
            fewer = Split(split.training[1:], split.validation)
            learn_selection(samples, fewer, SIZE, QUICK, Place(tmp_path))


def test_a_damaged_checkpoint_and_another_network_are_refused(tmp_path):
    learn(tmp_path)
    samples, split = response_samples(QUICK, 48)
    with pytest.raises(InputError, match=f"in '{tmp_path.name}' belongs to another network"):
        learn_selection(samples, split, replace(SIZE, width=32), QUICK, Place(tmp_path))
    content = (tmp_path / CHECKPOINT).read_bytes()
    (tmp_path / CHECKPOINT).write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match="is damaged: remove it to start anew"):
        learn(tmp_path)


def test_lost_weights_are_noticed(tmp_path):
    learn(tmp_path)
    for path in tmp_path.glob("weights-*.safetensors"):
        path.unlink()
    with pytest.raises(InputError, match="lacks the weights of its best epoch"):
        learn(tmp_path)


def test_checkpoints_hold_tensors_and_json_only(tmp_path):
    learn(tmp_path)
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".csv", ".csv", ".safetensors", ".safetensors"]
    with safe_open(tmp_path / CHECKPOINT, framework="pt") as file:
        assert set(file.metadata()) == {"state"}
    tensors, state = read_checkpoint(tmp_path / CHECKPOINT)
    assert any(name.endswith("exp_avg_sq") for name in tensors)
    assert len(state["epochs"]) == 4


def test_it_stops_after_patience_and_keeps_the_best_weights(tmp_path):
    settings = replace(QUICK, epochs=60, patience=3, learning_rate=2e-2, augmentation=None)
    network, trained, samples, split = learn(tmp_path, settings, cases=48, permuted=True)
    losses = [epoch.validation_loss for epoch in trained.epochs]
    assert trained.stopped_early
    assert len(losses) < 60
    assert trained.best == int(np.argmin(losses)) == len(losses) - 1 - 3
    assert trained.lowest_training == int(np.argmin([epoch.training_loss for epoch in trained.epochs]))
    cases = split.validation
    with torch.inference_mode():
        inputs = (torch.from_numpy(array[cases]) for array in samples.inputs.values())
        targets = {name: torch.from_numpy(array[cases]) for name, array in samples.targets.items()}
        loss = response_loss(network(*inputs), targets).mean().item()
    assert loss == pytest.approx(min(losses), rel=1e-5)
    assert [path.name for path in tmp_path.glob("weights-*")] == [f"weights-{trained.best:04d}.safetensors"]


def test_nothing_is_learned_from_the_validation_part_but_when_to_stop(tmp_path):
    """Other planes, variables and outcomes there leave every step as it was: the same weights after each epoch."""
    samples, split = response_samples(QUICK, 48)
    other = {name: array.copy() for name, array in samples.inputs.items()}
    other["images"][split.validation] = 1 - other["images"][split.validation]
    other["clinical"][split.validation] += 50
    outcome = samples.targets["outcome"].copy()
    outcome[split.validation] = 1 - outcome[split.validation]
    changed = Samples(other, {**samples.targets, "outcome": outcome}, samples.patients)
    settings = replace(QUICK, epochs=1)
    one, _ = learn_selection(samples, split, SIZE, settings, Place(tmp_path / "a"))
    two, _ = learn_selection(changed, split, SIZE, settings, Place(tmp_path / "b"))
    assert bytes_of(one) == bytes_of(two)
    np.testing.assert_allclose(one.clinic.centre, samples.inputs["clinical"][split.training].mean(axis=0), rtol=1e-5)


def test_the_curves_are_a_table(tmp_path):
    _, trained, _, _ = learn(tmp_path)
    with (tmp_path / CURVES).open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in rows] == [0, 1, 2, 3]
    assert [float(row["validation_loss"]) for row in rows] == [epoch.validation_loss for epoch in trained.epochs]
    assert all(0 <= float(row["metric"]) <= 1 for row in rows)


def test_progress_rises_and_says_what_is_left(tmp_path):
    told = []
    learn(tmp_path, progress=lambda fraction, message: told.append((fraction, message)))
    fractions = [fraction for fraction, _ in told]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert told[-1][1].startswith("Epoch 4 of at most 4: loss 0.")
    assert "at most" in told[-1][1] and told[-1][1].endswith("left")


def test_time_left_in_words():
    assert [time_left(s) for s in (0, 42, 600, 9000)] == [
        "at most 0 s left",
        "at most 42 s left",
        "at most 10 min left",
        "at most 2.5 h left",
    ]


def test_the_learning_rate_falls_to_a_tenth_after_ten_epochs_without_a_better_loss():
    better = [1.0 - 0.01 * n for n in range(5)]
    rates = [learning_rate(better + [1.0] * n, DLOPCTR_TRAINING) for n in range(25)]
    assert rates[:10] == [1e-3] * 10
    assert rates[10:20] == pytest.approx([1e-4] * 10)
    assert rates[20:] == pytest.approx([1e-5] * 5)
    assert learning_rate([1.0] * 100, TCI_TRAINING) == 1e-5


def test_the_papers_settings():
    assert (TCI_TRAINING.optimiser, TCI_TRAINING.learning_rate, TCI_TRAINING.weight_decay) == ("adamw", 1e-5, 1e-5)
    assert (TCI_TRAINING.epochs, TCI_TRAINING.patience) == (50, 5)
    assert (DLOPCTR_TRAINING.optimiser, DLOPCTR_TRAINING.learning_rate) == ("adam", 1e-3)
    assert (DLOPCTR_TRAINING.batch, DLOPCTR_TRAINING.epochs, DLOPCTR_TRAINING.weight_decay) == (32, 500, 1e-4)
    assert (DLOPCTR_TRAINING.plateau, DLOPCTR_TRAINING.patience) == (10, 20)


def test_random_numbers_and_switches_of_the_process_stay_as_they_were(tmp_path):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    learn(tmp_path)
    assert torch.equal(torch.rand(3), expected)
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork:DeprecationWarning")
def test_batches_do_not_depend_on_the_number_of_workers():
    samples, split = response_samples(QUICK, 24)
    from hccoutcome.deep.augmentation import Augmentation, Augmenter

    found = []
    for workers in (0, 2):
        augmenter = Augmenter(Augmentation(), 32)
        drawn, batches = batches_of(samples, split.training, 5, 1, augmenter, workers, "cpu")
        epochs = []
        for epoch in (0, 1):
            drawn.epoch = epoch
            epochs.append([{name: tensor.clone() for name, tensor in batch.items()} for batch in batches])
        found.append(epochs)
    for one, two in zip(found[0], found[1], strict=True):
        for a, b in zip(one, two, strict=True):
            assert all(torch.equal(a[name], b[name]) for name in a)
    first, second = (torch.cat([batch["images"] for batch in epoch]) for epoch in found[0])
    assert not torch.equal(first, second)


def test_every_case_comes_once_an_epoch_and_the_order_differs():
    samples, split = response_samples(QUICK, 24)
    drawn, batches = batches_of(samples, split.training, 5, 1, None, 0, "cpu")
    orders = []
    for epoch in (0, 1, -1):
        drawn.epoch = epoch
        orders.append([case for batch in drawn for _, case in batch])
        assert sum(len(batch["outcome"]) for batch in batches) == len(split.training)
        assert sorted(orders[-1]) == split.training.tolist()
    assert orders[0] != orders[1]
    assert orders[2] == split.training.tolist()


class Diverging(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.level = torch.nn.Parameter(torch.zeros(1))

    def forward(self, images, clinical):
        return self.level.expand(len(images)) * math.inf


def test_a_loss_that_is_not_finite_is_refused(tmp_path):
    samples, split = response_samples(QUICK, 24)
    with pytest.raises(
        InputError, match=r"The loss of epoch 1 is not finite: choose a lower learning rate than 0\.002"
    ):
        train(Diverging(), response_loss, samples, split, QUICK, tmp_path)


def test_a_full_device_is_a_sentence(tmp_path):
    samples, split = response_samples(QUICK, 24)

    def full(outputs, targets):
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(EnvironmentNeeded, match="memory of the device 'cpu' is full: choose a smaller batch"):
        train(SelectionNetwork(SIZE, 3), full, samples, split, QUICK, tmp_path)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"epochs": 0}, "'epochs' of the training is at least 1, found 0"),
        ({"batch": 0}, "'batch' of the training is at least 1"),
        ({"seed": -1}, "'seed' of the training is at least 0, found -1"),
        ({"seed": 2**32}, "'seed' of the training is at most 4294967295"),
        ({"learning_rate": 0.0}, "The learning rate lies above 0"),
        ({"weight_decay": float("nan")}, "the weight decay is not negative"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changes, sentence):
    with pytest.raises(InputError, match=sentence):
        TrainingSettings(**changes)
