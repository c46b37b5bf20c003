"""Whether the extension is ready for the Slicer Extensions Index: what can be checked without the network.

``python Testing/CMake/readiness.py`` (``make ready``) prints one line for each check and, where one fails, what to do;
exit status 1 where any fails. The list follows the Index's own scripts (``check_description_files.py``) and its pull
request template.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import struct
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parent))

import licences
import lists
import yaml

ROOT = Path(__file__).resolve().parents[2]
ENTRY = "HCCOutcome.json"
SCHEMA = (
    "https://raw.githubusercontent.com/Slicer/Slicer/main/Schemas/slicer-extension-catalog-entry-schema-v1.0.2.json#"
)
ENTRY_TYPES = {
    "$schema": str,
    "category": str,
    "scm_url": str,
    "scm_revision": str,
    "scm_type": str,
    "build_dependencies": list,
    "dicom_support_rule": str,
    "build_subdirectory": str,
    "enabled": bool,
    "tier": int,
}
"""What the schema knows; the first three are required, nothing else is allowed."""
METADATA = ("HOMEPAGE", "CATEGORY", "CONTRIBUTORS", "DESCRIPTION", "ICONURL", "SCREENSHOTURLS", "DEPENDS")
CATEGORY = "Quantification"
"""One that the Index accepts."""
SECTIONS = ("The modules", "What has not been tried", "Licences", "How to cite")
STEPS = ("install", "sample", "case", "segment", "clinical", "apply", "result", "report", "habitat")
"""What the headings of the tutorial lead through, in this order."""
AT_FILE_SCOPE = {"slicer", "vtk", "SimpleITK", "numpy", "scipy", "hccoutcome"}
"""What a module's file may import at file scope besides the standard library."""
PART_OF = {"pyside6-essentials": "pyside6", "shiboken6": "pyside6"}
"""Names under which a reader knows packages."""
MEGABYTE = 1_000_000
MACHINE_PATH = re.compile(r"(?<![\w./-])(/home/(?!you/)\w|/root/|/Users/\w|/work/\w|[A-Z]:\\Users)")
REGISTRY = re.compile(r"pypi\.org|pythonhosted\.org|(?<!emit-)index-url|artifactory", re.IGNORECASE)
NOT_TEXT = {".png", ".npz", ".gz", ".dcm", ".skops"}
NETWORK = re.compile(r"\burlopen\b|\burlretrieve\b|\brequests\.(get|post|put)\b|download_url_to_file|\bftplib\b")
MAY_DOWNLOAD = {"hccoutcome/deep/weights.py"}
"""Files that fetch something, after the user agreed and checked by SHA256; Docs/installed.md names it."""

Check = Callable[[Path], Iterable[str]]
CHECKS: dict[str, Check] = {}


def check(name: str) -> Callable[[Check], Check]:
    """Register a check: it yields one sentence for each thing that is wrong and how to mend it."""

    def register(function: Check) -> Check:
        CHECKS[name] = function
        return function

    return register


def problems(root: Path, name: str) -> list[str]:
    """Return what one check finds in a copy of the repository; a missing file is a finding too."""
    try:
        return list(CHECKS[name](root))
    except FileNotFoundError as error:
        return [f"{Path(error.filename).name} is missing: add it"]


# --- what the checks read ---------------------------------------------------------------------------------------------


def text_of(root: Path, *parts: str) -> str:
    """Return the text of a file."""
    return root.joinpath(*parts).read_text(encoding="utf-8")


def metadata(root: Path) -> dict[str, str]:
    """Return the extension's metadata as CMakeLists.txt sets them, each on one quoted line."""
    text = text_of(root, "CMakeLists.txt")
    found = re.findall(r'^set\(EXTENSION_(\w+) "([^"\n]*)"\)$', text, re.MULTILINE)
    project = re.search(r"^project\((\w+)\)$", text, re.MULTILINE)
    return {**dict(found), "project": project[1] if project else ""}


def files_of(root: Path) -> list[Path]:
    """Return the files that belong to the repository; where it is no checkout, all that are there."""
    if not (root / ".git").exists():
        return sorted(path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    done = subprocess.run(command, cwd=root, capture_output=True, check=True)
    paths = (root / name for name in done.stdout.decode("utf-8").split("\0") if name)
    return sorted(path for path in paths if path.is_file())


def png_size(path: Path) -> tuple[int, int]:
    """Return width and height of a PNG file in pixels, zeros where it is none."""
    header = path.read_bytes()[:24]
    return struct.unpack(">II", header[16:24]) if header.startswith(b"\x89PNG\r\n\x1a\n") else (0, 0)


def repository_file(url: str) -> str | None:
    """Return the path within the repository of a raw address on GitHub, None for any other address."""
    match = re.fullmatch(r"https://raw\.githubusercontent\.com/[^/]+/[^/]+/main/(\S+)", url)
    return match[1] if match else None


def pictures_of(page: str) -> list[str]:
    """Return the targets of a page's pictures."""
    return re.findall(r"!\[[^\]]*\]\(([^)\s]+)\)", page)


# --- the checks -------------------------------------------------------------------------------------------------------


@check("metadata in CMakeLists.txt")
def check_metadata(root: Path) -> Iterator[str]:
    found = metadata(root)
    for name in METADATA:
        if not found.get(name):
            yield f'EXTENSION_{name} is not set: add set(EXTENSION_{name} "...") on one line'
    if not found["project"] or found["project"].lower().startswith("slicer"):
        yield f"project({found['project']}) has to name the extension, and not begin with Slicer: rename it"
    if not found.get("HOMEPAGE", "").startswith("https://"):
        yield "EXTENSION_HOMEPAGE is no https address: give the repository's"
    if found.get("CATEGORY") != CATEGORY:
        yield f"EXTENSION_CATEGORY is not {CATEGORY}, as the entry and the modules have it: change it"
    sentences = re.findall(r"\.(?:\s|$)", found.get("DESCRIPTION", ""))
    if not 1 <= len(sentences) <= 2:
        yield f"EXTENSION_DESCRIPTION has {len(sentences)} sentences: say it in one or two"


@check("entry for the Index")
def check_entry(root: Path) -> Iterator[str]:
    entry = json.loads(text_of(root, ENTRY))
    yield from against_schema(entry)
    yield from against_metadata(entry, metadata(root))


def against_schema(entry: dict[str, Any]) -> Iterator[str]:
    """Yield what the Index's schema does not allow."""
    for key, value in entry.items():
        if key not in ENTRY_TYPES or not isinstance(value, ENTRY_TYPES[key]):
            yield f"the schema knows no {key} with {value!r}: correct {ENTRY}"
    for key in list(ENTRY_TYPES)[:3]:
        if not entry.get(key):
            yield f"{key} is required: add it to {ENTRY}"
    if entry.get("$schema") != SCHEMA:
        yield f"$schema has to be {SCHEMA}"
    if entry.get("tier", 1) not in range(1, 6):
        yield "tier lies between 1 and 5: correct it"


def against_metadata(entry: dict[str, Any], found: dict[str, str]) -> Iterator[str]:
    """Yield where the entry and CMakeLists.txt say different things, and an address that the Index refuses."""
    if entry.get("build_dependencies", []) != found.get("DEPENDS", "").split():
        yield "build_dependencies differ from EXTENSION_DEPENDS: make them equal"
    if entry.get("category") != found.get("CATEGORY"):
        yield "category differs from EXTENSION_CATEGORY: make them equal"
    if Path(ENTRY).stem != found["project"]:
        yield f"{ENTRY} is not named after project({found['project']}): rename one"
    address = urlsplit(str(entry.get("scm_url", "")))
    if address.scheme not in ("https", "git") or not address.path.rpartition("/")[2].startswith("Slicer"):
        yield "scm_url has to be an https or git address of a repository whose name begins with Slicer: correct it"
    if str(entry.get("scm_url", "")).removesuffix(".git") != found.get("HOMEPAGE"):
        yield "scm_url differs from EXTENSION_HOMEPAGE: make them equal"


@check("icons")
def check_icons(root: Path) -> Iterator[str]:
    own = repository_file(metadata(root).get("ICONURL", ""))
    if own is None:
        yield "EXTENSION_ICONURL is no raw address of a file on the branch main: correct it"
    for name in filter(None, (own, *(f"{module}/Resources/Icons/{module}.png" for module in lists.MODULES))):
        path = root / name
        if not path.is_file() or png_size(path) != (128, 128) or path.stat().st_size > 50_000:
            yield f"{name} is not a PNG of 128 x 128 pixels below 50 kB: make it anew"


@check("screenshots")
def check_screenshots(root: Path) -> Iterator[str]:
    names = [repository_file(url) for url in metadata(root).get("SCREENSHOTURLS", "").split()]
    if None in names or not names:
        yield "EXTENSION_SCREENSHOTURLS holds no raw addresses of files on the branch main: correct it"
    for name in filter(None, names):
        path = root / name
        if not path.is_file() or min(png_size(path)) < 400:
            yield f"{name} is not a PNG of 400 pixels or more: make it by python Docs/screenshots.py"
    pages = "".join(path.read_text(encoding="utf-8") for path in [root / "README.md", *(root / "Docs").rglob("*.md")])
    for path in sorted((root / "Resources" / "Screenshots").iterdir()):
        if f"Screenshots/{path.name})" not in pages:
            yield f"no page shows {path.name}: show or remove it"


@check("licence")
def check_licence(root: Path) -> Iterator[str]:
    text = text_of(root, "LICENSE")
    if "Apache License" not in text or "Version 2.0" not in text:
        yield "LICENSE is not the Apache License 2.0 that README.md states: put its text there"
    if "Apache License 2.0" not in text_of(root, "README.md"):
        yield "README.md does not name the licence: name it"


@check("README")
def check_readme(root: Path) -> Iterator[str]:
    text = text_of(root, "README.md")
    if not text.startswith("# HCC Outcome\n"):
        yield "the first line has to be the extension's name: '# HCC Outcome'"
    if not pictures_of(text):
        yield "there is no picture: show one"
    for module in lists.MODULES:
        title = module.replace("HCC", "HCC ", 1)
        if not re.search(rf"^- \*\*{title}\*\* \w", text, re.MULTILINE):
            yield f"the module {title} has no sentence of its own: add '- **{title}** ...' under The modules"
    for section in SECTIONS:
        if f"\n## {section}\n" not in text:
            yield f"there is no section '{section}': add it"
    for page in ("tutorial.md", "sample-data.md", "installed.md"):
        if f"(Docs/{page}" not in text:
            yield f"Docs/{page} is not linked: link it"
    if "research only" not in text:
        yield "it does not say that this is for research only: say so"


@check("publications and citation")
def check_citation(root: Path) -> Iterator[str]:
    text = text_of(root, "CITATION.cff")
    try:
        cff = yaml.safe_load(text)
    except yaml.YAMLError as error:
        yield f"CITATION.cff is no YAML ({error.args[0]}): correct it"
        return
    for key in ("cff-version", "message", "title", "authors", "version", "license", "repository-code"):
        if not cff.get(key):
            yield f"CITATION.cff has no {key}: add it"
    for reference in cff.get("references", ()):
        if not {"type", "title", "authors"} <= set(reference):
            yield f"a reference of CITATION.cff lacks type, title or authors: complete {reference}"
    version = re.search(r'__version__ = "(.+)"', text_of(root, "hccoutcome", "version.py"))
    if version is None or f"\nversion: {version[1]}\n" not in text:
        yield "CITATION.cff has another version than hccoutcome/version.py: make them equal"
    if f"repository-code: {metadata(root).get('HOMEPAGE')}\n" not in text:
        yield "repository-code of CITATION.cff differs from EXTENSION_HOMEPAGE: make them equal"
    yield from uncited(text_of(root, "README.md").partition("\n## How to cite\n")[2], text)


def uncited(cited: str, text: str) -> Iterator[str]:
    """Yield the DOIs of README.md's section that CITATION.cff lacks."""
    found = re.findall(r"10\.\d{4,}/[^\s),]+", cited)
    if not found:
        yield "the section How to cite of README.md names no DOI: name the publications"
    for doi in found:
        if f"doi: {doi.rstrip('.')}\n" not in text:
            yield f"doi {doi} of README.md is not in CITATION.cff: add it"


@check("tutorial with pictures")
def check_tutorial(root: Path) -> Iterator[str]:
    text = text_of(root, "Docs", "tutorial.md")
    headings = [heading.lower() for heading in re.findall(r"^## (.+)$", text, re.MULTILINE)]
    place = 0
    for step in STEPS:
        place = next((index + 1 for index in range(place, len(headings)) if step in headings[index]), 0)
        if not place:
            yield f"no heading in its place speaks of '{step}': lead from install to result"
            return
    pictures = pictures_of(text)
    if len(pictures) < 6:
        yield f"there are {len(pictures)} pictures: show every step"
    for target in pictures:
        if not (root / "Docs" / target).is_file():
            yield f"the picture {target} is missing: make it by python Docs/screenshots.py"
    if f'"{metadata(root).get("HOMEPAGE")}/blob/main/Docs/tutorial.md"' not in text_of(
        root, "hccoutcome/gui/module.py"
    ):
        yield "the modules' help does not lead to it below EXTENSION_HOMEPAGE: correct TUTORIAL in gui/module.py"
    if "stand-in" not in text:
        yield "it does not say that the pictures come from a stand-in for the application: say so"
    if "Synthetic HCC patient, CT" not in text:
        yield "it does not name the registered sample: name it"


@check("sample data")
def check_samples(root: Path) -> Iterator[str]:
    text = text_of(root, "hccoutcome", "gui", "sample_data.py")
    for module in ("hccoutcome/gui/module.py",):
        if 'slicer.app.connect("startupCompleted()", registerSampleData)' not in text_of(root, module):
            yield f"{module} does not register samples when the application has started: connect registerSampleData"
    downloads = text.count("uris=") - text.count("uris=[]")
    if downloads != text.count('checksums="SHA256:"') or not re.search(r'SHA256 = "[0-9a-f]{64}"', text):
        yield "a sample is downloaded without a SHA256: state it as checksums"
    for modality in ("CT", "MR"):
        path = root / "Resources" / "SampleData" / f"patient-{modality}.png"
        if not path.is_file() or png_size(path) != (280, 260) or path.stat().st_size > 50_000:
            yield f"{path.name} is not a PNG of 280 x 260 pixels below 50 kB: make it by python Docs/screenshots.py"


@check("licences of dependencies")
def check_dependencies(root: Path) -> Iterator[str]:
    for difference in licences.differences(root):
        yield f"{difference}: run python Testing/CMake/licences.py --write, and look at what changed"
    readme = text_of(root, "README.md").partition("\n## Licences\n")[2].partition("\n## ")[0].lower()
    page = text_of(root, *licences.PAGE.parts)
    for name in licences.LISTS:
        for package, family in licences.listed_packages(page, name).items():
            if family not in licences.PERMISSIVE and PART_OF.get(package, package) not in readme:
                yield f"{package} ({family}) is not in the section Licences of README.md: name it there"


@check("installation, downloads, removal")
def check_installed(root: Path) -> Iterator[str]:
    page = text_of(root, *licences.PAGE.parts)
    for path in sorted((root / "Resources").glob("requirements*.txt")):
        names = re.findall(r"^([A-Za-z][\w-]*)", path.read_text(encoding="utf-8"), re.MULTILINE)
        for name in (f"`{path.name}`", *(f"`{name}`" for name in names)):
            if name not in page:
                yield f"{name} is not in {licences.PAGE}: say who asks for it"
    for word in ("pip_uninstall", "make clean", ".hccoutcome"):
        if word not in page:
            yield f"{licences.PAGE} does not say how to remove what was installed ({word}): say it"
    for path in files_of(root):
        name = path.relative_to(root).as_posix()
        ours = path.suffix == ".py" and name.startswith(("hccoutcome/", "HCC")) and name not in MAY_DOWNLOAD
        if ours and NETWORK.search(path.read_text(encoding="utf-8")):
            yield f"{name} reaches the network: it may not, or MAY_DOWNLOAD and {licences.PAGE} have to name it"


@check("module files")
def check_modules(root: Path) -> Iterator[str]:
    for name in (*(f"{module}/{module}.py" for module in lists.MODULES), "hccoutcome/gui/module.py"):
        for node in ast.parse(text_of(root, name)).body:
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                imported = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
                for word in imported:
                    if word.split(".")[0] not in AT_FILE_SCOPE | sys.stdlib_module_names:
                        yield f"{name} imports {word} at file scope: import it where it is used"
            elif isinstance(node, ast.Expr) and not isinstance(node.value, ast.Constant):
                yield f"{name} runs something at file scope (line {node.lineno}): move it into a function"
            elif not isinstance(node, (ast.Expr, ast.ClassDef, ast.FunctionDef, ast.Assign, ast.AnnAssign)):
                yield f"{name} does something at file scope (line {node.lineno}): move it into a function"


@check("CMake lists")
def check_lists(root: Path) -> Iterator[str]:
    for difference in lists.differences(root):
        yield f"{difference}: run python Testing/CMake/lists.py --write"
    if not text_of(root, "CMakeLists.txt").startswith("cmake_minimum_required(VERSION 3.20.6...3.28.0 FATAL_ERROR)"):
        yield "cmake_minimum_required is not one that Slicer 5.10 and 5.12 accept: ask for 3.20.6...3.28.0"


@check("size of the checkout")
def check_size(root: Path) -> Iterator[str]:
    for path in files_of(root):
        if path.suffix in NOT_TEXT and path.stat().st_size > MEGABYTE:
            yield f"{path.relative_to(root)} is larger than 1 MB: make it smaller or leave it out"
    whole = sum(path.stat().st_size for path in (*files_of(root), *(root / ".git").rglob("*")) if path.is_file())
    if whole > 100 * MEGABYTE:
        yield f"the checkout with its history takes {whole / MEGABYTE:.0f} MB, the Index allows 100: shorten it"


@check("texts")
def check_texts(root: Path) -> Iterator[str]:
    for path in files_of(root):
        name = path.relative_to(root).as_posix()
        if path.suffix in NOT_TEXT or name == "Testing/CMake/readiness.py":
            continue
        data = path.read_bytes()
        if b"\r" in data:
            yield f"{name} has other line ends than LF: convert it"
        text = data.decode("utf-8", errors="replace")
        for pattern, what in ((MACHINE_PATH, "a path of one machine"), (REGISTRY, "a host of packages")):
            match = pattern.search(text)
            if match:
                yield f"{name} names {what} ({match[0]}): take it out"


def main(arguments: list[str] | None = None) -> int:
    """Run all checks and print one line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=ROOT, help="another copy of the repository")
    root = parser.parse_args(arguments).root
    failed = 0
    for name in CHECKS:
        found = problems(root, name)
        failed += bool(found)
        print(f"{'FAIL' if found else 'ok  '}  {name}" + "".join(f"\n      {problem}" for problem in found))
    print(
        "\nNot checked, for it needs the network: that the addresses answer, that the repository has the topic "
        "3d-slicer-extension,\nand that the extension is built and loads on Slicer's own machines."
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
