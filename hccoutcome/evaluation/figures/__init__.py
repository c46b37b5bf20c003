"""Figures of the measures of this room, one file a kind: matplotlib figures without a window, one column wide."""
