"""De-identification: nothing of the patient is left anywhere in the output, and everything else still works."""

from __future__ import annotations

import csv
import json
import re
from datetime import date
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ImplicitVRLittleEndian
from synthetic_dicom import FRAME, SERIES, STUDY, save, slice_dataset, voxels_of, write_series

from hccoutcome.case import ImageFile, MaskFile
from hccoutcome.errors import Cancelled, InputError
from hccoutcome.imaging.deidentify import deidentify
from hccoutcome.imaging.deidentify_rules import shifted_date
from hccoutcome.imaging.dicom import list_series, read_series
from hccoutcome.imaging.geometry import same_geometry
from hccoutcome.imaging.reading import read_image, read_mask

NAME, NUMBER = "Zaphodine", "PN-88231-X"
PLANTED = (
    NAME,
    "Beeblebrox",
    NUMBER,
    "ACC-5512",
    "Dr Fenchurch",
    "Fenchurch",
    "Mercy Hospital",
    "SER-9917",
    "19610203",
)


def item(**elements) -> Dataset:
    made = Dataset()
    for keyword, value in elements.items():
        setattr(made, keyword, value)
    return made


def planted(number: int, **elements) -> Dataset:
    """Return a slice with the patient's name, number and dates in every kind of place."""
    dataset = slice_dataset(voxels_of(3)[number], (0, 0, 2.0 * number), number, **elements)
    dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate = f"Beeblebrox^{NAME}", NUMBER, "19610203"
    dataset.AccessionNumber, dataset.ReferringPhysicianName = "ACC-5512", "Dr Fenchurch"
    dataset.InstitutionName, dataset.DeviceSerialNumber = "Mercy Hospital", "SER-9917"
    dataset.SeriesDescription = f"arterial {NAME}"
    dataset.StudyDate, dataset.SeriesDate, dataset.AcquisitionDate = "20200310", "20200310", "20200311"
    dataset.AcquisitionDateTime, dataset.StudyTime = "20200311101500.25+0100", "101112"
    dataset.Manufacturer = f"Maker, serviced by {NAME}"
    dataset.PatientComments = f"{NAME} was nervous"
    dataset.RequestAttributesSequence = [
        item(RequestedProcedureDescription=f"CT of {NAME}", ScheduledProcedureStepID="1")
    ]
    dataset.SourceImageSequence = [
        item(
            ReferencedSOPClassUID=dataset.SOPClassUID,
            ReferencedSOPInstanceUID=f"{SERIES}.{number}",
            PurposeOfReferenceCodeSequence=[item(CodeValue="1", CodeMeaning=f"for {NAME}", CodingSchemeDesignator="L")],
        )
    ]
    dataset.PerformedProtocolCodeSequence = [
        item(CodeValue="7", CodingSchemeDesignator="L", CodeMeaning=f"{NAME} liver")
    ]
    block = dataset.private_block(0x0009, "ACME 1.0", create=True)
    block.add_new(0x01, "LO", NAME)
    block.add_new(0x02, "SQ", Sequence([item(PatientName=NAME)]))
    nested = dataset.PerformedProtocolCodeSequence[0].private_block(0x0011, "ACME 2.0", create=True)
    nested.add_new(0x01, "UT", f"{NAME} {NUMBER}")
    return dataset


def write_planted(folder: Path, **elements) -> Path:
    for number in range(3):
        save(planted(number, **elements), folder / f"{NAME}_{number}.dcm")
    return folder


@pytest.fixture
def source(tmp_path) -> Path:
    return write_planted(tmp_path / "in" / f"{NAME}^Beeblebrox")


def outputs(target: Path) -> list[Path]:
    return sorted(target.rglob("*.dcm"))


@pytest.mark.parametrize("keep_intervals", [False, True])
@pytest.mark.parametrize("syntax", [None, ImplicitVRLittleEndian])
def test_no_planted_value_is_left_in_any_byte_of_the_output(tmp_path, keep_intervals, syntax):
    source = tmp_path / "in"
    for number in range(3):
        dataset = planted(number)
        save(dataset, source / f"{NAME}_{number}.dcm", *([] if syntax is None else [syntax]))
        content = (source / f"{NAME}_{number}.dcm").read_bytes()
        (source / f"{NAME}_{number}.dcm").write_bytes(NAME.encode().ljust(128, b" ") + content[128:])
    deidentify(source, tmp_path / "out", keep_intervals=keep_intervals)
    originals = {uid for path in source.iterdir() for uid in uids_of(path)}
    assert len(outputs(tmp_path / "out")) == 3
    for path in (p for p in (tmp_path / "out").rglob("*") if p.is_file()):
        content = path.read_bytes()
        for value in (*PLANTED, *originals, "20200310", "20200311"):
            assert value.encode() not in content, f"{value} is left in {path}"
            assert NAME not in str(path.relative_to(tmp_path / "out"))


def uids_of(path: Path) -> set[str]:
    dataset = pydicom.dcmread(path)
    return {dataset.SOPInstanceUID, dataset.SeriesInstanceUID, dataset.StudyInstanceUID, dataset.FrameOfReferenceUID}


FILLERS = {
    **dict.fromkeys(("AE", "LO", "LT", "SH", "ST", "UC", "UT", "PN"), "QQPLANTEDQQ"),
    "CS": "QQPLANTEDQQ", "UR": "http://QQPLANTEDQQ", "AS": "077Y", "UI": "1.2.840.99999.77",
    "DA": "19770707", "DT": "19770707070707", "TM": "070707.77", "DS": "77.7777", "IS": "777777",
    "OB": b"QQPLANTEDQQ\0", "UN": b"QQPLANTEDQQ\0",
}  # fmt: skip


def profile_elements() -> list[tuple[int, str]]:
    """Return tag and type of every element that table E.1-1 of PS3.15 names, by the copy in the library."""
    from dicomanonymizer.dicom_anonymization_databases import dicomfields_2026c

    tags = {tag for tag in dicomfields_2026c.ALL_TAGS if len(tag) == 2 and tag[0] >= 8}
    found = [(group << 16 | element) for group, element in tags]
    return [(tag, dictionary_VR(tag)) for tag in sorted(found) if dictionary_has_tag(tag)]


@pytest.mark.parametrize("keep_intervals", [False, True])
def test_every_element_of_the_profile_is_cleaned_at_the_top_and_in_sequences(tmp_path, keep_intervals):
    assert len(profile_elements()) > 600
    dataset, inner = slice_dataset(voxels_of(1)[0], (0, 0, 0), 1), Dataset()
    for tag, kind in profile_elements():
        if kind in FILLERS:
            inner.add_new(tag, kind, FILLERS[kind])
            dataset.add_new(tag, kind, FILLERS[kind])
        elif kind == "SQ":
            dataset.add_new(tag, "SQ", [item(PatientName="QQPLANTEDQQ", CodeMeaning="QQPLANTEDQQ")])
    dataset.PatientID = "4711"
    dataset.add_new(0x00081032, "SQ", [inner])
    save(dataset, tmp_path / "in" / "0.dcm")
    result = deidentify(tmp_path / "in", tmp_path / "out", keep_intervals=keep_intervals)
    assert result.left_out == ()
    (path,) = outputs(tmp_path / "out")
    content = path.read_bytes()
    for value in (b"QQPLANTED", b"1.2.840.99999.77", b"19770707", b"77.7777", b"777777", b"077Y"):
        assert value not in content, value
    assert (b"070707.77" in content) == keep_intervals


def test_the_result_is_the_same_series_with_the_same_voxels_and_grid(tmp_path, source):
    before = read_series(source)
    deidentify(source, tmp_path / "out")
    after = read_series(tmp_path / "out")
    np.testing.assert_array_equal(sitk.GetArrayFromImage(after.image), sitk.GetArrayFromImage(before.image))
    assert same_geometry(after.image, before.image, tolerance_mm=0)
    assert after.series.count == before.series.count
    assert after.series.uid != before.series.uid


def test_files_get_neutral_names_and_folders_with_the_guessed_phase(tmp_path, source):
    deidentify(source, tmp_path / "out")
    found = [
        str(path.relative_to(tmp_path / "out")) for path in sorted((tmp_path / "out").rglob("*")) if path.is_file()
    ]
    assert found == [
        *(f"HCC_0001/01-arterial/000{number}.dcm" for number in (1, 2, 3)),
        "deidentification.csv",
        "deidentification.json",
    ]


def test_two_series_of_a_study_keep_their_shared_study_and_frame_of_reference(tmp_path):
    write_planted(tmp_path / "in" / "a")
    write_planted(tmp_path / "in" / "b", SeriesInstanceUID="1.2.9")
    deidentify(tmp_path / "in", tmp_path / "out")
    found = [pydicom.dcmread(path) for path in outputs(tmp_path / "out")]
    assert len({dataset.StudyInstanceUID for dataset in found}) == 1
    assert len({dataset.FrameOfReferenceUID for dataset in found}) == 1
    assert len({dataset.SeriesInstanceUID for dataset in found}) == 2
    assert {dataset.StudyInstanceUID for dataset in found} != {STUDY}
    assert {dataset.FrameOfReferenceUID for dataset in found} != {FRAME}
    instances = {dataset.SOPInstanceUID for dataset in found}
    assert len(instances) == 6
    assert {dataset.file_meta.MediaStorageSOPInstanceUID for dataset in found} == instances
    references = {dataset.SourceImageSequence[0].ReferencedSOPInstanceUID for dataset in found}
    assert references <= instances


def test_object_classes_and_encodings_stay(tmp_path, source):
    deidentify(source, tmp_path / "out")
    dataset = pydicom.dcmread(outputs(tmp_path / "out")[0])
    assert dataset.SOPClassUID == "1.2.840.10008.5.1.4.1.1.2"
    assert dataset.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"


def test_uids_that_the_standard_defines_stay(tmp_path):
    talairach = "1.2.840.10008.1.4.1.1"
    write_series(tmp_path / "in", FrameOfReferenceUID=talairach)
    deidentify(tmp_path / "in", tmp_path / "out")
    assert {pydicom.dcmread(path).FrameOfReferenceUID for path in outputs(tmp_path / "out")} == {talairach}


def test_the_data_set_says_how_it_was_deidentified(tmp_path, source):
    for keep, codes in ((False, ["113100"]), (True, ["113100", "113107"])):
        deidentify(source, tmp_path / str(keep), keep_intervals=keep)
        dataset = pydicom.dcmread(outputs(tmp_path / str(keep))[0])
        assert dataset.PatientIdentityRemoved == "YES"
        assert [code.CodeValue for code in dataset.DeidentificationMethodCodeSequence] == codes
        assert {code.CodingSchemeDesignator for code in dataset.DeidentificationMethodCodeSequence} == {"DCM"}
        assert dataset.LongitudinalTemporalInformationModified == ("MODIFIED" if keep else "REMOVED")


def test_shifted_dates_keep_their_intervals_and_times_and_removed_ones_are_gone(tmp_path, source):
    deidentify(source, tmp_path / "shifted", keep_intervals=True)
    dataset = pydicom.dcmread(outputs(tmp_path / "shifted")[0])
    study, acquired = (date.fromisoformat(d) for d in (dataset.StudyDate, dataset.AcquisitionDate))
    assert (acquired - study).days == 1
    assert 1 <= (date(2020, 3, 10) - study).days <= 3650
    assert dataset.AcquisitionDateTime == f"{acquired:%Y%m%d}101500.25+0100"
    assert dataset.StudyTime == "101112"
    assert dataset.PatientBirthDate != "19610203"
    deidentify(source, tmp_path / "removed")
    dataset = pydicom.dcmread(outputs(tmp_path / "removed")[0])
    assert dataset.StudyDate == "00010101"
    assert dataset.StudyTime == "000000.00"


def test_all_dates_of_a_patient_move_alike_and_those_of_another_patient_otherwise(tmp_path):
    for patient in ("A", "B"):
        for number, day in enumerate(("20200101", "20200301")):
            dataset = slice_dataset(
                voxels_of(1)[0], (0, 0, number), number, SeriesInstanceUID=f"1.{patient == 'A':d}.{number}"
            )
            dataset.PatientID, dataset.StudyDate = f"patient {patient}", day
            save(dataset, tmp_path / "in" / f"{patient}{number}.dcm")
    deidentify(tmp_path / "in", tmp_path / "out", keep_intervals=True, key=b"fixed")
    found: dict[str, list[str]] = {}
    for path in outputs(tmp_path / "out"):
        dataset = pydicom.dcmread(path)
        found.setdefault(dataset.PatientID, []).append(dataset.StudyDate)
    assert sorted(found) == ["HCC_0001", "HCC_0002"]
    spans = {who: [date.fromisoformat(d) for d in sorted(days)] for who, days in found.items()}
    assert {(late - early).days for early, late in spans.values()} == {60}
    assert spans["HCC_0001"] != spans["HCC_0002"]


@pytest.mark.parametrize(
    ("value", "shifted"),
    [
        ("20200301", "20200229"),
        ("20200301120000.5+0100", "20200229120000.5+0100"),
        ("2020.03.01", "20200229"),
        ("2020", None),
        ("20209999", None),
        ("", None),
    ],
)
def test_a_date_is_put_back_by_whole_days(value, shifted):
    assert shifted_date(value, 1) == shifted


def test_the_same_key_gives_the_same_output_and_no_key_another(tmp_path, source):
    for name, key in (("a", b"one"), ("b", b"one"), ("c", None)):
        deidentify(source, tmp_path / name, key=key)
    a, b, c = ([pydicom.dcmread(p).SOPInstanceUID for p in outputs(tmp_path / name)] for name in "abc")
    assert a == b
    assert not set(a) & set(c)
    assert all(re.fullmatch(r"2\.25\.[1-9][0-9]{0,38}", uid) for uid in (*a, *c))


def test_every_change_is_reported_by_tag_action_and_number_of_files(tmp_path, source):
    result = deidentify(source, tmp_path / "out")
    with (tmp_path / "out" / "deidentification.csv").open(newline="") as file:
        rows = {(row["tag"], row["action"]): (row["name"], row["files"]) for row in csv.DictReader(file)}
    expected = {
        ("(0010,0010)", "replaced by the pseudonym"): ("Patient's Name", "3"),
        ("(0008,0050)", "emptied"): ("Accession Number", "3"),
        ("(0008,103E)", "removed"): ("Series Description", "3"),
        ("(0020,000D)", "UID replaced"): ("Study Instance UID", "3"),
        ("(0009,1001)", "removed (private)"): ("Private element", "3"),
        ("(0011,1001)", "removed (private)"): ("Private element", "3"),
        ("(0008,0070)", "removed (repeated an identifying value)"): ("Manufacturer", "3"),
        ("(0008,0104)", "removed (repeated an identifying value)"): ("Code Meaning", "3"),
        ("(0018,1000)", "replaced by a dummy"): ("Device Serial Number", "3"),
    }
    assert expected.items() <= rows.items()
    report = json.loads((tmp_path / "out" / "deidentification.json").read_text())
    assert report == result.to_json()
    assert report["profile"] == [
        {"code": "113100", "scheme": "DCM", "meaning": "Basic Application Confidentiality Profile"}
    ]
    assert (report["patients"], report["files"]) == (1, 3)


def test_every_element_that_differs_is_in_the_report(tmp_path, source):
    result = deidentify(source, tmp_path / "out")
    reported = {change.tag for change in result.changes}
    before, after = pydicom.dcmread(sorted(source.iterdir())[0]), pydicom.dcmread(outputs(tmp_path / "out")[0])
    differing = changed_tags(before, after)
    assert len(differing) > 20
    assert differing <= reported


def changed_tags(before: Dataset, after: Dataset) -> set[str]:
    """Return the tags that are gone or whose value changed; of a sequence that stays, those of its items."""
    found: set[str] = set()
    for element in before:
        same = after.get(element.tag)
        if element.VR == "SQ" and same is not None and len(same.value) == len(element.value):
            for old, new in zip(element.value, same.value, strict=True):
                found |= changed_tags(old, new)
        elif same != element:
            found.add(f"({element.tag.group:04X},{element.tag.element:04X})")
    return found


@pytest.mark.parametrize(
    ("elements", "reason"),
    [
        ({"BurnedInAnnotation": "YES"}, "text is burnt into its pixels (Burned In Annotation is YES)"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, "screen capture, whose pixels may show the patient's name"),
        ({"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]}, "screen capture, whose pixels may show the"),
        ({"Modality": "US"}, "modality US, whose pixels may show the patient's name or face"),
        ({"Modality": "SR"}, "no image or segmentation (report, presentation state, plan...)"),
    ],
)
def test_what_may_show_the_patient_is_left_out_and_listed(tmp_path, source, elements, reason):
    save(planted(0, SOPInstanceUID="1.9.9", **elements), source / "extra.dcm")
    result = deidentify(source, tmp_path / "out")
    assert len(outputs(tmp_path / "out")) == 3
    (left,) = result.left_out
    assert left.path == Path("extra.dcm")
    assert left.reason.startswith(reason)
    assert f"1 files left out: {left.reason}" in result.summary()
    assert json.loads((tmp_path / "out" / "deidentification.json").read_text())["left_out"] == [
        {"reason": left.reason, "files": 1}
    ]


def test_indices_damaged_files_and_files_of_other_kinds_are_left_out_and_listed(tmp_path, source):
    first = sorted(source.iterdir())[0]
    (source / "DICOMDIR").write_bytes(first.read_bytes())
    (source / "damaged.dcm").write_bytes(first.read_bytes()[:-9])
    (source / "letter.txt").write_text("Dear colleague")
    result = deidentify(source, tmp_path / "out")
    assert {str(item.path): item.reason for item in result.left_out} == {
        "DICOMDIR": "DICOMDIR, an index that would name the original files",
        "damaged.dcm": "DICOM file cut short or damaged",
        "letter.txt": "not a DICOM file",
    }
    assert len(outputs(tmp_path / "out")) == 3


def test_overlays_unknown_elements_and_thumbnails_go(tmp_path):
    dataset = planted(0)
    dataset.add_new(0x60003000, "OB", NAME.encode() + b"\0")
    dataset.add_new(0x60000022, "LO", "drawn by hand")
    dataset.add_new(0x00081FFE, "LO", "no such element")
    dataset.IconImageSequence = [item(Rows=1, BitsAllocated=8, PixelData=b"\0\0")]
    save(dataset, tmp_path / "in" / "0.dcm")
    result = deidentify(tmp_path / "in", tmp_path / "out")
    after = pydicom.dcmread(outputs(tmp_path / "out")[0])
    assert not {0x60003000, 0x60000022, 0x00081FFE, 0x00880200} & set(after.keys())
    actions = {change.tag: change.action for change in result.changes}
    assert actions["(6000,3000)"] == "removed (curve or overlay)"
    assert actions["(0008,1FFE)"] == "removed (not in the standard)"


KEPT_TEXTS = ("ManufacturerModelName", "FilterType", "WindowCenterWidthExplanation")


def kept_texts(folder: Path, text: str, **elements) -> set[str]:
    """De-identify one slice with a text in three elements that the profile keeps; return those that still hold it."""
    dataset = slice_dataset(voxels_of(1)[0], (0, 0, 0.0), 0)
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.PatientBirthDate, dataset.StudyDate, dataset.WindowCenter, dataset.WindowWidth = (
        "19610203",
        "20240305",
        1,
        2,
    )
    for keyword, value in {**dict.fromkeys(KEPT_TEXTS, text), **elements}.items():
        setattr(dataset, keyword, value)
    save(dataset, folder / "in" / "0.dcm")
    deidentify(folder / "in", folder / "out")
    after = pydicom.dcmread(outputs(folder / "out")[0])
    return {keyword for keyword in KEPT_TEXTS if after.get(keyword) == text}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Zebrowski^Quentin=李^明", "李明"),
        ("Zebrowski^Quentin=李^明", "李 明 X1"),
        ("Zebrowski^Quentin=李^明", "a李b"),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", "やまだ"),
        ("Hong^Gildong=洪^吉洞=홍^길동", "홍길동"),
        ("Li^Bo", "LiBo"),
        ("Li^Bo", "bo_li"),
        ("Li^Bo", "Bo, Li"),
        ("Ng^A", "A.Ng"),
        ("Ng^A", "NG^A"),
        ("Müller^Jo", "MU\u0308LLER"),
        ("Wu^Xi", "\uff37\uff35 \uff38\uff29"),
        ("Smith-Jones^Al", "Dr Jones"),
        ("Zebrowski^Quentin", "QuentinZebrowski"),
    ],
)
def test_short_joined_and_east_asian_names_leave_no_trace(tmp_path, name, text):
    assert kept_texts(tmp_path, text, PatientName=name) == set()


@pytest.mark.parametrize(
    "text",
    [
        *("20240305", "2024-03-05", "05.03.2024", "05/03/2024", "03/05/2024", "2024/3/5", "5.3.2024", "5-Mar-2024"),
        *("March 5, 2024", "05032024", "born 19610203", "1961.02.03", "scan20240305a", "of 3 Feb 1961"),
    ],
)
def test_dates_of_the_patient_leave_no_trace_in_texts(tmp_path, text):
    assert kept_texts(tmp_path, text) == set()


@pytest.mark.parametrize(
    "text", ["SOMATOM 2024", "B30f", "ABDOMEN", "120240305", "20240306", "Biograph Ngai", "Libor", "1.20240.3055"]
)
def test_what_only_looks_alike_stays(tmp_path, text):
    assert kept_texts(tmp_path, text, PatientName="Ng^A") == set(KEPT_TEXTS)


def test_a_pseudonym_of_ones_own_is_used_for_one_patient_only(tmp_path, source):
    result = deidentify(source, tmp_path / "out", pseudonym="CASE-7")
    assert pydicom.dcmread(outputs(tmp_path / "out")[0]).PatientName == "CASE-7"
    assert result.pseudonyms == {NUMBER: "CASE-7"}
    assert NUMBER not in repr(result)
    save(slice_dataset(voxels_of(1)[0], (0, 0, 0), 5), source / "other.dcm")
    with pytest.raises(InputError, match="One pseudonym was given for one patient, found 2 patients: leave it out"):
        deidentify(source, tmp_path / "two", pseudonym="CASE-7")


def test_the_input_is_never_written_into(tmp_path, source):
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in source.iterdir()}
    for target in (source, source / "out", source.parent):
        with pytest.raises(InputError, match="expected"):
            deidentify(source, target)
    deidentify(source, tmp_path / "out")
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in source.iterdir()} == before
    link = tmp_path / "link"
    link.symlink_to(source, target_is_directory=True)
    with pytest.raises(InputError, match="expected outside the input, found it inside or equal"):
        deidentify(source, link / "out")


def test_an_output_in_use_is_refused_and_an_empty_one_is_not(tmp_path, source):
    (tmp_path / "out").mkdir()
    deidentify(source, tmp_path / "out")
    with pytest.raises(InputError, match="A new or empty folder was expected as output, found"):
        deidentify(source, tmp_path / "out")


def test_nothing_to_do_is_refused(tmp_path):
    with pytest.raises(InputError, match="found nothing at"):
        deidentify(tmp_path / "absent", tmp_path / "out")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("a")
    with pytest.raises(InputError, match=r"found 1 files and none of them usable \(not a DICOM file\): check the path"):
        deidentify(tmp_path / "in", tmp_path / "out")


def test_a_cancelled_run_leaves_nothing_behind(tmp_path, source):
    def stop(fraction: float, message: str) -> None:
        if fraction > 0.3:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        deidentify(source, tmp_path / "target" / "out", progress=stop)
    assert list((tmp_path / "target").iterdir()) == []


def test_a_file_that_cannot_be_written_again_is_left_out_and_the_rest_is_not(tmp_path, source):
    whole = pydicom.dcmread(sorted(source.iterdir())[0])
    del whole.SOPClassUID, whole.SOPInstanceUID
    whole.file_meta.MediaStorageSOPClassUID, whole.file_meta.MediaStorageSOPInstanceUID = "", ""
    pydicom.dcmwrite(source / "nameless.dcm", whole, enforce_file_format=False)
    result = deidentify(source, tmp_path / "out")
    assert [str(item) for item in result.left_out] == ["nameless.dcm: DICOM file cut short or damaged (ValueError)"]
    assert len(outputs(tmp_path / "out")) == 3


def test_the_real_series_and_its_segmentation_still_belong_together(tmp_path, data):
    folder = data / "dicom_seg_liver"
    result = deidentify(folder, tmp_path / "out", keep_intervals=True)
    assert [(series.modality, series.files) for series in result.series] == [("CT", 3), ("SEG", 1)]
    before, after = read_image(ImageFile(folder)), read_image(ImageFile(tmp_path / "out"))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(after), sitk.GetArrayFromImage(before))
    masks = [read_mask(MaskFile(where, "Liver"), before) for where in (folder, tmp_path / "out")]
    np.testing.assert_array_equal(*(sitk.GetArrayFromImage(mask) for mask in masks))
    seg = next(d for d in map(pydicom.dcmread, outputs(tmp_path / "out")) if d.Modality == "SEG")
    images = {d.SOPInstanceUID for d in map(pydicom.dcmread, outputs(tmp_path / "out")) if d.Modality == "CT"}
    referenced = {r.ReferencedSOPInstanceUID for r in seg.ReferencedSeriesSequence[0].ReferencedInstanceSequence}
    assert referenced == images
    for path in outputs(tmp_path / "out"):
        content = path.read_bytes()
        for value in (b"JANCT000", b"99000", b"03086212", b"20030417", b"1.2.392.200103"):
            assert value not in content


def test_a_real_compressed_series_keeps_its_voxels_and_loses_its_scanner(tmp_path, data):
    folder = data / "totalseg_examples" / "example_ct_dicom"
    deidentify(folder, tmp_path / "out")
    before, after = read_series(folder), read_series(tmp_path / "out")
    np.testing.assert_array_equal(sitk.GetArrayFromImage(after.image), sitk.GetArrayFromImage(before.image))
    assert same_geometry(after.image, before.image, tolerance_mm=0)
    content = b"".join(path.read_bytes() for path in outputs(tmp_path / "out"))
    for value in (b"PETCT2", b"60064", b"Basel", b"20221208", b"1.3.12.2.1107.5.1.4.60064"):
        assert value not in content
    assert [series.count for series in list_series(tmp_path / "out")] == [20]


def test_a_series_written_by_the_tests_helper_is_deidentified_too(tmp_path):
    write_series(tmp_path / "in")
    deidentify(tmp_path / "in", tmp_path / "out")
    assert b"Doe" not in b"".join(path.read_bytes() for path in outputs(tmp_path / "out"))
