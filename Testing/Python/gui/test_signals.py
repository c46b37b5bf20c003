"""The plain signal."""

import pytest

from hccoutcome.gui.signals import Signal


def test_slots_are_called_in_order_with_the_values():
    heard = []
    signal = Signal()
    signal.connect(lambda *values: heard.append(("first", values)))
    signal.connect(lambda *values: heard.append(("second", values)))
    signal.emit(1, "two")
    assert heard == [("first", (1, "two")), ("second", (1, "two"))]


def test_a_slot_may_disconnect_itself_while_it_is_called():
    heard = []
    signal = Signal()

    def once():
        heard.append("once")
        signal.disconnect(once)

    signal.connect(once)
    signal.connect(lambda: heard.append("always"))
    signal.emit()
    signal.emit()
    assert heard == ["once", "always", "always"]


def test_disconnecting_what_was_not_connected_is_an_error():
    with pytest.raises(ValueError):
        Signal().disconnect(print)
