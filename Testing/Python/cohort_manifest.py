"""The manifest that a cohort run would have written beside a table made by a test."""

from __future__ import annotations

import json
from pathlib import Path

from hccoutcome.files import sha256_of
from hccoutcome.package.format import Package


def write_manifest(table: Path, package: Package) -> Path:
    """Write the manifest of a run of ``package`` beside its table and return the table."""
    manifest = {
        "settings_sha256": {package.name: package.settings_sha256},
        "tables": {table.name: sha256_of(table)},
    }
    table.with_name("manifest.json").write_text(json.dumps(manifest))
    return table
