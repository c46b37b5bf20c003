"""Reading NIfTI, NRRD and MetaImage: what comes back, and the sentence for everything that is wrong."""

from __future__ import annotations

import gzip
import re
import struct
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from hccoutcome.case import ImageFile, MaskFile
from hccoutcome.errors import InputError
from hccoutcome.imaging.geometry import same_geometry
from hccoutcome.imaging.reading import read_image, read_mask, unite

FILES = ["a.nii", "a.nii.gz", "a.nrrd", "a.mha", "a.mhd"]


def ct(dtype=np.int16) -> sitk.Image:
    values = np.random.default_rng(1).integers(-1000, 1000, (12, 16, 20)).astype(dtype)
    image = sitk.GetImageFromArray(values)
    image.SetSpacing((0.5, 0.75, 2.5))
    image.SetOrigin((-100.0, -50.0, 20.0))
    return image


def labels(values: dict[int, int], dtype=np.uint8) -> sitk.Image:
    voxels = np.zeros((12, 16, 20), dtype=dtype)
    for value, count in values.items():
        voxels[value % 12].flat[:count] = value
    image = sitk.GetImageFromArray(voxels)
    image.CopyInformation(ct())
    return image


def written(image: sitk.Image, path: Path) -> Path:
    sitk.WriteImage(image, path)
    return path


def refusal_of_image(path: Path) -> str:
    with pytest.raises(InputError) as refused:
        read_image(ImageFile(path))
    return str(refused.value)


def refusal_of_mask(path: Path, segment: str | None = None) -> str:
    with pytest.raises(InputError) as refused:
        read_mask(MaskFile(path, segment))
    return str(refused.value)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.float32])
def test_an_image_comes_back_with_its_voxels_type_and_grid(tmp_path, name, dtype):
    image = ct(dtype)
    found = read_image(ImageFile(written(image, tmp_path / name)))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(found), sitk.GetArrayFromImage(image))
    assert found.GetPixelID() == image.GetPixelID()
    assert same_geometry(found, image)


def test_the_format_is_told_by_the_content_and_not_by_the_name(tmp_path):
    path = written(ct(), tmp_path / "a.nrrd").rename(tmp_path / "a.nii")
    assert read_image(ImageFile(path)).GetSize() == (20, 16, 12)


def test_a_fourth_dimension_of_one_is_dropped(tmp_path):
    path = written(sitk.JoinSeries([ct()]), tmp_path / "a.nii.gz")
    assert same_geometry(read_image(ImageFile(path)), ct())


@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_short_is_refused(tmp_path, name):
    written(ct(), tmp_path / name)
    data = tmp_path / ("a.raw" if name == "a.mhd" else name)
    content = data.read_bytes()
    data.write_bytes(content[: int(len(content) * 0.8)])
    assert "cut short" in refusal_of_image(tmp_path / name)


def test_the_bytes_that_are_missing_are_counted(tmp_path):
    path = written(ct(), tmp_path / "a.nii")
    path.write_bytes(path.read_bytes()[:5000])
    assert refusal_of_image(path) == (
        "'a.nii' is cut short: 8,032 bytes were expected, found 5,000: copy it again from its source."
    )


@pytest.mark.parametrize("name", ["a.nrrd", "a.mha"])
def test_a_compressed_file_cut_short_is_refused(tmp_path, name):
    sitk.WriteImage(ct(), tmp_path / name, useCompression=True)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: int(len(content) * 0.8)])
    assert "cut short" in refusal_of_image(tmp_path / name)


def test_a_gzip_file_of_several_members_is_whole(tmp_path):
    content = written(ct(), tmp_path / "a.nii").read_bytes()
    path = tmp_path / "b.nii.gz"
    path.write_bytes(gzip.compress(content[:3000]) + gzip.compress(content[3000:]))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(read_image(ImageFile(path))), sitk.GetArrayFromImage(ct()))


def test_damaged_gzip_data_are_refused(tmp_path):
    path = written(ct(), tmp_path / "a.nii.gz")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    assert "copy it again from its source" in refusal_of_image(path)


def test_a_missing_file_is_named(tmp_path):
    assert refusal_of_image(tmp_path / "ct.nii.gz") == (
        f"The image 'ct.nii.gz' was expected in '{tmp_path.name}', found no such file: check the path."
    )


@pytest.mark.parametrize(
    ("content", "found"), [(b"", "an empty file"), (b"Dear colleague", "a file of another kind (14 bytes)")]
)
def test_what_is_no_image_is_refused(tmp_path, content, found):
    (tmp_path / "letter.nii.gz").write_bytes(content)
    assert refusal_of_image(tmp_path / "letter.nii.gz") == (
        "The image 'letter.nii.gz' was expected to be NIfTI (.nii, .nii.gz), NRRD, MetaImage or DICOM, "
        f"found {found}: convert it or check the path."
    )


@pytest.mark.parametrize("name", ["a.nii.gz", "a.nrrd", "a.mha"])
def test_a_4d_image_is_refused(tmp_path, name):
    assert refusal_of_image(written(sitk.JoinSeries([ct(), ct(), ct()]), tmp_path / name)) == (
        f"'{name}' was expected to hold one 3D image, found 4 dimensions (20 x 16 x 12 x 3): "
        "save each time point or sequence as a file of its own."
    )


@pytest.mark.parametrize("name", ["a.nii.gz", "a.nrrd", "a.mha"])
@pytest.mark.parametrize(
    ("region", "shape"), [((slice(None), slice(None), 0), "20 x 16"), (np.s_[:, :, 0:1], "20 x 16 x 1")]
)
def test_a_single_slice_is_refused(tmp_path, name, region, shape):
    message = refusal_of_image(written(ct()[region], tmp_path / name))
    assert message.startswith(f"'{name}' was expected to hold a 3D image of several slices, found 20 x 16")
    assert message.endswith("give the whole volume.")


def test_a_colour_image_is_refused(tmp_path):
    path = written(sitk.Compose(ct(np.uint8), ct(np.uint8), ct(np.uint8)), tmp_path / "a.mha")
    assert "one value per voxel, found 3" in refusal_of_image(path)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.nrrd", "a.mha"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_and_infinity_are_counted_and_refused(tmp_path, name, value):
    voxels = sitk.GetArrayFromImage(ct(np.float32))
    voxels[0, 0, :7] = value
    assert refusal_of_image(written(sitk.GetImageFromArray(voxels), tmp_path / name)) == (
        f"'{name}' was expected to hold a finite number in every voxel, found 7 of 3,840 NaN or infinite: "
        "replace them (outside the body by the value of air) and save it again."
    )


def with_bytes(path: Path, *changes: tuple[int, bytes]) -> Path:
    content = bytearray(path.read_bytes())
    for at, fresh in changes:
        content[at : at + len(fresh)] = fresh
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("step", [0.0, -0.5, float("nan"), float("inf")])
def test_a_nifti_voxel_size_that_simpleitk_would_mend_is_refused(tmp_path, step):
    path = with_bytes(written(ct(), tmp_path / "a.nii"), (80, struct.pack("<f", step)))
    assert refusal_of_image(path) == (
        f"'a.nii' was expected to have a positive voxel size along every axis, found {step:.4g} x 0.75 x 2.5 mm: "
        "correct the header or export the image again."
    )


@pytest.mark.parametrize("step", ["0", "-0.5", "nan"])
@pytest.mark.parametrize("name", ["a.nrrd", "a.mha"])
def test_a_voxel_size_that_is_not_positive_is_refused_in_nrrd_and_metaimage(tmp_path, name, step):
    content = written(ct(), tmp_path / name).read_bytes()
    content = re.sub(rb"space directions: [^\n]*", b"spacings: " + step.encode() + b" 0.75 2.5", content)
    content = re.sub(rb"space: [^\n]*\n|space origin: [^\n]*\n", b"", content)
    content = re.sub(rb"ElementSpacing = 0.5", b"ElementSpacing = " + step.encode(), content)
    (tmp_path / name).write_bytes(content)
    assert "positive voxel size along every axis, found" in refusal_of_image(tmp_path / name)


def test_two_voxel_sizes_in_one_nifti_header_are_refused(tmp_path):
    path = with_bytes(written(ct(), tmp_path / "a.nii"), (280, struct.pack("<f", 1.0)))
    assert refusal_of_image(path) == (
        "'a.nii' was expected to state one voxel size, found 0.5 x 0.75 x 2.5 mm (pixdim) and 1 x 0.75 x 2.5 mm "
        "(sform): write the file again with the right one."
    )


@pytest.mark.parametrize(
    ("name", "pattern", "fresh"),
    [
        ("a.nrrd", rb"\(0,0\.75,0\)", b"(0.5,0,0)"),
        ("a.nrrd", rb"\(0\.5,0,0\)", b"(0,0,0)"),
        ("a.mha", rb"TransformMatrix = [^\n]*", b"TransformMatrix = 1 0 0 1 0 0 0 0 1"),
    ],
)
def test_singular_axes_are_refused(tmp_path, name, pattern, fresh):
    content = written(ct(), tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(re.sub(pattern, fresh, content))
    message = refusal_of_image(tmp_path / name)
    assert "its orientation matrix is singular" in message or "positive voxel size" in message


@pytest.mark.parametrize("name", ["image.nrrd", "image.mha"])
def test_sheared_axes_are_refused(tmp_path, name):
    """A tilted gantry: NRRD and MetaImage keep it, and every length, surface and volume would be wrong."""
    image = ct()
    image.SetDirection((1, 0, 0.2, 0, 1, 0, 0, 0, 1))
    assert "axes at right angles, found sheared ones: resample it" in refusal_of_image(written(image, tmp_path / name))


def test_singular_axes_of_a_nifti_file_are_refused(tmp_path):
    path = with_bytes(written(ct(), tmp_path / "a.nii"), (280, struct.pack("<4f", 0.0, 0.5, 0.0, 0.0)))
    with_bytes(path, (296, struct.pack("<4f", 0.0, 0.75, 0.0, 0.0)))
    assert "three independent axes, but its orientation matrix is singular" in refusal_of_image(path)


def test_a_header_that_makes_no_sense_is_refused(tmp_path):
    content = written(ct(), tmp_path / "a.mha").read_bytes()
    (tmp_path / "a.mha").write_bytes(content.replace(b"DimSize = 20 16 12", b"DimSize = 20 many 12"))
    assert "was expected to have a complete header, but it cannot be understood" in refusal_of_image(tmp_path / "a.mha")


def test_a_header_without_its_voxels_is_refused(tmp_path):
    written(ct(), tmp_path / "a.mhd")
    (tmp_path / "a.raw").unlink()
    assert "expects its voxels in the file 'a.raw' beside it, found none" in refusal_of_image(tmp_path / "a.mhd")


@pytest.mark.parametrize("setting", [True, False])
def test_reading_leaves_the_warnings_of_itk_as_they_were_and_is_quiet(tmp_path, capfd, setting):
    path = with_bytes(written(ct(), tmp_path / "a.nii"), (280, struct.pack("<f", 0.504)))
    before = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(setting)
    try:
        read_image(ImageFile(path))
        assert sitk.ProcessObject.GetGlobalWarningDisplay() == setting
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(before)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("values", "dtype"), [({1: 30}, np.uint8), ({255: 30}, np.uint8), ({1: 30}, np.float32)])
def test_a_mask_of_any_one_label_becomes_zero_and_one(tmp_path, values, dtype):
    mask = read_mask(MaskFile(written(labels(values, dtype), tmp_path / "m.nii.gz")))
    assert mask.GetPixelID() == sitk.sitkUInt8
    assert np.unique(sitk.GetArrayFromImage(mask)).tolist() == [0, 1]
    assert sitk.GetArrayFromImage(mask).sum() == 30


def test_a_mask_of_several_labels_is_refused_and_one_may_be_chosen(tmp_path):
    path = written(labels({1: 10, 5: 20}), tmp_path / "m.nii.gz")
    assert refusal_of_mask(path) == (
        "The mask 'm.nii.gz' was expected to hold one label, found 2 (1, 5): "
        "name the one that is meant as its segment, or give one file for each."
    )
    assert sitk.GetArrayFromImage(read_mask(MaskFile(path, "5"))).sum() == 20
    assert refusal_of_mask(path, "7") == (
        "The mask 'm.nii.gz' was expected to hold one segment '7', found 2: Known: 1, 5; name one of them."
    )


def test_an_empty_mask_is_refused(tmp_path):
    assert refusal_of_mask(written(labels({}), tmp_path / "m.nrrd")) == (
        "The mask 'm.nrrd' was expected to outline at least one voxel, found none: "
        "outline the region or leave the mask out."
    )


def test_values_that_are_no_labels_are_refused(tmp_path):
    mask = labels({1: 5}, np.float32)
    mask[0, 0, 0] = 0.5
    message = refusal_of_mask(written(mask, tmp_path / "m.nii.gz"))
    assert message.startswith("The mask 'm.nii.gz' was expected to hold whole labels (0 outside, 1 inside), found 0.5:")
    assert "give the mask and not the image" in refusal_of_mask(written(ct(), tmp_path / "ct.nii.gz"))


def seg_nrrd(path: Path, layers: list[np.ndarray], segments: list[tuple[str, int, int]]) -> Path:
    """Write a file as Slicer's segmentation writer does: layers as components, segments in the header."""
    images = [sitk.GetImageFromArray(layer.astype(np.uint8)) for layer in layers]
    image = sitk.Compose(images) if len(images) > 1 else images[0]
    image.CopyInformation(ct())
    for number, (name, layer, value) in enumerate(segments):
        image.SetMetaData(f"Segment{number}_ID", f"Segment_{number + 1}")
        image.SetMetaData(f"Segment{number}_Name", name)
        image.SetMetaData(f"Segment{number}_Layer", str(layer))
        image.SetMetaData(f"Segment{number}_LabelValue", str(value))
    return written(image, path)


def block(stop: int, value: int = 1) -> np.ndarray:
    voxels = np.zeros((12, 16, 20), dtype=np.uint8)
    voxels[:stop] = value
    return voxels


@pytest.mark.parametrize("kind", [b"vector", b"list"])
def test_segments_of_a_seg_nrrd_are_chosen_by_name_over_all_layers(tmp_path, kind):
    both = block(6)
    both[8:] = 2
    path = seg_nrrd(tmp_path / "s.seg.nrrd", [both, block(3)], [("Liver", 0, 1), ("Spleen", 0, 2), ("Tumor", 1, 1)])
    path.write_bytes(path.read_bytes().replace(b"kinds: vector", b"kinds: " + kind))
    for name, slices in (("liver", 6), ("Spleen", 4), ("TUMOR", 3)):
        assert sitk.GetArrayFromImage(read_mask(MaskFile(path, name))).sum() == slices * 320
    assert refusal_of_mask(path) == (
        "The mask 's.seg.nrrd' was expected to hold one segment, found 3 (Liver, Spleen, Tumor): "
        "name the one that is meant as its segment."
    )
    assert refusal_of_mask(path, "Tumour") == (
        "The mask 's.seg.nrrd' was expected to hold one segment 'Tumour', found 3: "
        "did you mean 'Tumor'? Known: Liver, Spleen, Tumor; name one of them."
    )


def test_the_only_segment_of_a_seg_nrrd_needs_no_name_and_may_be_empty_only_with_a_refusal(tmp_path):
    assert sitk.GetArrayFromImage(
        read_mask(MaskFile(seg_nrrd(tmp_path / "s.nrrd", [block(2)], [("Liver", 0, 1)])))
    ).any()
    empty = seg_nrrd(tmp_path / "e.nrrd", [block(2)], [("Liver", 0, 1), ("Tumor", 0, 2)])
    assert "at least one voxel in segment 'Tumor', found none" in refusal_of_mask(empty, "Tumor")


def test_a_cropped_mask_is_brought_to_the_grid_of_its_reference(tmp_path):
    mask = labels({1: 30})
    path = written(mask[2:19, 0:10, 0:5], tmp_path / "m.seg.nrrd")
    found = read_mask(MaskFile(path), reference=ct())
    assert same_geometry(found, ct())
    assert read_mask(MaskFile(path)).GetSize() == (17, 10, 5)
    whole, part = sitk.GetArrayFromImage(mask), sitk.GetArrayFromImage(found)
    np.testing.assert_array_equal(part[:5, :10, 2:19], whole[:5, :10, 2:19])


def test_masks_are_united_and_another_grid_is_refused():
    one, two = labels({1: 30}), labels({2: 40})
    union = unite([one, two > 0])
    assert np.unique(sitk.GetArrayFromImage(union)).tolist() == [0, 1]
    assert sitk.GetArrayFromImage(union).sum() == 70
    two.SetSpacing((1, 1, 1))
    with pytest.raises(InputError, match=r"but they differ: spacing 0\.5 x 0\.75 x 2\.5 mm against 1 x 1 x 1 mm"):
        unite([one, two])


def test_both_tumours_of_ircadb17_are_united_to_their_published_volume(data):
    folder = data / "ircadb17_ct"
    masks = [read_mask(MaskFile(folder / f"livertumor{n}.nii.gz")) for n in (1, 2)]
    volumes = [sitk.GetArrayViewFromImage(m).sum() * np.prod(m.GetSpacing()) / 1000 for m in (*masks, unite(masks))]
    np.testing.assert_allclose(volumes, [85.6, 78.6, 164.3], atol=0.1)


def test_the_liver_of_the_totalsegmentator_example_is_chosen_among_its_labels(data):
    path = data / "totalseg_examples" / "example_seg.nii.gz"
    liver = read_mask(MaskFile(path, "5"), reference=read_image(ImageFile(path.with_name("example_ct_sm.nii.gz"))))
    assert sitk.GetArrayViewFromImage(liver).sum() * 0.027 == pytest.approx(1043.1, abs=0.1)


def test_nifti_2_which_simpleitk_cannot_read_is_refused(tmp_path, capfd):
    (tmp_path / "a.nii").write_bytes(
        struct.pack("<i8shh8q", 540, b"n+2\0\r\n\x1a\n", 4, 16, 3, 4, 4, 4, 1, 1, 1, 1).ljust(672)
    )
    assert refusal_of_image(tmp_path / "a.nii") == (
        "'a.nii' was expected to be NIfTI-1, found NIfTI-2: convert it to NIfTI-1 or NRRD."
    )
    assert capfd.readouterr().err == ""


DAMAGE = [(FILES[n], seed) for n in range(4) for seed in range(40)]


@pytest.mark.parametrize(("name", "seed"), DAMAGE)
def test_a_damaged_header_is_read_or_refused_but_never_a_defect(tmp_path, name, seed):
    content = bytearray(written(ct(np.float32), tmp_path / name).read_bytes())
    generator = np.random.default_rng(seed)
    for at in generator.integers(0, min(400, len(content)), 3):
        content[at] = generator.integers(0, 256)
    (tmp_path / name).write_bytes(content)
    for read in (lambda: read_image(ImageFile(tmp_path / name)), lambda: read_mask(MaskFile(tmp_path / name))):
        try:
            assert read().GetDimension() == 3
        except InputError as error:
            assert name in str(error)
