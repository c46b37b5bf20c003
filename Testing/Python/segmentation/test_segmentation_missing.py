"""Outlining what a case lacks before it is analysed."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
from lesions import array, box_around, dice

from hccoutcome.case import Case
from hccoutcome.cli import main
from hccoutcome.errors import InputError
from hccoutcome.jobs import AnalyseJob
from hccoutcome.loading import case_files, load_case, read_case_folder
from hccoutcome.segmentation.missing import outline_missing
from hccoutcome.segmentation.order import DraftOrder


@pytest.fixture(scope="module")
def case(phantom) -> Case:
    return load_case(read_case_folder(phantom))


@pytest.fixture(scope="module")
def portal(case) -> Case:
    """The portal phase without any mask."""
    return replace(case, images={"portal": case.images["portal"]}, masks={})


def voxels_around(case, region):
    mask = case.masks[region][0]
    index = np.argwhere(array(mask))[:, ::-1]
    return tuple(int(v) for pair in zip(index.min(axis=0) - 1, index.max(axis=0) + 1, strict=True) for v in pair)


@pytest.fixture(scope="module")
def outlined(case, portal):
    return outline_missing(portal, DraftOrder("builtin", box=voxels_around(case, "tumor")))


def test_a_missing_liver_and_tumour_come_as_drafts(case, outlined):
    # The phantom's two tumours lie in one box here, so only the liver can be compared.
    assert dice(array(outlined.case.masks["liver"][0]), array(case.masks["liver"][0])) > 0.88
    assert list(outlined.drafts) == ["portal"]
    assert set(outlined.drafts["portal"].masks) == {"liver", "tumor"}
    regions = outlined.provenance["portal"]["regions"]
    assert regions["tumor"]["prompt"]["kind"] == "box"
    assert regions["liver"]["prompt"] is None
    assert json.loads(json.dumps(outlined.provenance)) == outlined.provenance


def test_drafts_are_noted_for_the_quality_table_and_hashed(outlined):
    notes = {(item.subject, item.check): item for item in outlined.case.notes}
    assert notes["mask liver", "review"].found == "automatic by 'builtin', not reviewed"
    assert notes["mask tumor", "review"].status == "warning"
    assert len(outlined.case.sources["mask:liver"]) == 64
    assert outlined.case.sources["mask:liver"] != outlined.case.sources["mask:tumor"]


def test_what_a_person_drew_is_left_alone(case, portal):
    drawn = replace(portal, masks={"tumor": case.masks["tumor"]})
    found = outline_missing(drawn, DraftOrder("builtin"))
    assert found.case.masks["tumor"] is drawn.masks["tumor"]
    assert set(found.drafts["portal"].masks) == {"liver"}
    whole = outline_missing(replace(case, notes=()), DraftOrder("builtin"))
    assert whole.case.masks == case.masks
    assert not whole.drafts


def test_images_on_different_grids_each_get_their_own(case):
    portal, arterial = case.images["portal"], case.images["arterial"]
    images = {"portal": portal, "arterial": arterial[:, :, 3:]}
    found = outline_missing(replace(case, images=images, masks={"tumor": case.masks["tumor"]}), DraftOrder("builtin"))
    assert list(found.drafts) == ["portal", "arterial"]
    assert [mask.GetSize()[2] for mask in found.case.masks["liver"]] == [portal.GetSize()[2], portal.GetSize()[2] - 3]


def test_a_liver_that_no_engine_can_outline_is_left_out_and_noted(case, portal):
    as_mr = replace(portal, modality="MR", masks={"tumor": case.masks["tumor"]})
    found = outline_missing(as_mr, DraftOrder("builtin"))
    assert not found.drafts
    (note,) = found.case.notes
    assert (note.subject, note.status) == ("mask liver", "warning")
    assert "outlines the liver in CT, found MR" in note.note


def test_a_missing_tumour_that_nobody_points_at_is_an_error(case, portal):
    with pytest.raises(InputError, match=r"For the tumor the engine 'builtin' needs a box around it or clicks"):
        outline_missing(portal, DraftOrder("builtin"))
    with pytest.raises(InputError, match=r"point at a missing tumour, found a mask of the tumour too"):
        outline_missing(case, DraftOrder("builtin", box=(0, 5, 0, 5, 0, 5)))
    with pytest.raises(InputError, match=r"'nobody' is not a known segmentation engine"):
        outline_missing(case, DraftOrder("nobody"))
    with pytest.raises(InputError, match=r"only be outlined in an image"):
        outline_missing(replace(case, images={}, masks={}), DraftOrder("builtin"))


def test_the_order_travels_with_the_job(tmp_path, phantom):
    order = DraftOrder("builtin", box=(1, 2, 3, 4, 5, 6))
    job = AnalyseJob(read_case_folder(phantom), ("albi",), tmp_path / "out", segment=order)
    job.save(tmp_path)
    assert AnalyseJob.load(tmp_path).segment == order


def test_analyse_says_everywhere_that_a_mask_is_a_draft(phantom, tmp_path, capsys):
    box = voxels_around(load_case(read_case_folder(phantom)), "tumor")
    words = ["analyse", "--image", f"arterial={phantom / 'arterial.nii.gz'}", "--modality", "CT", "--no-scene"]
    words += ["--segment", "builtin", "--box", ",".join(map(str, box)), "--package", "radscore-tace-ct"]
    assert main([*words, "--out", str(tmp_path / "out")]) == 0, capsys.readouterr().err
    result = json.loads((tmp_path / "out" / "result.json").read_text(encoding="utf-8"))
    assert result["provenance"]["segmentation"]["arterial"]["review"] == "automatic, not reviewed"
    assert {"subject": "mask tumor", "check": "review"}.items() <= next(
        item for item in result["quality"] if item["check"] == "review" and item["subject"] == "mask tumor"
    ).items()
    assert any("outlined automatically" in reason for reason in result["results"][0]["applicability"]["reasons"])
    report = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "automatic by &#39;builtin&#39;, not reviewed" in report
    assert (tmp_path / "out" / "draft.seg.nrrd").is_file()


def test_a_prompt_without_segment_is_refused(phantom, tmp_path, capsys):
    words = ["analyse", "--case", str(phantom), "--package", "albi", "--box", "1,2,3,4,5,6", "--out", str(tmp_path)]
    assert main(words) == 2
    assert "found no --segment: add --segment auto" in capsys.readouterr().err


# --- hcc segment ---------------------------------------------------------------------------------------------------


def test_the_command_writes_a_draft_and_says_so(phantom, tmp_path, capsys):
    case = load_case(case_files(phantom))
    image = case.images["portal"]
    box = box_around(image, array(case.masks["tumor"][0]))
    bounds = ",".join(map(str, voxels_around(case, "tumor")))
    words = ["segment", "--engine", "builtin", "--image", f"portal={phantom / 'portal.nii.gz'}", "--box", bounds]
    liver = ["--mask", f"liver={phantom / 'liver-mask.nii.gz'}"]
    assert main([*words, *liver, "--out", str(tmp_path / "t.seg.nrrd")]) == 0
    said = capsys.readouterr().out
    assert "a draft that nobody has reviewed" in said
    mask = load_case(
        case_files(None, [f"portal={phantom / 'portal.nii.gz'}"], [f"tumor={tmp_path / 't.seg.nrrd'}"])
    ).masks["tumor"][0]
    assert mask.GetSize() == image.GetSize()
    index = np.argwhere(array(mask))[:, ::-1]
    inside = [image.TransformIndexToPhysicalPoint(v.tolist()) for v in index[:: max(len(index) // 50, 1)]]
    assert np.abs(np.array(inside) - box.centre).max() < max(box.half) + 10
    assert main([*words, "--json", "--out", str(tmp_path / "t.seg.nrrd")]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["provenance"]["engine"] == "builtin"
    assert answer["volume_ml"]["tumor"] > 1


def test_the_engines_are_listed(capsys):
    assert main(["segment", "--list"]) == 0
    assert "builtin: Built-in (no weights), ready" in capsys.readouterr().out
    assert main(["segment", "--list", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["engines"]
    assert found[-1]["name"] == "builtin"
    assert {"licence", "citation", "offers", "ready", "step", "version"} <= set(found[-1])


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "needs an image, found none"),
        (["--image", "portal={image}"], "needs a file to go to"),
        (["--image", "portal={image}", "--out", "d.nii.gz"], "written as FILE.seg.nrrd"),
        (["--image", "portal={image}", "--box", "1,2,3", "--out", "d.seg.nrrd"], "six voxel indices"),
        (["--image", "portal={image}", "--box", "a,2,3", "--out", "d.seg.nrrd"], "found 'a,2,3'"),
        (["--image", "portal={image}", "--box", "0,900,0,1,0,1", "--out", "d.seg.nrrd"], "from 0 to 87"),
        (["--image", "portal={image}", "--roi", "none.mrk.json", "--out", "d.seg.nrrd"], "found no such file"),
        (["--image", "portal={image}", "--region", "lung", "--out", "d.seg.nrrd"], "'lung' is not a known region"),
        (["--image", "portal={image}", "--engine", "magic", "--out", "d.seg.nrrd"], "not a known segmentation engine"),
        (["--image", "portal={image}", "--region", "tumor", "--out", "d.seg.nrrd"], "give a box around it"),
        (
            ["--image", "portal={image}", "--engine", "builtin", "--modality", "MR", "--out", "d.seg.nrrd"],
            "outlines the liver in CT, found MR",
        ),
    ],
)
def test_wrong_input_is_answered_with_a_sentence(phantom, tmp_path, monkeypatch, capsys, words, sentence):
    monkeypatch.chdir(tmp_path)
    assert main(["segment", *(word.format(image=phantom / "portal.nii.gz") for word in words)]) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert "Traceback" not in error
    assert not list(tmp_path.iterdir())


def test_no_liver_in_an_image_is_answered_with_a_sentence(tmp_path, capsys):
    noise = np.random.default_rng(0).normal(-900, 20, (20, 40, 40)).astype(np.float32)
    image = sitk.GetImageFromArray(noise)
    image.SetSpacing((4.0, 4.0, 5.0))
    sitk.WriteImage(image, str(tmp_path / "air.nii.gz"))
    words = ["segment", "--engine", "builtin", "--image", f"portal={tmp_path / 'air.nii.gz'}"]
    assert main([*words, "--out", str(tmp_path / "d.seg.nrrd")]) == 2
    assert "liver was expected on the patient's right, found no large even tissue" in capsys.readouterr().err
