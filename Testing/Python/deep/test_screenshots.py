"""Screenshots in place of images: what is read of them, how they are marked, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from oblique import ball, ramp

from hccoutcome.deep.inputs import plane_image
from hccoutcome.deep.screenshots import find_screenshots, read_screenshot, square
from hccoutcome.deep.tci_inputs import TciView, tci_input
from hccoutcome.errors import InputError

VIEW = TciView(pixels=32, reach=2)


def save(path, levels):
    sitk.WriteImage(sitk.GetImageFromArray(levels.astype(np.uint8), isVector=levels.ndim == 3), str(path))
    return path


def shades(rows=48, columns=64):
    y, x = np.mgrid[:rows, :columns]
    return 3.0 * x + y


def test_a_grey_png_is_read_as_it_is(tmp_path):
    np.testing.assert_array_equal(read_screenshot(save(tmp_path / "a.png", shades())), shades())


def test_colours_become_their_brightness(tmp_path):
    colours = np.stack([shades(), shades() / 2, shades() / 4], axis=-1).astype(np.uint8)
    expected = colours @ [0.299, 0.587, 0.114]
    np.testing.assert_allclose(read_screenshot(save(tmp_path / "a.png", colours)), expected, atol=1e-3)


def test_a_jpeg_is_nearly_the_png(tmp_path):
    levels = read_screenshot(save(tmp_path / "a.jpg", shades()))
    assert np.abs(levels - shades()).mean() < 2


def test_a_picture_is_padded_to_a_square_around_its_middle():
    padded = square(shades(32, 64).astype(np.float32), 64)
    np.testing.assert_allclose(padded[16:48], shades(32, 64), atol=1e-4)
    assert (padded[:16] == 0).all() and (padded[48:] == 0).all()


def test_a_larger_picture_is_averaged_and_not_sampled():
    """Stripes of one pixel become grey, not stripes of another width."""
    stripes = np.tile([0.0, 100.0], (256, 128)).astype(np.float32)
    small = square(stripes, 32)
    assert np.abs(small[4:-4, 4:-4] - 50).max() < 5


def test_phases_without_an_image_are_read_from_screenshots_and_marked(tmp_path):
    save(tmp_path / "arterial.png", shades())
    save(tmp_path / "arterial_-1.jpg", shades())
    image = ramp()
    found = find_screenshots(tmp_path)
    seen = tci_input({"portal": image}, {"tumor": {"portal": ball(image)}}, VIEW, found)
    assert seen.screenshots
    assert seen.present.tolist() == [False] * 5 + [False, True, True, False, False] + [True] * 5 + [False] * 5
    assert [plane.origin for plane in seen.planes] == ["image"] * 5 + ["screenshot"] * 5 + ["image"] * 10
    assert "The arterial phase was read from screenshots, whose scale and place are not known." in seen.notes
    assert len(np.unique(seen.pixels[7])) == 25
    with pytest.raises(InputError, match="comes from a screenshot"):
        plane_image(seen, 7)


def test_names_say_phase_and_slice(tmp_path):
    for name in ("PVP.png", "pre_+3.jpeg", "delayed_-4.JPG"):
        save(tmp_path / name.lower(), shades()).rename(tmp_path / name)
    assert set(find_screenshots(tmp_path)) == {("portal", 0), ("precontrast", 3), ("delayed", -4)}


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ((), "Screenshots .* were expected in '.*', found none"),
        (("arterial.png", "ap.jpg"), "One screenshot was expected of arterial slice"),
        (("nonsense.png",), "'nonsense' is not a known phase"),
        (("arterial one two.png",), "rename it"),
    ],
)
def test_a_folder_that_is_not_clear_is_refused(tmp_path, names, sentence):
    for name in names:
        save(tmp_path / name, shades())
    with pytest.raises(InputError, match=sentence):
        find_screenshots(tmp_path)


def test_wrong_files_are_refused(tmp_path):
    text = tmp_path / "a.png"
    text.write_text("no picture")
    with pytest.raises(InputError, match="to be neither: save it as PNG"):
        read_screenshot(text)
    whole = save(tmp_path / "b.png", np.random.default_rng(0).integers(0, 255, (64, 64))).read_bytes()
    (tmp_path / "b.png").write_bytes(whole[:1000])
    with pytest.raises(InputError, match="damaged"):
        read_screenshot(tmp_path / "b.png")
    with pytest.raises(InputError, match="found 20 x 20"):
        read_screenshot(save(tmp_path / "c.png", shades(20, 20)))
    with pytest.raises(InputError, match="one grey level everywhere"):
        read_screenshot(save(tmp_path / "d.png", np.full((64, 64), 7)))
    with pytest.raises(InputError, match="not a file"):
        read_screenshot(tmp_path / "absent.png")


def test_a_phase_may_not_be_given_twice_nor_a_slice_that_is_not_read(tmp_path):
    image = ramp()
    shot = save(tmp_path / "a.png", shades())
    with pytest.raises(InputError, match="both as an image and as a screenshot"):
        tci_input({"portal": image}, {"tumor": {"portal": ball(image)}}, VIEW, {("portal", 0): shot})
    with pytest.raises(InputError, match=r"found a screenshot of portal slice \+4"):
        tci_input({}, {}, VIEW, {("portal", 4): shot})
