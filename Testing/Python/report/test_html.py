from __future__ import annotations

import base64
import re
from dataclasses import fields, is_dataclass, replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
import worked_example
from hypothesis import given, settings
from hypothesis import strategies as st

from hccoutcome.errors import EnvironmentNeeded
from hccoutcome.findings import Findings
from hccoutcome.report.html import render_report, write_report

DOT = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
PICTURES = {"portal-axial": DOT, "portal-coronal": DOT, "surfaces": DOT}
VOID = {"meta", "img", "br", "rect", "line"}


class Page(HTMLParser):
    """A page taken apart: its elements with attributes, its text, and whether every element is closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text, self._open = "", []
        self.feed(html)
        self.close()
        assert self._open == [], f"never closed: {self._open}"

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, f"closes {tag} out of order"

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.text += data + " "

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def page() -> Page:
    return Page(render_report(worked_example.findings(), PICTURES))


def words(text: str) -> str:
    return " ".join(text.split())


def card(html: str, title: str) -> str:
    """Return the card of one score as plain words."""
    (found,) = [part for part in re.findall(r"<article.*?</article>", html, re.S) if f"<h3>{title}</h3>" in part]
    return words(re.sub(r"<[^>]*>", " ", found))


def test_the_page_needs_nothing_else(page: Page) -> None:
    assert not page.all("script")
    assert not page.all("link")
    for _, attributes in page.elements:
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "href"):
            assert (attributes.get(name) or "#").startswith(("#", "data:image/png;base64,"))
    targets = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    assert {link["href"] for link in page.all("a")} == {f"#{target}" for target in targets}


def test_pictures_are_inside_and_have_words_in_their_place(page: Page) -> None:
    images = page.all("img")
    assert [base64.b64decode(image["src"].split(",")[1]) for image in images] == [DOT] * 3
    assert all(len(image["alt"]) > 20 for image in images)
    assert all("Synthetic data." in image["alt"] for image in images)


def test_tables_have_headers_with_scope_and_the_page_a_language(page: Page) -> None:
    assert page.all("html") == [{"lang": "en"}]
    assert all(header.get("scope") in ("col", "row") for header in page.all("th"))
    assert len(page.all("table")) >= 6


def test_the_notice_stands_at_both_ends(page: Page) -> None:
    notice = "For research only; not a medical device."
    assert page.text.count(notice) == 2
    assert page.text.index(notice) < page.text.index("Scores")
    assert words(page.text).endswith("Do not base a diagnosis or a treatment on them.")


def test_a_refused_score_shows_its_reasons_and_no_number() -> None:
    text = card(render_report(worked_example.findings(), {}), worked_example.REFUSED.title)
    assert "No score is given for this case." in text
    for reason in worked_example.REFUSED.applicability.reasons:
        assert reason in text
    assert "Not applicable" in text
    assert not re.search(r"(?<![\w.])[-+]?\d+\.\d+(?!\.)", text.split("Package")[0])


def test_a_doubtful_score_shows_its_reasons_beside_the_number() -> None:
    text = card(render_report(worked_example.findings(), {}), worked_example.RADSCORE.title)
    assert "-0.1235 score" in text
    assert "Use with care" in text
    assert "portal&#39; was used &lt;instead&gt;" in text


def test_every_input_of_a_score_is_listed_with_its_bar(page: Page) -> None:
    assert len(page.all("svg")) == sum(
        len(prediction.contributions) for prediction in (worked_example.RADSCORE, worked_example.ALBI)
    )
    assert all("adds" in bar["aria-label"] for bar in page.all("svg"))


def test_every_feature_stands_in_the_page_with_all_its_digits(page: Page) -> None:
    for name, value in worked_example.findings().features.items():
        assert f"{name} {value}" in words(page.text)


def test_synthetic_data_is_called_so_and_real_data_is_not() -> None:
    assert "Synthetic data" in Page(render_report(worked_example.findings(), PICTURES)).text
    assert "ynthetic" not in Page(render_report(worked_example.findings(synthetic=False), PICTURES)).text


def test_a_case_with_nothing_found_has_a_page_too() -> None:
    text = words(Page(render_report(Findings(case_id="empty"), {})).text)
    for sentence in (
        "No package was asked for.",
        "There are no pictures in this report.",
        "The clinical record allows none.",
        "No clinical record was given.",
        "Nothing was checked.",
        "No features were extracted.",
    ):
        assert sentence in text


HOSTILE = "<script>alert('x')</script>\"'&<b>"


def poisoned(value):
    """Return data of the same shape with hostile text in place of every free text."""
    if isinstance(value, str) and value not in ("ok", "warning", "refused", "CT"):
        return value + HOSTILE
    if is_dataclass(value):
        return replace(value, **{field.name: poisoned(getattr(value, field.name)) for field in fields(value)})
    if isinstance(value, dict):
        return {poisoned(key): poisoned(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return tuple(map(poisoned, value))
    return value


def test_nothing_in_the_findings_becomes_markup() -> None:
    findings = poisoned(worked_example.findings())
    html = render_report(findings, {f"{HOSTILE}-axial": DOT})
    assert "<script" not in html
    assert "<b>" not in html
    assert not Page(html).all("script")
    assert Page(html).text.count("alert('x')") > 30


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.text(max_size=60))
def test_any_text_comes_through_as_it_is(text: str) -> None:
    prediction = replace(worked_example.ALBI, title=text, contributions=())
    page = Page(render_report(replace(worked_example.findings(), predictions=(prediction,)), {}))
    assert text.replace("\r\n", "\n").replace("\r", "\n") in page.text.replace("\r\n", "\n").replace("\r", "\n")


def test_the_file_is_written_whole(tmp_path: Path) -> None:
    path = write_report(tmp_path / "report.html", worked_example.findings(), PICTURES)
    assert path.read_text(encoding="utf-8") == render_report(worked_example.findings(), PICTURES)
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(EnvironmentNeeded, match="A file stands where the folder"):
        write_report(tmp_path / "out" / "report.html", worked_example.findings(), {})


def test_a_stage_is_named_before_it_is_numbered() -> None:
    stage = replace(worked_example.RADSCORE, title="BCLC", scale="stage", label="BCLC stage C", score=3.0)
    text = card(render_report(replace(worked_example.findings(), predictions=(stage,)), {}), "BCLC")
    assert text.index("BCLC stage C") < text.index("stage number 3")
    assert "Stage asked for" in text
    assert "Coefficient" not in text


def test_the_waterfall_of_a_score_that_is_a_sum_stands_among_the_pictures() -> None:
    score = replace(worked_example.RADSCORE, score=0.1628708 + 0.1056 - 0.4123)
    findings = replace(worked_example.findings(), predictions=(score, worked_example.REFUSED))
    page = Page(render_report(findings, PICTURES))
    (picture,) = [image for image in page.all("img") if image["src"].startswith("data:image/svg+xml;base64,")]
    drawn = base64.b64decode(picture["src"].split(",")[1])
    assert drawn.startswith(b"<?xml")
    assert b"<script" not in drawn
    assert picture["alt"].startswith("Synthetic data. Waterfall of Radscore (TACE, arterial CT)")
    text = words(page.text)
    assert text.index("Pictures") < text.index("what each input adds, from the base") < text.index("Clinical record As")
    assert render_report(findings, PICTURES) == render_report(findings, PICTURES)


def test_a_score_that_is_no_sum_has_no_waterfall(page: Page) -> None:
    assert not [image for image in page.all("img") if "svg" in image["src"]]
