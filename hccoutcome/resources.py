"""Where the files that ship with the extension lie: parameter files, model packages, terminology, icons."""

from __future__ import annotations

from pathlib import Path

from hccoutcome.errors import EnvironmentNeeded

_PACKAGE = Path(__file__).resolve().parent


def resource(*parts: str) -> Path:
    """Return the path of a shipped file or folder, e.g. ``resource("Parameters", "prime.yaml")``.

    The folder ``Resources`` lies inside the package when installed (pip or CMake) and beside it in a checkout.
    """
    for root in (_PACKAGE / "Resources", _PACKAGE.parent / "Resources"):
        path = root.joinpath(*parts)
        if path.exists():
            return path
    raise EnvironmentNeeded(
        f"The file Resources/{'/'.join(parts)} is missing from this installation: install the extension again."
    )
