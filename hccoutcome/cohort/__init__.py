"""Many cases: table, run, resume, manifest."""
