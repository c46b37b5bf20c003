"""The model card: what a package is for, whom it was made on, what it scored there and where it ends."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One figure of merit: name, value and confidence interval as printed, and where it was measured."""

    name: str
    value: str
    interval: str = "not printed"
    measured_on: str = ""


@dataclass(frozen=True)
class Card:
    """The content of a model card.

    Attributes:
        title: the package's title.
        intended_use: for whom and what for, one paragraph.
        cohort: whom the model was made on, one paragraph.
        inputs: what it reads and how that is prepared, one paragraph.
        figures: figures of merit in the source.
        figures_source: whose figures these are, one sentence.
        limits: what it cannot do, one sentence each.
        citation: the source.
    """

    title: str
    intended_use: str
    cohort: str
    inputs: str
    figures: tuple[Figure, ...]
    figures_source: str
    limits: tuple[str, ...]
    citation: str

    def markdown(self) -> str:
        """Return the card as Markdown."""
        parts = [
            f"# {self.title}",
            "Research software, not a medical device.",
            f"## Intended use\n\n{self.intended_use}",
            f"## Cohort\n\n{self.cohort}",
            f"## Inputs\n\n{self.inputs}",
            f"## Figures\n\n{self.figures_source}{self._table()}",
            "## Limits\n\n" + "\n".join(f"- {limit}" for limit in self.limits),
            f"## Source\n\n{self.citation}",
        ]
        return "\n\n".join(parts) + "\n"

    def _table(self) -> str:
        if not self.figures:
            return ""
        rows = [f"| {f.name} | {f.value} | {f.interval} | {f.measured_on} |" for f in self.figures]
        return "\n\n| figure | value | 95% CI | measured on |\n| --- | --- | --- | --- |\n" + "\n".join(rows)
