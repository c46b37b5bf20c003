"""Reading of the reference data sets: survival tables, and R's own binary format."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hccoutcome.evaluation.outcomes import as_structured


def lung(data: Path) -> tuple[pd.DataFrame, np.ndarray]:
    table = pd.read_csv(data / "reference_stats/survival/lifelines_lung.csv")
    return table, as_structured(table["status"].to_numpy(bool), table["time"].to_numpy(float))


def gbsg2(data: Path) -> tuple[pd.DataFrame, np.ndarray]:
    table = pd.read_csv(data / "reference_stats/survival/lifelines_gbsg2.csv")
    return table, as_structured(table["cens"].to_numpy(bool), table["time"].to_numpy(float))


def larynx(data: Path) -> tuple[pd.DataFrame, np.ndarray]:
    table = pd.read_csv(data / "reference_stats/survival/lifelines_larynx.csv")
    return table, as_structured(table["death"].to_numpy(bool), table["time"].to_numpy(float))


def veteran(data: Path) -> tuple[pd.DataFrame, np.ndarray]:
    table = pd.read_csv(data / "reference_stats/survival/R_veteran.csv")
    return table, as_structured(table["status"].to_numpy(bool), table["time"].to_numpy(float))


def whas500(data: Path) -> tuple[pd.DataFrame, np.ndarray]:
    lines = (data / "reference_stats/survival/sksurv_whas500.arff").read_text().splitlines()
    names = [line.split()[1] for line in lines if line.startswith("@ATTRIBUTE")]
    rows = [line.split(",") for line in lines[lines.index("@DATA") + 1 :] if line.strip() and line[0] != "%"]
    table = pd.DataFrame(rows, columns=names).astype(float)
    return table, as_structured(table["fstat"].to_numpy(bool), table["lenfol"].to_numpy())


def hepatocellular(data: Path) -> tuple[pd.DataFrame, np.ndarray]:
    table = pd.read_csv(data / "hcc_clinical/asaur_hepatoCellular.csv")
    return table, as_structured(table["Death"].to_numpy(bool), table["OS"].to_numpy(float))


def tcga_lihc(data: Path) -> tuple[pd.DataFrame, np.ndarray]:
    table = pd.read_csv(data / "tcga_lihc/TCGA_LIHC_189genes_clinical.txt", sep="\t")
    return table, as_structured(table["fustat"].to_numpy(bool), table["futime"].to_numpy(float))


def subarachnoid(data: Path) -> pd.DataFrame:
    """Return pROC's table aSAH: outcome (True: poor), wfns, s100b, ndka."""
    table = dict(read_rdata(data / "reference_stats/roc/aSAH.RData"))["aSAH"]
    found = pd.DataFrame({name: table[name] for name in ("wfns", "s100b", "ndka")}).astype(float)
    found["outcome"] = np.asarray(table["outcome"]) == 2  # levels Good, Poor
    return found


def read_rdata(path: Path) -> list[tuple[str, Any]]:
    """Return the objects of an RData file that holds data frames of numbers and factors (XDR, format 2)."""
    content = gzip.decompress(path.read_bytes())
    assert content.startswith(b"RDX2\nX\n")
    item, _ = _Reader(content, 7 + 12).item()
    return list(item.items())


class _Reader:
    def __init__(self, content: bytes, place: int) -> None:
        self.content, self.place = content, place
        self.symbols: list[str] = []

    def take(self, form: str) -> tuple:
        size = struct.calcsize(form)
        self.place += size
        return struct.unpack(form, self.content[self.place - size : self.place])

    def number(self) -> int:
        return int(self.take(">i")[0])

    def item(self) -> tuple[Any, dict]:
        """Return an object and its attributes."""
        flags = self.number()
        kind, has_attributes, has_tag = flags & 0xFF, bool(flags & 0x200), bool(flags & 0x400)
        if kind == 254:  # NULL
            return None, {}
        if kind == 255:  # a symbol that came before
            return self.symbols[(flags >> 8 or self.number()) - 1], {}
        if kind == 1:
            self.symbols.append(self.item()[0])
            return self.symbols[-1], {}
        if kind == 2:
            return self.pairs(has_attributes, has_tag), {}
        if kind == 9:
            length = self.number()
            text = self.content[self.place : self.place + max(length, 0)].decode()
            self.place += max(length, 0)
            return text, {}
        length = self.number()
        if kind in (10, 13):
            value: Any = list(self.take(f">{length}i"))
        elif kind == 14:
            value = list(self.take(f">{length}d"))
        elif kind in (16, 19):
            value = [self.item()[0] for _ in range(length)]
        else:
            raise ValueError(f"kind {kind} is not read")
        attributes = self.item()[0] or {} if has_attributes else {}
        if kind == 19 and "names" in attributes:
            value = dict(zip(attributes["names"], value, strict=True))
        return value, attributes

    def pairs(self, has_attributes: bool, has_tag: bool) -> dict:
        """Return a pairlist, whose first flags are read."""
        if has_attributes:
            self.item()
        name = self.item()[0] if has_tag else ""
        found = {name: self.item()[0]}
        return found | (self.item()[0] or {})
