"""From case.json and options to a case: names, paths, masks on the right grid, and the sentences of refusal."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from synthetic_dicom import write_series

from hccoutcome.case import CaseFiles, ImageFile, MaskFile
from hccoutcome.errors import InputError
from hccoutcome.imaging.quality import check_quality
from hccoutcome.loading import (
    case_files,
    case_from_json,
    case_to_json,
    load_case,
    mask_for,
    read_case_folder,
    write_case_json,
)

CT = {"modality": "CT"}


def volume(size=(8, 7, 6), spacing=(0.8, 0.8, 2.5), origin=(-10.0, -20.0, 100.0)) -> sitk.Image:
    values = np.random.default_rng(0).integers(-100, 200, size[::-1]).astype(np.int16)
    image = sitk.GetImageFromArray(values)
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    return image


def outline(image: sitk.Image, *slices: int) -> sitk.Image:
    voxels = np.zeros(image.GetSize()[::-1], dtype=np.uint8)
    voxels[list(slices), 2:5, 2:5] = 1
    mask = sitk.GetImageFromArray(voxels)
    mask.CopyInformation(image)
    return mask


@pytest.fixture
def folder(tmp_path) -> Path:
    """A case folder with one image, two tumour masks and a clinical record."""
    image = volume()
    sitk.WriteImage(image, tmp_path / "ct.nii.gz")
    sitk.WriteImage(outline(image, 1, 2), tmp_path / "t1.nii.gz")
    sitk.WriteImage(outline(image, 2, 4), tmp_path / "t2.nii.gz")
    write(
        tmp_path,
        {
            "case_id": "HCC-1",
            **CT,
            "images": {"PVP": "ct.nii.gz"},
            "masks": {"Tumour": ["t1.nii.gz", {"path": "t2.nii.gz"}]},
            "clinical": {"age": 61, "afp": {"value": 400, "unit": "ng/mL"}},
        },
    )
    return tmp_path


def write(folder: Path, data: object) -> None:
    (folder / "case.json").write_text(data if isinstance(data, str) else json.dumps(data), encoding="utf-8")


def refusal(data: object, tmp_path: Path) -> str:
    write(tmp_path, data)
    with pytest.raises(InputError) as refused:
        read_case_folder(tmp_path)
    return str(refused.value)


def test_a_case_folder_is_read_with_canonical_names_and_paths_relative_to_it(folder):
    files = read_case_folder(folder)
    assert files == CaseFiles(
        case_id="HCC-1",
        images={"portal": ImageFile(folder / "ct.nii.gz")},
        masks={"tumor": (MaskFile(folder / "t1.nii.gz"), MaskFile(folder / "t2.nii.gz"))},
        clinical={"age": 61, "afp": {"value": 400, "unit": "ng/mL"}},
        modality="CT",
    )


def test_a_case_is_loaded_with_united_masks_parsed_record_and_fingerprints(folder):
    case = load_case(read_case_folder(folder))
    assert case.case_id == "HCC-1"
    assert case.modality == "CT"
    assert case.clinical["age"] == 61
    assert case.clinical["afp"] == 400
    (tumor,) = case.masks["tumor"]
    assert sitk.GetArrayFromImage(tumor).sum() == 27
    assert case.sources["image:portal"] == hashlib.sha256((folder / "ct.nii.gz").read_bytes()).hexdigest()
    digests = sorted(hashlib.sha256((folder / f"t{n}.nii.gz").read_bytes()).hexdigest() for n in (1, 2))
    assert case.sources["mask:tumor"] == hashlib.sha256("\n".join(digests).encode()).hexdigest()


def test_progress_rises_to_the_end(folder):
    seen: list[float] = []
    load_case(read_case_folder(folder), progress=lambda fraction, message: seen.append(fraction))
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


@pytest.mark.parametrize(
    "files",
    [
        CaseFiles("A"),
        CaseFiles(
            "B.1",
            {"portal": ImageFile(Path("/data/ct")), "arterial": ImageFile(Path("/d"), "1.2.3#AcquisitionNumber=2")},
            {"tumor": (MaskFile(Path("/a.nii"), "Tumor"), MaskFile(Path("/b.nii"))), "liver": (MaskFile(Path("/l")),)},
            {"age": 61, "sex": "male", "afp": {"value": 4, "unit": "ng/mL"}},
            "MR",
            True,
        ),
    ],
)  # fmt: skip
def test_a_case_survives_json_and_its_own_file(tmp_path, files):
    assert case_from_json(json.loads(json.dumps(case_to_json(files))), tmp_path) == files
    write_case_json(files, tmp_path / "new")
    assert read_case_folder(tmp_path / "new") == files


def test_paths_in_the_folder_are_written_relative_to_it(folder):
    write_case_json(read_case_folder(folder), folder)
    data = json.loads((folder / "case.json").read_text())
    assert data["images"] == {"portal": "ct.nii.gz"}
    assert data["masks"] == {"tumor": ["t1.nii.gz", "t2.nii.gz"]}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"case_id": "a", "image": {}}, "'image' is no key of case.json; did you mean 'images'? Known: "
         "case_id, clinical, images, masks, modality, synthetic: correct or remove it."),
        ({"images": {"portal": {"path": "a", "serie": "1"}}},
         "'serie' is no key of 'portal'; did you mean 'series'? Known: path, series: correct or remove it."),
        ({"images": {"portal": {"series": "1"}}},
         "'portal' was expected to name a path, found None: write the path of its file."),
        ({"images": {"portal": 3}}, "'portal' was expected to hold names and values ({...}), found 3: correct it."),
        ({"images": ["ct.nii"]},
         "'images' was expected to hold names and values ({...}), found ['ct.nii']: correct it."),
        ({"masks": {"tumor": {"path": "a", "segment": [1]}}},
         "The segment of 'tumor' was expected to be a text or number, found [1]: correct it."),
        ({"images": {"pvp": "a", "portal": "b"}},
         "Each image is named once, found 'portal' twice under different spellings: remove one."),
        ({"images": {"portl": "a"}}, "'portl' is not a known phase or sequence; did you mean 'portal'?"),
        ({"masks": {"tumr": "a"}}, "'tumr' is not a known region; did you mean 'tumor'?"),
        ({"modality": "PET"}, "The modality is one of CT, MR, found 'PET': correct it."),
        ({"synthetic": "yes"}, "'synthetic' in case.json is true or false, found 'yes': correct it."),
        ({"case_id": "a/b"}, "A case needs a name of 1 to 64 letters"),
        ([1], "'case.json' was expected to hold names and values ({...}), found [1]: correct it."),
        ('{"case_id": "a",\n "images": {}',
         "'case.json' should be JSON; Expecting ',' delimiter in line 2, column 14: mend or replace it."),
        ('{"clinical": {"alb": 41, "alb": 21}}', "'case.json' gives 'alb' twice in one object"),
        ('{"clinical": {"alb": NaN}}', "'case.json' holds NaN where a finite number belongs: replace it."),
        ('{"clinical": {"alb": -Infinity}}', "'case.json' holds -Infinity where a finite number belongs"),
        ('{"clinical": {"alb": ' + "4" * 400 + "}}", "'case.json' holds a number of 400 characters where a finite"),
        ('{"clinical": {"alb": ' + "4" * 5000 + "}}", "'case.json' holds a number of 5000 characters where a finite"),
        ("[" * 100_000, "'case.json' is nested far deeper than any such file needs"),
        ({"case_id": 5}, "'case_id' in case.json is a text, found 5: put it into quotes."),
        ({"case_id": None}, "'case_id' in case.json is a text, found None: put it into quotes."),
    ],
)  # fmt: skip
def test_a_wrong_case_file_is_answered_with_what_to_correct(tmp_path, data, message):
    assert refusal(data, tmp_path).startswith(message)


def test_a_folder_without_case_file_is_refused_and_so_is_one_in_another_encoding(tmp_path):
    with pytest.raises(InputError, match=r"A case folder holds a case\.json, found none in"):
        read_case_folder(tmp_path)
    (tmp_path / "case.json").write_bytes(b"\xff\xfe{")
    with pytest.raises(InputError, match=r"'case\.json' should be text in UTF-8 and is not"):
        read_case_folder(tmp_path)


def test_a_byte_order_mark_is_no_fault_and_a_folder_in_place_of_a_file_is_one(tmp_path):
    (tmp_path / "case.json").write_bytes(b'\xef\xbb\xbf{"case_id": "a"}')
    assert read_case_folder(tmp_path).case_id == "a"
    (tmp_path / "record.json").mkdir()
    with pytest.raises(InputError, match=r"'record\.json' was expected to be a JSON file that may be read, found"):
        case_files(None, clinical=tmp_path / "record.json")


def test_a_clinical_record_of_its_own_is_read_as_strictly(tmp_path):
    (tmp_path / "record.json").write_text('{"alb": 41, "alb": 21}')
    with pytest.raises(InputError, match=r"'record\.json' gives 'alb' twice in one object"):
        case_files(None, clinical=tmp_path / "record.json")


def test_options_make_a_case_and_several_masks_of_one_region_are_kept(folder):
    files = case_files(
        None,
        [f"venous={folder}/ct.nii.gz"],
        [f"tumor={folder}/t1.nii.gz", f"Tumour={folder}/t2.nii.gz#1"],
        case_id="X",
        modality="CT",
    )
    assert files.images == {"portal": ImageFile(folder / "ct.nii.gz")}
    assert files.masks == {"tumor": (MaskFile(folder / "t1.nii.gz"), MaskFile(folder / "t2.nii.gz", "1"))}
    assert sitk.GetArrayFromImage(load_case(files).masks["tumor"][0]).sum() == 27


def test_options_replace_what_the_folder_says_of_the_same_name(folder):
    (folder / "more.json").write_text(json.dumps({"age": 62}))
    files = case_files(folder, [], [f"tumor={folder}/t1.nii.gz"], folder / "more.json", case_id="Y")
    assert files.case_id == "Y"
    assert files.images == {"portal": ImageFile(folder / "ct.nii.gz")}
    assert files.masks == {"tumor": (MaskFile(folder / "t1.nii.gz"),)}
    assert files.clinical == {"age": 62, "afp": {"value": 400, "unit": "ng/mL"}}
    files = case_files(folder, [f"arterial={folder}/ct.nii.gz"])
    assert set(files.images) == {"portal", "arterial"}
    assert files.masks == read_case_folder(folder).masks


def test_a_series_uid_may_follow_a_path_even_where_it_holds_a_hash_itself(tmp_path):
    files = case_files(None, [f"portal={tmp_path}/ct#1.2.3#AcquisitionNumber=2"])
    assert files.images["portal"] == ImageFile(tmp_path / "ct", "1.2.3#AcquisitionNumber=2")
    (tmp_path / "odd#name").mkdir()
    assert case_files(None, [f"portal={tmp_path}/odd#name"]).images["portal"] == ImageFile(tmp_path / "odd#name")


@pytest.mark.parametrize("text", ["ct.nii.gz", "=ct.nii.gz", "portal=", ""])
def test_a_malformed_option_is_refused(text):
    with pytest.raises(
        InputError, match=f"An option of the form PHASE=PATH was expected, found '{text}': write it so."
    ):
        case_files(None, [text])


def test_a_phase_given_twice_is_refused():
    with pytest.raises(InputError, match="Each image is named once, found 'portal' twice"):
        case_files(None, ["portal=a.nii", "pvp=b.nii"])


def test_a_missing_clinical_file_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"The file 'c\.json' was expected in '.*', found no such file"):
        case_files(None, clinical=tmp_path / "c.json")


def test_a_mask_with_a_rounded_affine_matches_and_carries_the_images_grid(folder):
    mask = outline(volume(), 3)
    mask.SetOrigin((-10.0000011, -20.000003, 100.00002))
    sitk.WriteImage(mask, folder / "t1.nii.gz")
    found = mask_for(load_case(read_case_folder(folder)), "tumor", "portal")
    image = sitk.ReadImage(folder / "ct.nii.gz")
    assert found.GetOrigin() == image.GetOrigin()
    assert found.GetSpacing() == image.GetSpacing()
    assert found.GetDirection() == image.GetDirection()
    sitk.LabelIntensityStatisticsImageFilter().Execute(found, image)


def test_a_mask_flipped_and_cropped_by_another_program_is_brought_to_its_image(folder):
    sitk.WriteImage(sitk.Flip(outline(volume(), 3)[1:7, 1:6, 2:5], (True, True, False)), folder / "t1.nii.gz")
    case = load_case(read_case_folder(folder))
    np.testing.assert_array_equal(
        sitk.GetArrayFromImage(mask_for(case, "tumor", "portal")), sitk.GetArrayFromImage(outline(volume(), 2, 3, 4))
    )


def test_a_mask_as_large_as_its_image_that_begins_elsewhere_is_warned_of(folder):
    mask = sitk.ReadImage(folder / "t1.nii.gz")
    mask.SetOrigin((-10.0, -20.0, 105.0))
    sitk.WriteImage(mask, folder / "t1.nii.gz")
    case = load_case(read_case_folder(folder))
    (item,) = case.notes
    assert (item.subject, item.check, item.status) == ("mask tumor", "origin", "warning")
    assert item.found == "same size, another origin: 5 mm off"
    assert item.expected == "the origin of the portal image"
    assert item.note == "Check that the mask belongs to this image."
    assert item in check_quality(case)


def test_a_cropped_mask_is_told_of_and_a_flipped_one_is_not(folder):
    mask = sitk.ReadImage(folder / "t1.nii.gz")
    sitk.WriteImage(sitk.Flip(mask, (True, False, True)), folder / "t1.nii.gz")
    sitk.WriteImage(sitk.ReadImage(folder / "t2.nii.gz")[1:7, 1:6, 1:], folder / "t2.nii.gz")
    case = load_case(read_case_folder(folder))
    (item,) = case.notes
    assert (item.subject, item.check, item.status) == ("mask tumor", "mask size", "ok")
    assert item.found == "6 x 5 x 5 voxels, moved to its place; nothing is outlined in the rest of the image"
    assert item.expected == "8 x 7 x 6 voxels, or a part of the portal image"
    assert item in check_quality(case)


def test_a_mask_on_another_grid_is_refused_when_it_is_used(folder):
    sitk.WriteImage(outline(volume(spacing=(1, 1, 1)), 3), folder / "t1.nii.gz")
    case = load_case(read_case_folder(folder))
    assert len(case.masks["tumor"]) == 2
    assert sitk.GetArrayFromImage(mask_for(case, "tumor", "portal")).sum() == 18
    files = case_files(None, [f"portal={folder}/ct.nii.gz"], [f"tumor={folder}/t1.nii.gz"], case_id="C")
    with pytest.raises(InputError) as refused:
        mask_for(load_case(files), "tumor", "portal")
    assert str(refused.value) == (
        "The mask of 'tumor' in case 'C' was expected on the grid of the portal image, but they differ: "
        "spacing 1 x 1 x 1 mm against 0.8 x 0.8 x 2.5 mm (mask against image): "
        "resample the mask onto that image or register the phases."
    )


def test_a_mask_that_reaches_outside_its_image_is_refused_with_its_name(folder):
    larger = volume(size=(8, 7, 9))
    sitk.WriteImage(outline(larger, 8), folder / "t1.nii.gz")
    with pytest.raises(
        InputError, match=r"'t1\.nii\.gz': The mask was expected inside its image, but 9 of its 9 voxels"
    ):
        load_case(read_case_folder(folder))


def test_each_phase_finds_the_mask_on_its_own_grid(tmp_path):
    thick, thin = volume(), volume(size=(8, 7, 15), spacing=(0.8, 0.8, 1.0), origin=(-10.0, -20.0, 99.5))
    for name, image, slices in (("thick", thick, (1,)), ("thin", thin, (1, 2, 3))):
        sitk.WriteImage(image, tmp_path / f"{name}.nii.gz")
        sitk.WriteImage(outline(image, *slices), tmp_path / f"{name}_mask.nii.gz")
    case = load_case(
        case_files(
            None,
            [f"arterial={tmp_path}/thick.nii.gz", f"portal={tmp_path}/thin.nii.gz"],
            [f"tumor={tmp_path}/thick_mask.nii.gz", f"tumor={tmp_path}/thin_mask.nii.gz"],
        )
    )
    assert sitk.GetArrayFromImage(mask_for(case, "tumor", "arterial")).sum() == 9
    assert sitk.GetArrayFromImage(mask_for(case, "tumor", "portal")).sum() == 27


def test_a_region_or_phase_that_the_case_lacks_is_answered_with_those_there_are(folder):
    case = load_case(read_case_folder(folder))
    with pytest.raises(InputError, match="expected to have the mask 'liver', found tumor: add it or choose another"):
        mask_for(case, "liver", "portal")
    with pytest.raises(InputError, match="expected to have the image 'arterial', found portal: add it or choose"):
        mask_for(case, "tumor", "arterial")
    with pytest.raises(InputError, match=r"'tumo' is not a known region; did you mean 'tumor'\?"):
        mask_for(case, "tumo", "portal")


def test_the_modality_is_taken_from_dicom_and_must_agree_with_what_is_stated(tmp_path):
    write_series(tmp_path / "ct")
    write_series(tmp_path / "mr", SeriesInstanceUID="1.2.8", Modality="MR")
    write_series(tmp_path / "pet", SeriesInstanceUID="1.2.9", Modality="PT")
    ct, mr = f"portal={tmp_path}/ct", f"arterial={tmp_path}/mr"
    assert load_case(case_files(None, [ct])).modality == "CT"
    assert load_case(case_files(None, [mr])).modality == "MR"
    with pytest.raises(
        InputError, match="The portal image was expected to be MR as stated, found CT in its DICOM files"
    ):
        load_case(case_files(None, [ct], modality="MR"))
    with pytest.raises(
        InputError, match="expected to be of one modality, found portal CT, arterial MR: make two cases"
    ):
        load_case(case_files(None, [ct, mr]))
    with pytest.raises(InputError, match="The portal image was expected to be CT or MR, found DICOM modality 'PT'"):
        load_case(case_files(None, [f"portal={tmp_path}/pet"]))


def test_a_series_is_chosen_by_the_phase_it_is_given_for(tmp_path):
    for number, description in enumerate(("Arterial", "Portal venous"), start=1):
        write_series(
            tmp_path / "study" / str(number), SeriesInstanceUID=f"1.2.{number}", SeriesDescription=description,
            start=100.0 * number,
        )  # fmt: skip
    case = load_case(case_files(None, [f"arterial={tmp_path}/study", f"portal={tmp_path}/study"]))
    assert case.images["arterial"].GetOrigin()[2] == 100
    assert case.images["portal"].GetOrigin()[2] == 200


def test_a_wrong_clinical_entry_is_refused_before_any_image_is_read(tmp_path):
    (tmp_path / "c.json").write_text(json.dumps({"age": "old"}))
    with pytest.raises(InputError, match="age"):
        load_case(case_files(None, [f"portal={tmp_path}/none.nii.gz"], clinical=tmp_path / "c.json"))


def test_importing_the_loading_loads_no_heavy_library():
    code = "import sys, hccoutcome.loading, hccoutcome.imaging.deidentify; print(sorted(set(sys.modules) & %r))" % {
        "pydicom", "highdicom", "dicomanonymizer", "pandas", "torch", "scipy", "numba", "vtk", "slicer",
    }  # fmt: skip
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_the_real_patient_with_two_tumours_is_loaded_to_its_published_volumes(data):
    folder = data / "ircadb17_ct"
    masks = [f"tumor={folder}/livertumor{n}.nii.gz" for n in (1, 2)]
    case = load_case(case_files(None, [f"portal={folder}/ct.nii.gz"], [*masks, f"liver={folder}/liver.nii.gz"]))
    volumes = {}
    for region in ("tumor", "liver"):
        mask = mask_for(case, region, "portal")
        volumes[region] = sitk.GetArrayViewFromImage(mask).sum() * np.prod(mask.GetSpacing()) / 1000
    assert volumes == pytest.approx({"tumor": 164.28, "liver": 1860.6}, abs=0.05)
    assert case.images["portal"].GetPixelID() == sitk.sitkInt16


def test_the_real_dicom_case_with_its_dicom_seg_is_loaded(data):
    folder = data / "dicom_seg_liver"
    case = load_case(case_files(None, [f"portal={folder}/ct"], [f"liver={folder}/liver.dcm#Liver"]))
    assert case.modality == "CT"
    mask = mask_for(case, "liver", "portal")
    assert mask.GetOrigin() == case.images["portal"].GetOrigin()
    assert sitk.GetArrayViewFromImage(mask).sum() * np.prod(mask.GetSpacing()) / 1000 == pytest.approx(70.4, abs=0.05)


def test_the_two_phases_of_a_real_patient_share_a_lattice(data):
    folder = data / "hcc011_ct_2phase"
    files = case_files(None, [f"arterial={folder}/ct_acq2.nii.gz", f"portal={folder}/ct_acq3.nii.gz"])
    case = load_case(files)
    assert [image.GetSize()[2] for image in case.images.values()] == [79, 87]
    both = outline(case.images["arterial"], 10, 11)
    case = type(case)(case.case_id, case.images, {"tumor": (both,)})
    assert sitk.GetArrayFromImage(mask_for(case, "tumor", "portal")).sum() == 18
