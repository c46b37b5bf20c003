"""``hcc segment`` and ``hcc dicomseg`` as people misuse them: what they read is never written over."""

from __future__ import annotations

import functools
import os
import resource
import signal
import subprocess
import sys
import time

import numpy as np
import psutil
import pydicom
import pytest
import SimpleITK as sitk
from lesions import ball, grid, with_lesion
from stand_ins import environment_with
from synthetic_dicom import write_series
from test_totalsegmentator import with_weights

from hccoutcome.cli import main
from hccoutcome.errors import EnvironmentNeeded
from hccoutcome.imaging.itk import quiet_itk
from hccoutcome.segmentation import Draft
from hccoutcome.segmentation.draft import write_draft

BOX = ("--box", "15,25,15,25,7,13")


@pytest.fixture
def image(tmp_path):
    """A file with an image that is named as a segmentation, so that nothing but its content protects it."""
    empty = grid((20, 40, 40))
    path = tmp_path / "image.seg.nrrd"
    sitk.WriteImage(with_lesion(empty, ball(empty, (20.0, 20.0, 20.0), 9.0)), str(path))
    return path


def test_an_image_that_is_outlined_is_not_replaced(image, tmp_path, capsys):
    before = image.read_bytes()
    link = tmp_path / "link.seg.nrrd"
    link.symlink_to(image)
    for out in (image, link):
        assert main(["segment", "--image", f"portal={image}", *BOX, "--out", str(out)]) == 2
        assert "A result is written beside what is read" in capsys.readouterr().err
    assert image.read_bytes() == before
    assert link.is_symlink()


def test_a_mask_and_a_markup_file_that_are_read_are_not_replaced(image, tmp_path, capsys):
    mask, roi = tmp_path / "liver.seg.nrrd", tmp_path / "roi.seg.nrrd"
    sitk.WriteImage(sitk.Cast(sitk.ReadImage(str(image)) > -1000, sitk.sitkUInt8), str(mask))
    roi.write_text("{}")
    asked = ["segment", "--image", f"portal={image}"]
    assert main([*asked, *BOX, "--mask", f"liver={mask}", "--out", str(mask)]) == 2
    assert main([*asked, "--roi", str(roi), "--out", str(roi)]) == 2
    assert capsys.readouterr().err.count("name another file") == 2
    assert roi.read_text() == "{}"


def test_a_slice_of_a_series_is_not_replaced_but_a_file_beside_it_is_welcome(tmp_path, capsys, data):
    source = data / "dicom_seg_liver"
    if not source.is_dir():
        pytest.skip("the DICOM SEG of a liver is not among the real data")
    series = tmp_path / "ct"
    series.mkdir()
    for file in (source / "ct").iterdir():
        (series / file.name).write_bytes(file.read_bytes())
    (series / "seg.seg.nrrd").write_bytes((source / "liver.dcm").read_bytes())
    slices = {path: path.read_bytes() for path in series.iterdir()}
    export = ["dicomseg", "export", "--series", str(series), "--mask", f"liver={source / 'liver_seg.nrrd'}"]
    assert main([*export, "--made", "manual", "--out", str(series / "01.dcm")]) == 2
    seg = series / "seg.seg.nrrd"
    assert main(["dicomseg", "import", str(seg), "--image", str(series), "--out", str(seg)]) == 2
    assert capsys.readouterr().err.count("name another file") == 2
    assert {path: path.read_bytes() for path in series.iterdir()} == slices
    assert main([*export, "--made", "manual", "--out", str(series / "new.dcm")]) == 0


def test_a_series_to_which_no_dicom_seg_can_refer_is_refused_before_the_work(tmp_path, capsys):
    write_series(tmp_path / "ct", 6)
    for path in (tmp_path / "ct").iterdir():
        dataset = pydicom.dcmread(path)
        del dataset.FrameOfReferenceUID
        dataset.save_as(path)
    asked = ["segment", "--image", f"portal={tmp_path / 'ct'}", "--box", "1,5,1,5,1,4"]
    assert main([*asked, "--out", str(tmp_path / "o.seg.nrrd"), "--dicom-seg", str(tmp_path / "o.dcm")]) == 2
    assert "should state the element FrameOfReferenceUID" in capsys.readouterr().err
    assert not list(tmp_path.glob("o.*"))


def test_a_disk_that_is_full_is_told_in_a_sentence_and_leaves_nothing(tmp_path):
    shape = (20, 200, 200)
    mask = sitk.GetImageFromArray(np.random.default_rng(0).integers(0, 2, shape).astype(np.uint8))
    draft = Draft({"tumor": mask}, {"engine": "toy", "version": "1"})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.raises(EnvironmentNeeded, match="free some space"), quiet_itk():
            write_draft(draft, tmp_path / "draft.seg.nrrd")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="the stand-ins are programs by their first line")
@pytest.mark.parametrize("request_to_end", [signal.SIGINT, signal.SIGTERM])
def test_an_end_that_is_asked_for_ends_the_engine_and_leaves_no_image_behind(
    request_to_end, tmp_path, ct, monkeypatch, capsys
):
    pids, temporary = tmp_path / "pids", tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("STAND_IN_HANGS", str(pids))
    monkeypatch.setenv("TMPDIR", str(temporary))
    python = environment_with(tmp_path / "ts", "TotalSegmentator")
    weights = with_weights(tmp_path / "w", 297, 591)
    engine = ["engine", "totalsegmentator", "--python", str(python), "--weights", str(weights), "--device", "cpu"]
    assert main(engine) == 0
    sitk.WriteImage(ct, str(tmp_path / "ct.nii.gz"))
    asked = ["--engine", "totalsegmentator", "--image", f"portal={tmp_path / 'ct.nii.gz'}", "--region", "tumor"]
    command = [sys.executable, "-m", "hccoutcome.cli", "segment", *asked, "--out", str(tmp_path / "o.seg.nrrd")]
    # What a shell starts in the background ignores Ctrl-C, and so would its children.
    listening = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=listening)
    while not pids.exists() or len(pids.read_text().split()) < 2:
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.05)
    process.send_signal(request_to_end)
    assert "interrupted" in process.communicate(timeout=30)[1]
    assert process.returncode == 130
    for pid in map(int, pids.read_text().split()):
        assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    assert list(temporary.glob("hcc-segment-*")) == []
