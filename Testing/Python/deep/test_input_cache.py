"""Inputs kept on disk: the same again, anew when anything changed, never beyond the limit, never pickled."""

from __future__ import annotations

import os
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
from oblique import ball, ramp, united

from hccoutcome.deep.cache import Cache, cached_input
from hccoutcome.deep.inputs import digest
from hccoutcome.deep.selection_inputs import SelectionView, selection_input, selection_key
from hccoutcome.deep.tci_inputs import TciView, tci_input, tci_key

VIEW = SelectionView(pixels=16)


@pytest.fixture
def case():
    image = ramp(size=(30, 30, 8), spacing=(2.0, 2.0, 5.0))
    tumor = ball(image, radius=8.0)
    masks = {"tumor": tumor, "liver": united(tumor, ball(image, radius=15.0))}
    phases = ("arterial", "portal")
    return dict.fromkeys(phases, image), {name: dict.fromkeys(phases, mask) for name, mask in masks.items()}


def counted(cache, case, view=VIEW):
    """Return what is seen and how often it was computed."""
    calls = []

    def compute():
        calls.append(1)
        return selection_input(*case, view)

    seen = cached_input(cache, lambda: selection_key(*case, view), compute)
    return seen, len(calls)


def test_the_second_time_is_read_and_equal(case, tmp_path):
    cache = Cache(tmp_path / "cache")
    first, computed = counted(cache, case)
    second, again = counted(cache, case)
    assert (computed, again) == (1, 0)
    np.testing.assert_array_equal(first.pixels, second.pixels)
    for a, b in zip(first.planes, second.planes, strict=True):
        np.testing.assert_array_equal(a.frame.affine, b.frame.affine)
        assert (a.phase, a.offset, a.frame.size, a.origin, a.present) == (
            b.phase, b.offset, b.frame.size, b.origin, b.present,
        )  # fmt: skip
    assert first.notes == second.notes


def test_missing_planes_come_back_as_missing(case, tmp_path):
    images, masks = case
    view = TciView(pixels=16, reach=1)
    cache = Cache(tmp_path)
    for _ in range(2):
        seen = cached_input(cache, lambda: tci_key(images, masks, view), lambda: tci_input(images, masks, view))
    assert seen.present.tolist() == [False] * 3 + [True] * 6 + [False] * 3
    assert seen.planes[0].frame is None
    assert len(seen.notes) == 2


def test_another_voxel_grid_setting_or_mask_is_computed_anew(case, tmp_path):
    cache = Cache(tmp_path)
    counted(cache, case)
    images, masks = case
    brighter = sitk.Image(images["portal"])
    brighter[3, 3, 3] = brighter[3, 3, 3] + 1
    moved = sitk.Image(images["portal"])
    moved.SetOrigin((1.0, 0.0, 0.0))
    smaller = {**masks, "tumor": {**masks["tumor"], "portal": ball(images["portal"], radius=6.0)}}
    for changed in (({**images, "portal": brighter}, masks), ({**images, "portal": moved}, masks), (images, smaller)):
        assert counted(cache, changed)[1] == 1
    assert counted(cache, case, replace(VIEW, high=300.0))[1] == 1
    assert counted(cache, case)[1] == 0


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "pickle"])
def test_a_damaged_entry_is_computed_anew(case, tmp_path, damage):
    cache = Cache(tmp_path)
    first, _ = counted(cache, case)
    (path,) = tmp_path.glob("*.npz")
    content = bytearray(path.read_bytes())
    if damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "flip":
        content[300] ^= 255
        path.write_bytes(content)
    elif damage == "empty":
        path.write_bytes(b"")
    else:
        np.savez(path, pixels=np.array([{"an": "object"}], dtype=object), description=np.zeros(1))
    again, computed = counted(cache, case)
    assert computed == 1
    np.testing.assert_array_equal(first.pixels, again.pixels)


def test_entries_hold_plain_arrays_only(case, tmp_path):
    counted(Cache(tmp_path), case)
    (path,) = tmp_path.glob("*.npz")
    with zipfile.ZipFile(path) as file:
        for name in file.namelist():
            with file.open(name) as member:
                np.lib.format.read_magic(member)
                _, _, kind = np.lib.format.read_array_header_1_0(member)
                assert kind != np.dtype(object)


def test_the_entries_used_longest_ago_go_first(case, tmp_path):
    one_entry = 2_500
    cache = Cache(tmp_path, limit=3 * one_entry)
    for number in range(4):
        counted(cache, case, replace(VIEW, high=300.0 + number))
        for path in tmp_path.glob("*.npz"):
            stat = path.stat()
            assert stat.st_size <= 2 * one_entry
            os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns - 10**9))
    assert sum(path.stat().st_size for path in tmp_path.glob("*.npz")) <= 3 * one_entry
    assert counted(cache, case, replace(VIEW, high=303.0))[1] == 0
    assert counted(cache, case, VIEW)[1] == 1


def test_nothing_is_written_without_a_cache(case, tmp_path):
    assert counted(None, case)[1] == 1
    assert not list(tmp_path.iterdir())


def test_the_digest_tells_parts_apart_by_their_order_and_content():
    assert digest("a", "bc") != digest("ab", "c") != digest("c", "ab")
    assert digest({"x": 1, "y": 2}) == digest({"y": 2, "x": 1})
