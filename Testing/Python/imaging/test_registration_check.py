"""A registration can be looked at: boards and numbers before and after, in a picture, a table and the report."""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
from matplotlib.image import imread

from hccoutcome.analysis import analyse
from hccoutcome.case import Case
from hccoutcome.imaging.prepare import Preparation, prepare
from hccoutcome.imaging.register import Registration, doubt
from hccoutcome.imaging.registration_check import RegistrationCheck, registration_checks
from hccoutcome.imaging.registration_figure import registration_picture
from hccoutcome.package.reading import read_package
from hccoutcome.phantom import PhantomSettings, phantom_case
from hccoutcome.report.content import registration_pictures
from hccoutcome.report.html import render_report

RIGID = Preparation(spacing=(5.0, 5.0, 5.0), reference_phase="portal", registration="rigid")


@pytest.fixture(scope="module")
def case() -> Case:
    return phantom_case(1, PhantomSettings(spacing=(4.0, 4.0, 5.0), modality="MR", lesion_diameters=(75.0,)))


@pytest.fixture(scope="module")
def check(case: Case) -> RegistrationCheck:
    """Register an image that lies 13 mm beside itself."""
    away = sitk.Image(case.images["portal"])
    away.SetOrigin(np.add(away.GetOrigin(), (6.0, 12.0, 0.0)).tolist())
    images = {"arterial": away, "portal": case.images["portal"]}
    prepared = prepare(images, {"tumor": case.masks["tumor"]}, RIGID)
    (found,) = registration_checks(images, prepared, "portal")
    return found


def jumps(board: sitk.Image) -> float:
    """Return the mean step of grey across the edges of a board's squares: small where edges run on."""
    voxels = sitk.GetArrayFromImage(board).astype(float)
    size, step = board.GetSize()[0], board.GetSpacing()[0]
    squares = max(2, round(size * step / 25.0))
    edges = [round(size * number / squares) for number in range(1, squares)]
    steps = np.abs(np.diff(voxels, axis=2))
    return float(steps[:, :, [edge - 1 for edge in edges]].mean())


def test_the_boards_show_that_the_phases_came_together(check: RegistrationCheck) -> None:
    assert check.after > check.before
    assert check.warning == ""
    assert check.as_scanned.GetSize() == check.checkerboard.GetSize()
    assert jumps(check.checkerboard) < 0.85 * jumps(check.as_scanned)


def test_the_picture_is_the_same_each_time_and_shows_both_boards(check: RegistrationCheck, case: Case) -> None:
    first, again = (registration_picture(check) for _ in range(2))
    assert hashlib.sha256(first).digest() == hashlib.sha256(again).digest()
    pixels = imread(io.BytesIO(first))
    middle = pixels.shape[1] // 2
    assert pixels.shape[1] == 800
    # The left and the right half hold the same slices of other boards.
    assert np.abs(pixels[100:-100, 10 : middle - 10] - pixels[100:-100, middle + 10 : -10]).mean() > 0.01
    alone = registration_picture(replace(check, as_scanned=None))
    assert imread(io.BytesIO(alone)).shape[1] == 400


def test_an_outline_and_a_doubt_are_drawn(check: RegistrationCheck) -> None:
    inside = np.zeros(check.checkerboard.GetSize()[::-1], np.uint8)
    inside[10:20, 15:30, 20:40] = 1
    region = sitk.GetImageFromArray(inside)
    region.CopyInformation(check.checkerboard)
    pixels = imread(io.BytesIO(registration_picture(check, region)))[..., :3]
    yellow = (pixels[..., 0] > 0.9) & (pixels[..., 2] < 0.4) & (pixels[..., 1] > 0.6)
    assert yellow.sum() > 100
    doubted = imread(io.BytesIO(registration_picture(replace(check, warning="It fell."))))
    red = (doubted[..., 0] > 0.4) & (doubted[..., 1] < 0.3) & (doubted[..., 2] < 0.4)
    assert red.sum() > 20


@pytest.mark.parametrize(
    ("before", "after", "note", "text"),
    [
        (0.3, 0.5, "", ""),
        (0.5, 0.5, "", ""),
        (0.5, 0.4, "", "The mutual information fell. Look at the checkerboard."),
        (0.5, 0.5, "It was kept.", "It was kept. Look at the checkerboard."),
    ],
)
def test_a_registration_that_lost_or_was_undone_is_doubted(before: float, after: float, note: str, text: str) -> None:
    assert doubt(Registration(sitk.Transform(), sitk.Image(), before, after, 1.0, note=note)) == text


def test_an_analysis_hands_over_each_check_and_lists_its_figures(case: Case) -> None:
    package = read_package("haic-mri-cr")
    coarse = {**package.preparation, **RIGID.to_dict(), "normalisation": "minmax", "output_range": [0.0, 255.0]}
    found = []
    findings = analyse(
        case,
        [replace(package, name="coarse", preparation=coarse)],
        on_registration=lambda recipe, check, region: found.append((recipe, check, region)),
    )
    assert [(recipe, check.phase) for recipe, check, _ in found] == [
        ("coarse", phase) for phase in case.images if phase != "portal"
    ]
    lines = {item.subject: item for item in findings.quality if item.check == "registration"}
    for _, check, region in found:
        assert region.GetSize() == check.checkerboard.GetSize()
        line = lines[f"image {check.phase}"]
        assert line.found == f"mutual information {check.before:.3f} as scanned, {check.after:.3f} registered"
        assert line.status == ("warning" if check.warning else "ok")


def test_the_report_shows_the_pictures(check: RegistrationCheck, case: Case) -> None:
    findings = analyse(replace(case, images={}, masks={}), [])
    pictures = {"registration-arterial": registration_picture(check)}
    (shown,) = registration_pictures({**pictures, "portal-axial": b""})
    assert shown.caption.startswith("Arterial phase: in turns with the phase")
    page = render_report(findings, pictures)
    assert "Checkerboards of the arterial phase" in page
    assert "Checkerboards" not in render_report(findings, {})
