"""The script that makes the documentation's pictures finds what it shows in the windows."""

import importlib.util
import re
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "Docs" / "screenshots.py"


@pytest.fixture(scope="module")
def screenshots():
    spec = importlib.util.spec_from_file_location("screenshots", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def widget(screenshots, case_nodes, open_module):
    widget = open_module("HCCResponse")
    widget.window.ui.guessButton.click()
    widget.window.ui.segmentationSelector.setCurrentNode(case_nodes.segmentations[0])
    return widget


def test_every_widget_that_the_pictures_name_is_there(screenshots, widget):
    text = SCRIPT.read_text(encoding="utf-8")
    named = {*re.findall(r"\bui\.(\w+)", text), *re.findall(r'"(\w+(?:Button|Label|Bar))"', text)}
    assert {"outlineButton", "resultsButton", "progressBar"} <= named
    assert not {name for name in named if not hasattr(widget.window.ui, name)}


def test_a_part_of_a_window_is_shown_alone_and_the_window_is_left_as_it_was(screenshots, widget):
    whole = screenshots.grab(widget)
    part = screenshots.grab(widget, "caseButton", *screenshots.RUN)
    assert part.width == whole.width == screenshots.WINDOW_WIDTH
    assert screenshots.LOWEST <= part.height < whole.height / 2
    assert len(part.getcolors()) > 10
    assert screenshots.grab(widget).size == whole.size


def test_a_box_is_drawn_around_the_largest_part_of_the_tumour(screenshots, widget, case_nodes):
    box = screenshots.box_around(case_nodes.segmentations[0])
    assert box.GetCenter() == pytest.approx((-9.5, -9.5, 5.5))
    assert box.GetSize() == pytest.approx((12.0, 12.0, 10.0))
