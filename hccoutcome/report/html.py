"""The report of one case: one HTML file that needs nothing else, for the screen and for paper."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import jinja2

from hccoutcome.files import write_text
from hccoutcome.findings import Findings
from hccoutcome.report import content
from hccoutcome.report.advice import advice_content
from hccoutcome.version import __version__

TEMPLATE = "template.html"


def write_report(path: Path, findings: Findings, pictures: Mapping[str, bytes]) -> Path:
    """Write the report of a case and return its path.

    Args:
        path: the HTML file to write.
        findings: what was found out about the case.
        pictures: PNG data by name, ``<phase>-<plane>`` or ``surfaces``, as ``scene.render.case_pictures`` gives them,
            and ``registration-<phase>`` for the check of a registration.

    Raises:
        EnvironmentNeeded: the disk is full or the folder cannot be written to; no half file is left.
    """
    return write_text(Path(path), render_report(findings, pictures))


def render_report(findings: Findings, pictures: Mapping[str, bytes]) -> str:
    """Return the report of a case as the text of one HTML file; see ``write_report``."""
    from hccoutcome.report.outlook_figures import outlook_figures

    figures = outlook_figures(findings)
    short, long = content.provenance_rows(findings)
    return load_template(TEMPLATE).render(
        findings=findings,
        version=__version__,
        scores=[content.score(prediction) for prediction in findings.predictions],
        advice=None if findings.advice is None else advice_content(findings.advice),
        liver_scores=[content.score(prediction) for prediction in findings.liver_scores],
        picture_groups=content.picture_groups(pictures, findings),
        registrations=content.registration_pictures(pictures),
        comparison=content.comparison(findings),
        outlook_pictures=content.outlook_pictures(findings, figures),
        waterfalls=content.waterfalls(findings, figures),
        clinical=content.clinical_rows(findings),
        indices=content.index_rows(findings),
        quality=content.worst_first(findings),
        used=content.used_features(findings),
        citations=content.citations(findings),
        provenance=short,
        provenance_details=long,
        number=content.number,
        count=content.count,
    )


@cache
def load_template(name: str) -> jinja2.Template:
    """Return a template of this folder; every value in it is escaped, and a name that is not there is an error."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["base64"] = lambda data: base64.b64encode(data).decode("ascii")
    return environment.get_template(name)
