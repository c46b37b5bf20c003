"""The colours of explanations, and how much of them is shown; figures and scenes share them."""

from __future__ import annotations

RAISES, LOWERS, INK, SOFT, LINE = "#2b6cb0", "#c05621", "#16202e", "#556172", "#c9d2de"
MOST_INPUTS = 15
