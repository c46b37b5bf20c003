"""Many cases: the table that lists them, the run that analyses them and the tables that come out.

A cohort's folder holds ``cases/<case_id>/`` with the results of each finished case, ``jobs/<case_id>/`` with its job
and log, ``manifest.json`` with what was run on what, and the merged ``features.csv``, ``results.csv`` and
``failures.csv``.
"""
