"""The quality table: is what was given fit for measuring, and what is to be done where it is not."""

from hccoutcome.imaging.quality.checks import check_quality

__all__ = ["check_quality"]
