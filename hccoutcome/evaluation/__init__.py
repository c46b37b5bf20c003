"""Measures of prediction with their intervals, cross-validation, resampling, matching, and the figures of these."""
