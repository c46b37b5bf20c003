from __future__ import annotations

import io
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import worked_example
from PIL import Image

from hccoutcome.case import Case
from hccoutcome.scene.appearance import TUMOUR_COLOUR, appearance
from hccoutcome.scene.build import add_case
from hccoutcome.scene.exchange import node_from_image
from hccoutcome.scene.places import box_of, largest_section, middle_of, point_of_interest
from hccoutcome.scene.render import SURFACES, case_pictures
from hccoutcome.scene.slices import PLANES, Frame, Plane, cut, cut_mask
from hccoutcome.scene.surface import LEVEL, PIXEL_MM, Surface, View, draw_surfaces

AXIAL, CORONAL, SAGITTAL = PLANES
IN_FRONT = View(towards_right=0.0, upwards=0.0)


def one_phase() -> Case:
    """Return the example with its portal venous phase alone."""
    case = worked_example.case()
    masks = {region: masks[:1] for region, masks in case.masks.items()}
    return replace(case, images={"portal": case.images["portal"]}, masks=masks)


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(float) / 255


def near(picture: np.ndarray, colour: tuple[float, float, float], tolerance: float = 0.12) -> np.ndarray:
    return (np.abs(picture - np.array(colour)) < tolerance).all(axis=-1)


def block_with_spot(direction: tuple[int, int, int], oblique: bool) -> sitk.Image:
    """Return an image with one bright spot away from its middle in a direction of the patient (RAS)."""
    image = worked_example.image(np.zeros((31, 31, 31), np.float32), oblique)
    image.SetSpacing((1.0, 1.0, 1.0))
    middle = np.array(middle_of(image))
    point = (middle + 8.0 * np.array(direction)) * [-1, -1, 1]
    x, y, z = image.TransformPhysicalPointToIndex(point.tolist())
    image[x - 1 : x + 2, y - 1 : y + 2, z - 1 : z + 2] = 100.0
    return image


@pytest.mark.parametrize("oblique", [False, True])
@pytest.mark.parametrize(
    ("direction", "plane", "edge"),
    [
        ((1, 0, 0), AXIAL, "left"),
        ((0, 1, 0), AXIAL, "top"),
        ((1, 0, 0), CORONAL, "left"),
        ((0, 0, 1), CORONAL, "top"),
        ((0, 1, 0), SAGITTAL, "left"),
        ((0, 0, 1), SAGITTAL, "top"),
    ],
)
def test_slices_lie_as_radiologists_read_them(direction, plane: Plane, edge: str, oblique: bool) -> None:
    image = block_with_spot(direction, oblique)
    picture = cut(node_from_image(image, "image"), plane, Frame(middle_of(image), 30.0, 30.0, 1.0), 0.0)
    row, column = np.argwhere(picture > 20).mean(axis=0)
    expected = {"left": (14.5, 6.5), "top": (6.5, 14.5)}[edge]
    assert (row, column) == pytest.approx(expected, abs=1.6)


@pytest.mark.parametrize("plane", PLANES, ids=lambda plane: plane.name)
@pytest.mark.parametrize("oblique", [False, True])
def test_a_slice_has_the_values_that_simpleitk_interpolates(plane: Plane, oblique: bool) -> None:
    array = np.random.default_rng(3).normal(size=(12, 20, 24)).astype(np.float32)
    image = worked_example.image(sitk.GetArrayFromImage(sitk.SmoothingRecursiveGaussian(sitk.GetImageFromArray(array))))
    image = worked_example.image(sitk.GetArrayFromImage(image), oblique)
    frame = Frame(middle_of(image), 6.0, 5.0, 0.25)
    found = cut(node_from_image(image, "image"), plane, frame, -9.0)
    to_lps = np.array([-1, -1, 1])
    right, up = to_lps * plane.right, to_lps * plane.up
    columns, rows = frame.pixels
    corner = to_lps * frame.middle - right * 0.25 * columns / 2 + up * 0.25 * (rows / 2 - 1)
    direction = np.stack([right, -up, np.cross(right, -up)], axis=1)
    expected = sitk.Resample(
        image, [columns, rows, 1], sitk.Transform(), sitk.sitkLinear, corner.tolist(), (0.25, 0.25, 1.0),
        direction.ravel().tolist(), -9.0,
    )  # fmt: skip
    np.testing.assert_allclose(found, sitk.GetArrayFromImage(expected)[0], atol=1e-4)


def test_the_outline_of_a_mask_encloses_its_area() -> None:
    mask = worked_example.image(worked_example.ball((9, 40, 40), (4, 20, 20), 12))
    frame = Frame(middle_of(mask), 28.0, 30.0, 0.1)
    inside = cut_mask(mask, AXIAL, frame) > 0.5
    expected = sitk.GetArrayViewFromImage(mask)[4].sum() * mask.GetSpacing()[0] * mask.GetSpacing()[1]
    assert inside.sum() * 0.1**2 == pytest.approx(expected, rel=0.02)


def test_the_planes_cross_in_the_largest_section_of_the_largest_part() -> None:
    array = worked_example.ball((20, 40, 40), (12, 12, 12), 7) | worked_example.ball((20, 40, 40), (5, 32, 32), 4)
    mask = worked_example.image(array)
    expected = np.array(mask.TransformIndexToPhysicalPoint((12, 12, 12))) * [-1, -1, 1]
    np.testing.assert_allclose(largest_section(mask), expected, atol=1e-9)


def test_without_tumour_the_liver_is_shown_and_without_both_the_middle(scene) -> None:
    case = worked_example.case()
    image = case.images["portal"]
    nodes = add_case(replace(case, masks={"liver": case.masks["liver"]}))
    assert point_of_interest(nodes, nodes.images["portal"]) == largest_section(case.masks["liver"][0])
    nodes = add_case(replace(case, masks={}))
    assert point_of_interest(nodes, nodes.images["portal"]) == pytest.approx(middle_of(image))


def test_every_phase_has_three_slices_and_the_case_its_surfaces(scene) -> None:
    case = worked_example.case()
    pictures = case_pictures(add_case(case))
    slices = [f"{phase}-{plane.name}" for phase in case.images for plane in PLANES]
    assert list(pictures) == [*slices, SURFACES]
    widths = {pixels(pictures[name]).shape[1] for name in slices if name.endswith(("axial", "coronal"))}
    assert widths == {720}


def test_pictures_are_the_same_every_time(scene) -> None:
    nodes = add_case(one_phase())
    assert case_pictures(nodes) == case_pictures(nodes)


def test_a_case_of_images_alone_has_slices_and_no_surfaces(scene) -> None:
    case = worked_example.case()
    pictures = case_pictures(add_case(replace(case, masks={}, images={"portal": case.images["portal"]})))
    assert list(pictures) == ["portal-axial", "portal-coronal", "portal-sagittal"]


def test_outlines_have_the_colour_of_their_segment_and_follow_its_visibility(scene) -> None:
    nodes = add_case(one_phase())
    middle = slice(100, -100)
    assert near(pixels(case_pictures(nodes)["portal-axial"])[middle, middle], TUMOUR_COLOUR).sum() > 200
    segmentation = nodes.segmentations[0]
    segmentation.GetSegmentation().GetSegment("tumor").SetColor(0.0, 1.0, 0.0)
    picture = pixels(case_pictures(nodes)["portal-axial"])[middle, middle]
    assert near(picture, TUMOUR_COLOUR).sum() == 0
    assert near(picture, (0.0, 1.0, 0.0)).sum() > 200
    for node in nodes.segmentations:
        node.GetDisplayNode().SetSegmentVisibility("tumor", False)
    assert near(pixels(case_pictures(nodes)["portal-axial"])[middle, middle], (0.0, 1.0, 0.0)).sum() == 0


def test_the_window_of_the_scene_is_that_of_the_picture(scene) -> None:
    nodes = add_case(one_phase())
    before = pixels(case_pictures(nodes)["portal-axial"])
    nodes.images["portal"].GetDisplayNode().SetWindowLevel(350, 400)
    assert pixels(case_pictures(nodes)["portal-axial"])[200:500, 150:350].mean() < before[200:500, 150:350].mean() - 0.2


def test_generated_data_is_labelled_in_every_picture(scene) -> None:
    case = one_phase()
    labelled = case_pictures(add_case(case))
    plain = case_pictures(add_case(replace(case, synthetic=False)))
    for name, png in labelled.items():
        difference = np.abs(pixels(png) - pixels(plain[name])).max(axis=-1) > 0.1
        rows, columns = np.nonzero(difference)
        assert rows.size > 100, f"{name} does not say that the data is synthetic"
        assert rows.max() < 90
        assert columns.max() < 180


def sphere(centre: tuple[float, float, float], radius: float) -> sitk.Image:
    """Return a sphere of 1 mm voxels around a point in LPS."""
    size = int(2 * radius + 9)
    mask = sitk.GetImageFromArray(worked_example.ball((size, size, size), (size // 2,) * 3, radius))
    mask.SetOrigin([middle - size // 2 for middle in centre])
    return mask


def test_a_sphere_casts_a_disc_of_its_size() -> None:
    picture = draw_surfaces([Surface(sphere((10, 20, 30), 20.0), (1, 1, 1))], IN_FRONT)
    area = (picture.mean(axis=-1) > 0.15).sum() * PIXEL_MM**2
    sigma_shift = 0.8 * 0.25  # a level below one half lies a little outside
    assert LEVEL < 0.5
    assert area == pytest.approx(np.pi * (20.0 + sigma_shift) ** 2, rel=0.03)


def test_the_patients_right_is_on_the_left_and_the_head_at_the_top() -> None:
    red, green, blue = (1, 0, 0), (0, 1, 0), (0, 0, 1)
    spheres = [
        Surface(sphere((-30, 0, 0), 8.0), red),
        Surface(sphere((30, 0, 0), 8.0), green),
        Surface(sphere((0, 0, 30), 8.0), blue),
    ]
    picture = draw_surfaces(spheres, IN_FRONT)
    centres = [
        np.argwhere(picture.argmax(axis=-1) * (picture.max(axis=-1) > 0.2) == index).mean(axis=0) for index in (1, 2)
    ]
    red_centre = np.argwhere((picture[..., 0] > 0.3) & (picture[..., 1] < 0.3)).mean(axis=0)
    assert red_centre[1] < centres[1][1] < centres[0][1]
    assert centres[1][0] < red_centre[0]


def test_what_lies_in_front_hides_what_lies_behind_unless_it_is_transparent() -> None:
    front, back = sphere((0, -40, 0), 10.0), sphere((0, 40, 0), 6.0)
    opaque = draw_surfaces([Surface(back, (0, 1, 0)), Surface(front, (1, 0, 0))], IN_FRONT)
    middle = tuple(length // 2 for length in opaque.shape[:2])
    assert opaque[middle][0] > 0.5
    assert opaque[middle][1] < 0.35
    clear = draw_surfaces([Surface(back, (0, 1, 0)), Surface(front, (1, 0, 0), 0.2)], IN_FRONT)
    assert clear[middle][1] > 0.5


def test_views_turn_towards_the_right_and_upwards() -> None:
    axes = View(towards_right=90.0, upwards=0.0).axes()
    np.testing.assert_allclose(axes, np.array([[0, 0, 1], [-1, 0, 0], [0, -1, 0]]), atol=1e-12)
    assert np.linalg.det(View().axes()) == pytest.approx(1.0)


def test_the_box_of_an_image_is_in_ras() -> None:
    image = sitk.Image(3, 4, 5, sitk.sitkUInt8)
    image.SetOrigin((1, 2, 3))
    low, high = box_of(image)
    assert (low.tolist(), high.tolist()) == ([-3, -5, 3], [-1, -2, 7])


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="the loaded libraries are listed on Linux only")
def test_no_graphics_library_is_loaded() -> None:
    code = (
        "import worked_example\n"
        "from hccoutcome.scene.build import add_case; from hccoutcome.scene.render import case_pictures\n"
        "case_pictures(add_case(worked_example.case()))\n"
        "from pathlib import Path; maps = Path('/proc/self/maps').read_text()\n"
        "print([name for name in ('libGL.so', 'libEGL.so', 'libOSMesa', 'libX11.so') if '/' + name in maps])"
    )
    folder = str(Path(worked_example.__file__).parent)
    run = subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=folder, capture_output=True, text=True)
    assert (run.returncode, run.stdout, run.stderr) == (0, "[]\n", "")


def test_real_tumours_are_shown_in_place(scene, data: Path) -> None:
    folder = data / "ircadb17_ct"
    masks = [sitk.ReadImage(str(folder / f"livertumor{number}.nii.gz")) > 0 for number in (1, 2)]
    case = replace(
        worked_example.case(synthetic=False),
        images={"portal": sitk.ReadImage(str(folder / "ct.nii.gz"))},
        masks={"tumor": (sitk.Cast(masks[0] | masks[1], sitk.sitkUInt8),)},
    )
    pictures = case_pictures(add_case(case))
    outline = near(pixels(pictures["portal-axial"])[60:-60, 30:-30], appearance("tumor").colour)
    halves = outline[:, : outline.shape[1] // 2].sum(), outline[:, outline.shape[1] // 2 :].sum()
    assert min(halves) > 150, "one tumour lies in the right liver, one in the left"
