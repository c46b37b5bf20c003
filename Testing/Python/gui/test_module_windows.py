"""The three windows on the stand-in: built, filled in, ready or not, running, cancelled, closed."""

from __future__ import annotations

import pytest

MODULES = ("HCCHabitat", "HCCResponse", "HCCSurvival")


@pytest.mark.parametrize("name", MODULES)
def test_the_module_loads_and_its_window_is_built(name, open_module):
    widget = open_module(name)
    assert widget.window.ui.applyButton.text == "Apply"
    assert not widget.window.ui.applyButton.enabled
