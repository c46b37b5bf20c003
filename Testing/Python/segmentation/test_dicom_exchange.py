"""Drafts and masks as DICOM SEG and back: overlapping regions, codes, who made them, and the real liver."""

from __future__ import annotations

import json
from datetime import datetime

import highdicom as hd
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from synthetic_dicom import write_series

from hccoutcome.cli import main
from hccoutcome.errors import InputError
from hccoutcome.imaging.dicom import read_series
from hccoutcome.imaging.dicom_seg import SegSegment
from hccoutcome.imaging.dicom_seg_write import Maker
from hccoutcome.imaging.geometry import same_geometry
from hccoutcome.imaging.labels import named_segments
from hccoutcome.segmentation import Draft
from hccoutcome.segmentation.dicom_exchange import maker_in, maker_of, read_segments, region_of, write_segments
from hccoutcome.segmentation.draft import REVIEW, read_provenance, write_draft

WHEN = datetime(2026, 3, 1, 12, 30, 15)
AUTOMATIC = Maker("HCC Outcome builtin", "1.0")


@pytest.fixture
def series(tmp_path):
    write_series(tmp_path / "ct", 6)
    return read_series(tmp_path / "ct")


def masks_on(image: sitk.Image) -> dict[str, sitk.Image]:
    """Return a liver that holds a tumour, and a vessel that leaves it."""
    found = {}
    for region, place in (
        ("liver", np.s_[1:5, 1:5, 1:7]),
        ("tumor", np.s_[2:4, 2:4, 3:5]),
        ("vessel", np.s_[3:6, 4:6, 2]),
        ("segment4", np.s_[1:3, 1:5, 1:3]),
    ):
        voxels = np.zeros(image.GetSize()[::-1], np.uint8)
        voxels[place] = 1
        found[region] = sitk.GetImageFromArray(voxels)
        found[region].CopyInformation(image)
    return found


def same(one: dict[str, sitk.Image], other: dict[str, sitk.Image]) -> bool:
    return set(one) == set(other) and all(
        (sitk.GetArrayFromImage(one[region]) == sitk.GetArrayFromImage(other[region])).all() for region in one
    )


def test_masks_that_overlap_read_back_voxel_by_voxel_by_their_codes(tmp_path, series):
    masks = masks_on(series.image)
    path = write_segments(tmp_path / "seg.dcm", masks, series, AUTOMATIC, WHEN)
    back = read_segments(path, series.image)
    assert same(back, masks)
    assert all(same_geometry(mask, series.image) for mask in back.values())
    again = write_segments(tmp_path / "again.dcm", masks, series, AUTOMATIC, WHEN)
    assert path.read_bytes() == again.read_bytes()


def test_highdicom_and_pydicom_find_codes_maker_and_the_overlap(tmp_path, series):
    path = write_segments(tmp_path / "seg.dcm", masks_on(series.image), series, AUTOMATIC, WHEN)
    found = hd.seg.segread(path)
    types = [found.get_segment_description(number).segmented_property_type.value for number in found.segment_numbers]
    assert types == ["10200004", "108369006", "59820001", "277958008"]
    tumour = found.get_segment_description(2)
    assert tumour.anatomic_regions == [hd.sr.CodedConcept("10200004", "SCT", "Liver")]
    assert tumour.algorithm_type == hd.seg.SegmentAlgorithmTypeValues.AUTOMATIC
    assert (tumour.algorithm_identification.name, tumour.algorithm_identification.version) == (
        "HCC Outcome builtin",
        "1.0",
    )
    volume = found.get_volume(combine_segments=False, allow_missing_positions=True)
    assert (volume.array.sum(axis=-1) > 1).any()
    source = pydicom.dcmread(series.files[0])
    assert (found.PatientID, found.StudyInstanceUID) == (source.PatientID, source.StudyInstanceUID)
    assert found.SegmentsOverlap == "YES"


def test_what_a_person_drew_has_no_algorithm(tmp_path, series):
    masks = {"liver": masks_on(series.image)["liver"]}
    path = write_segments(tmp_path / "seg.dcm", masks, series, Maker("a reader", kind="MANUAL"), WHEN)
    description = hd.seg.segread(path).get_segment_description(1)
    assert description.algorithm_type == hd.seg.SegmentAlgorithmTypeValues.MANUAL
    assert description.algorithm_identification is None


def test_an_empty_mask_is_named(tmp_path, series):
    masks = masks_on(series.image)
    with pytest.raises(InputError, match="holds something, found 'Tumour' empty"):
        write_segments(tmp_path / "seg.dcm", {**masks, "tumor": masks["tumor"] * 0}, series, AUTOMATIC)


@pytest.mark.parametrize(
    ("code", "label", "region"),
    [
        ("10200004", "Segment_1", "liver"),
        ("52988006", "Lesion", "tumor"),
        ("86049000", "anything", "tumor"),
        ("108369006", "Tumour", "tumor"),
        ("108369006", "Tumour 2", "tumor2"),
        ("108369006", "Tumour 2 (cranial)", "tumor"),
        ("HABITAT", "Habitat 3", "habitat3"),
        ("277960005", "S6", "segment6"),
        ("32764006", "PV", "portalvein"),
        ("59820001", "Blood vessel", None),
        ("59820001", "Liver vessels", "vessel"),
        ("85756007", "liver", "liver"),
        ("85756007", "Kidney", None),
    ],
)
def test_a_segment_of_another_program_is_known_by_its_code_or_else_its_name(code, label, region):
    assert region_of(SegSegment(1, label, (code, "SCT", "?"), "", "MANUAL")) == region


def test_who_made_a_segmentation_is_read_from_its_header(tmp_path, series):
    masks = masks_on(series.image)
    provenance = {"engine": "builtin", "version": "1.0", "prompt": None, "review": REVIEW["draft"]}
    path = write_draft(Draft(masks, provenance), tmp_path / "a.seg.nrrd")
    assert maker_in(path) == Maker("HCC Outcome builtin", "1.0", "AUTOMATIC")
    path = write_draft(Draft(masks, {**provenance, "prompt": {"kind": "box"}}), tmp_path / "b.seg.nrrd")
    assert maker_in(path).kind == "SEMIAUTOMATIC"
    path = write_draft(Draft(masks, {**provenance, "review": REVIEW["edited"]}), tmp_path / "c.seg.nrrd")
    assert maker_in(path).kind == "SEMIAUTOMATIC"
    # As Slicer leaves it: the tags of the segments, and no field of ours.
    image = sitk.ReadImage(str(path))
    image.EraseMetaData("HCCOutcome_Provenance")
    sitk.WriteImage(image, str(tmp_path / "d.seg.nrrd"))
    assert maker_in(tmp_path / "d.seg.nrrd") == Maker("HCC Outcome builtin", "1.0", "SEMIAUTOMATIC")
    sitk.WriteImage(masks["liver"], str(tmp_path / "e.nii.gz"))
    assert maker_in(tmp_path / "e.nii.gz") is None


def test_the_least_automatic_of_imported_segments_speaks_for_them():
    segments = {"liver": [{"kind": "AUTOMATIC", "maker": "X"}], "tumor": [{"kind": "SEMIAUTOMATIC", "maker": ""}]}
    made = maker_of({"engine": "DICOM SEG", "version": "1", "segments": segments})
    assert made == Maker("DICOM SEG", "", "SEMIAUTOMATIC")


# --- the command --------------------------------------------------------------------------------------------------


def test_the_command_takes_segments_out_and_puts_them_in_again(tmp_path, series, capsys):
    masks = masks_on(series.image)
    path = write_segments(tmp_path / "seg.dcm", masks, series, AUTOMATIC, WHEN)
    draft, again = tmp_path / "draft.seg.nrrd", tmp_path / "again.dcm"
    assert main(["dicomseg", "import", str(path), "--image", str(tmp_path / "ct"), "--out", str(draft)]) == 0
    assert [segment.name for segment in named_segments(draft)] == ["Liver", "Tumour", "Liver vessels", "Segment IV"]
    assert read_provenance(draft)["review"] == "imported, not reviewed here"
    words = [f"{region}={draft}#{title}" for region, title in (("liver", "Liver"), ("tumor", "Tumour"))]
    asked = ["dicomseg", "export", "--series", str(tmp_path / "ct"), "--mask", words[0], "--mask", words[1]]
    assert main([*asked, "--out", str(again)]) == 0
    capsys.readouterr()
    assert main(["dicomseg", "list", str(again), "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [(item["region"], item["kind"]) for item in listed] == [("liver", "AUTOMATIC"), ("tumor", "AUTOMATIC")]
    assert same(read_segments(again, series.image), {name: masks[name] for name in ("liver", "tumor")})


def test_masks_that_do_not_say_how_they_were_made_are_asked(tmp_path, series, capsys):
    sitk.WriteImage(masks_on(series.image)["liver"], str(tmp_path / "liver.nii.gz"))
    asked = ["dicomseg", "export", "--series", str(tmp_path / "ct"), "--mask", f"liver={tmp_path / 'liver.nii.gz'}"]
    assert main([*asked, "--out", str(tmp_path / "o.dcm")]) == 2
    assert "say so by --made" in capsys.readouterr().err
    assert main([*asked, "--made", "manual", "--out", str(tmp_path / "o.dcm")]) == 0
    assert main([*asked[:4], "--out", str(tmp_path / "o.dcm")]) == 2
    assert "needs a mask, found none" in capsys.readouterr().err


def test_a_seg_without_a_region_of_ours_is_listed_and_not_imported(tmp_path, series, capsys):
    masks = {"liver": masks_on(series.image)["liver"]}
    path = write_segments(tmp_path / "seg.dcm", masks, series, AUTOMATIC, WHEN)
    dataset = pydicom.dcmread(path)
    dataset.SegmentSequence[0].SegmentLabel = "Spleen"
    dataset.SegmentSequence[0].SegmentedPropertyTypeCodeSequence[0].CodeValue = "78961009"
    dataset.save_as(path)
    assert main(["dicomseg", "list", str(path)]) == 0
    assert "no region of ours" in capsys.readouterr().out
    out = str(tmp_path / "o.seg.nrrd")
    assert main(["dicomseg", "import", str(path), "--image", str(tmp_path / "ct"), "--out", out]) == 2
    assert "expected to hold the liver or a lesion, found Spleen" in capsys.readouterr().err


def test_numbered_regions_come_back_and_what_is_left_out_is_named(tmp_path, series, capsys):
    drawn = masks_on(series.image)
    masks = {"tumor1": drawn["tumor"], "tumor2": drawn["vessel"], "habitat1": drawn["tumor"], "liver": drawn["liver"]}
    path = write_segments(tmp_path / "seg.dcm", masks, series, AUTOMATIC, WHEN)
    assert same(read_segments(path, series.image), masks)
    dataset = pydicom.dcmread(path)
    dataset.SegmentSequence[3].SegmentLabel = "Spleen"
    dataset.SegmentSequence[3].SegmentedPropertyTypeCodeSequence[0].CodeValue = "78961009"
    dataset.save_as(path)
    asked = ["dicomseg", "import", str(path), "--image", str(tmp_path / "ct"), "--out", str(tmp_path / "o.seg.nrrd")]
    assert main(asked) == 0
    assert "left out, being no region of ours: Spleen" in capsys.readouterr().out
    assert main([*asked, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["left_out"] == ["Spleen"]


def test_a_seg_of_another_frame_of_reference_is_refused(tmp_path, series, capsys):
    path = write_segments(tmp_path / "seg.dcm", masks_on(series.image), series, AUTOMATIC, WHEN)
    dataset = pydicom.dcmread(path)
    dataset.FrameOfReferenceUID = "1.2.3.4"
    dataset.save_as(path)
    asked = ["dicomseg", "import", str(path), "--out", str(tmp_path / "o.seg.nrrd"), "--image"]
    assert main([*asked, str(tmp_path / "ct")]) == 2
    assert "expected in the frame of reference of the image" in capsys.readouterr().err
    assert not (tmp_path / "o.seg.nrrd").exists()
    # A file without a frame of reference has the numbers alone to be compared by.
    sitk.WriteImage(series.image, str(tmp_path / "ct.nii.gz"))
    assert main([*asked, str(tmp_path / "ct.nii.gz")]) == 0


def test_a_seg_that_is_not_there_is_named(tmp_path, capsys):
    assert main(["dicomseg", "list", str(tmp_path / "nothing.dcm")]) == 2
    assert "The DICOM SEG file 'nothing.dcm' was expected, found nothing there" in capsys.readouterr().err


def test_the_real_liver_comes_in_by_its_code_and_goes_out_as_it_was(data, tmp_path):
    folder = data / "dicom_seg_liver"
    series = read_series(folder / "ct")
    found = read_segments(folder / "liver.dcm", series.image)
    assert list(found) == ["liver"]
    volume = sitk.GetArrayViewFromImage(found["liver"]).sum() * np.prod(found["liver"].GetSpacing()) / 1000
    assert volume == pytest.approx(70.4, abs=0.05)
    path = write_segments(tmp_path / "seg.dcm", found, series, AUTOMATIC, WHEN)
    assert same(read_segments(path, series.image), found)
