"""What a person says of their engines: kept in one file, checked, and shown by ``hcc engine``."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from stand_ins import environment_with
from test_nnunet import model_folder

from hccoutcome.cli import main
from hccoutcome.errors import InputError
from hccoutcome.segmentation.devices import device_failed, device_record, devices_to_try
from hccoutcome.segmentation.exchange import foreign_environment
from hccoutcome.segmentation.setup import (
    Setup,
    change_setup,
    forget_setup,
    installed_version,
    program_beside,
    python_beside,
    read_setup,
    setup_file,
)

posix = pytest.mark.skipif(os.name == "nt", reason="the stand-in programs start by their first line")


def test_a_setup_is_kept_and_only_what_is_said_changes(tmp_path):
    weights = tmp_path / "w.pth"
    weights.write_bytes(b"x")
    change_setup("medsam", {"weights": weights})
    change_setup("medsam", {"device": "cpu"})
    assert read_setup("medsam") == Setup(weights=weights, device="cpu")
    assert read_setup("monai") == Setup()
    forget_setup("medsam")
    assert read_setup("medsam") == Setup()


def test_another_model_is_not_trusted_any_more(tmp_path):
    change_setup("nnunet", {"model": tmp_path, "trusted": "abc"})
    assert read_setup("nnunet").trusted == "abc"
    change_setup("nnunet", {"device": "cpu"})
    assert read_setup("nnunet").trusted == "abc"
    change_setup("nnunet", {"model": tmp_path})
    assert read_setup("nnunet").trusted == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"nnunet": {"modle": "x"}}', "has an unknown field 'modle'"),
        ('{"nnunett": {}}', "has an unknown field 'nnunett'"),
        ('{"medsam": {"device": "tpu"}}', "'tpu' is not known"),
        ('{"medsam": {"labels": "liver=1"}}', "has an unknown field 'labels'"),
        ("[", "should be JSON"),
    ],
)
def test_a_file_that_we_did_not_write_is_refused(text, message):
    setup_file().write_text(text)
    with pytest.raises(InputError, match=message):
        read_setup("nnunet")


@posix
def test_programs_and_versions_are_found_beside_their_python(tmp_path):
    python = environment_with(tmp_path / "env", "TotalSegmentator")
    site = tmp_path / "env" / "lib" / "python3.11" / "site-packages"
    (site / "totalsegmentator-2.18.0.dist-info").mkdir(parents=True)
    (site / "torch-2.13.0+cpu.dist-info").mkdir()
    (site / "torchvision-0.28.0.dist-info").mkdir()
    program = program_beside(python, "TotalSegmentator")
    assert program == tmp_path / "env" / "bin" / "TotalSegmentator"
    assert program_beside(python, "nnUNetv2_predict_from_modelfolder") is None
    assert python_beside(program) == python
    assert installed_version(python, "TotalSegmentator") == "2.18.0"
    assert installed_version(python, "torch") == "2.13.0+cpu"
    assert installed_version(python, "monai") == ""


def test_devices_are_tried_in_order_and_the_processor_is_the_last():
    assert devices_to_try("auto", ["cuda", "cpu"]) == ("cuda", "cpu")
    assert devices_to_try("auto", ["mps", "cpu"]) == ("cpu",)
    assert devices_to_try("mps", ["mps", "cpu"]) == ("mps", "cpu")
    assert devices_to_try("cuda", ["cpu"]) == ("cpu",)
    assert devices_to_try("cpu", ["cuda", "cpu"]) == ("cpu",)
    assert device_record("auto", ("cuda", "cpu"), "cuda") == {"device": "cuda"}
    assert device_record("cuda", ("cpu",), "cpu") == {"device": "cpu", "device_note": "cuda could not be used"}
    assert device_record("auto", ("cuda", "cpu"), "cpu") == {"device": "cpu", "device_note": "cuda could not be used"}
    assert device_failed(["RuntimeError: CUDA error: out of memory"])
    assert not device_failed(["ValueError: the image is empty"])


def test_a_foreign_program_knows_nothing_of_our_python_nor_of_slicer_s_launcher(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/ours")
    monkeypatch.setenv("PYTHONHOME", "/slicer")
    assert not {"PYTHONPATH", "PYTHONHOME"} & set(foreign_environment(tmp_path))
    monkeypatch.setenv("APPLAUNCHER_LEVEL", "1")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/slicer/lib")
    monkeypatch.setenv("APPLAUNCHER_0_PATH", "/usr/bin")
    found = foreign_environment(tmp_path, {"ADDED": "1"})
    assert "LD_LIBRARY_PATH" not in found
    assert (found["PATH"], found["ADDED"], found["TMPDIR"]) == ("/usr/bin", "1", str(tmp_path))
    assert found["HTTPS_PROXY"].endswith("127.0.0.1:9")


# --- the command --------------------------------------------------------------------------------------------------


@posix
def test_a_model_is_set_up_and_trusted_by_the_command(tmp_path, capsys):
    python = environment_with(tmp_path / "nn", "nnUNetv2_predict_from_modelfolder")
    folder = model_folder(tmp_path / "m")
    assert main(["engine", "nnunet", "--python", str(python), "--model", str(folder), "--device", "cpu"]) == 0
    assert "not ready: if you trained the model" in capsys.readouterr().out
    assert main(["engine", "nnunet", "--trust"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("nnU-Net runs code that a checkpoint may hold")
    assert said.endswith("nnunet is ready\n")
    assert main(["engine", "nnunet", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["ready"] is True
    assert Path(answer["settings"]["model"]) == folder
    assert main(["engine", "nnunet", "--forget"]) == 0
    assert "not ready" in capsys.readouterr().out


def test_a_folder_that_is_no_model_is_not_said_to_be_trusted(tmp_path, capsys):
    assert main(["engine", "nnunet", "--model", str(tmp_path)]) == 0
    capsys.readouterr()
    assert main(["engine", "nnunet", "--trust"]) == 2
    assert "rusted" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nnnet"], "'nnnet' is not known; did you mean 'nnunet'"),
        (["builtin", "--device", "cpu"], "'builtin' is no engine that can be set up"),
        (["medsam", "--weights", "/nowhere/x.pth"], "expected at '/nowhere/x.pth', found nothing there"),
        (["medsam", "--labels", "liver=1"], "has no setting 'labels', it has python, weights, device"),
        (["medsam", "--trust"], "Only an nnU-Net model folder is trusted"),
    ],
)
def test_a_wrong_word_is_answered_in_a_sentence(words, message, capsys):
    assert main(["engine", *words]) == 2
    assert message in capsys.readouterr().err


@posix
def test_the_phase_is_said_in_words_and_as_json(tmp_path, capsys, ct):
    import SimpleITK as sitk
    from test_totalsegmentator import with_weights

    sitk.WriteImage(ct, str(tmp_path / "ct.nii.gz"))
    python = environment_with(tmp_path / "ts", "TotalSegmentator", "totalseg_get_phase")
    change_setup("totalsegmentator", {"python": python, "weights": with_weights(tmp_path / "w", 297), "device": "cpu"})
    assert main(["phase", str(tmp_path / "ct.nii.gz")]) == 0
    assert capsys.readouterr().out.startswith("arterial (arterial_late), 42 s after injection (38 to 45 s)")
    assert main(["phase", str(tmp_path / "ct.nii.gz"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["phase"] == "arterial"


def test_every_engine_says_what_it_needs_and_the_one_step(monkeypatch, capsys):
    monkeypatch.setenv("PATH", "")
    assert main(["segment", "--list", "--json"]) == 0
    engines = {item["name"]: item for item in json.loads(capsys.readouterr().out)["engines"]}
    assert list(engines) == ["totalsegmentator", "nnunet", "monai", "medsam", "builtin"]
    for item in engines.values():
        assert item["licence"]
        assert item["citation"]
        assert item["offers"]
        assert item["ready"] or len(item["step"]) > 30
    assert engines["builtin"]["ready"]
    assert not any(engines[name]["ready"] for name in ("totalsegmentator", "nnunet", "medsam"))


@posix
def test_a_draft_is_written_as_dicom_seg_beside_the_segmentation(tmp_path, capsys):
    import numpy as np
    import SimpleITK as sitk
    from synthetic_dicom import write_series
    from test_totalsegmentator import with_weights

    from hccoutcome.imaging.dicom import read_series
    from hccoutcome.imaging.dicom_seg import list_segments
    from hccoutcome.segmentation.dicom_exchange import read_segments

    write_series(tmp_path / "ct", 6, RescaleIntercept=-100)
    image = read_series(tmp_path / "ct").image
    python = environment_with(tmp_path / "ts", "TotalSegmentator")
    weights = with_weights(tmp_path / "w", 297, 298)
    change_setup("totalsegmentator", {"python": python, "weights": weights, "device": "cpu"})
    asked = ["segment", "--engine", "totalsegmentator", "--image", f"portal={tmp_path / 'ct'}", "--region", "liver"]
    out, dicom = tmp_path / "d.seg.nrrd", tmp_path / "d.dcm"
    assert main([*asked, "--out", str(out), "--dicom-seg", str(dicom)]) == 0
    assert f"written to {dicom}" in capsys.readouterr().out
    found = sitk.GetArrayFromImage(read_segments(dicom, image)["liver"]) != 0
    assert found.any()
    np.testing.assert_array_equal(found, sitk.GetArrayFromImage(image) > 35)
    (segment,) = list_segments(dicom)
    assert (segment.kind, segment.maker) == ("AUTOMATIC", "HCC Outcome totalsegmentator")
    sitk.WriteImage(image, str(tmp_path / "ct.nii.gz"))
    asked[4] = f"portal={tmp_path / 'ct.nii.gz'}"
    assert main([*asked, "--out", str(out), "--dicom-seg", str(dicom)]) == 2
    assert "belongs to a DICOM series, found the image 'ct.nii.gz'" in capsys.readouterr().err
