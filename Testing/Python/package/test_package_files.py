"""Packages are written the same way every time, read back as they were, and refused where a byte is not as it was."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import stat
import string
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_package import FEATURE, make_package

from hccoutcome.errors import InputError
from hccoutcome.package.container import LARGEST_FILE, NETWORK
from hccoutcome.package.format import Package
from hccoutcome.package.reading import list_packages, read_outline, read_package
from hccoutcome.package.schema import seal
from hccoutcome.package.writing import package_files, write_package
from hccoutcome.strict_json import canonical_json

FILES = package_files(make_package())
DIGESTS = {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}


def put(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def resealed(change: Callable[[dict], object], **others: bytes) -> dict[str, bytes]:
    """Return the files of the package with a changed package.json that is sealed and hashed correctly again."""
    files = {**FILES, **{name.replace("_json", ".json"): content for name, content in others.items()}}
    manifest = json.loads(files["package.json"])
    manifest["files"] = {name: hashlib.sha256(c).hexdigest() for name, c in files.items() if name != "package.json"}
    change(manifest)
    manifest["sha256"] = seal(manifest)
    return {**files, "package.json": canonical_json(manifest)}


def zipped(path: Path, entries: list[tuple[str | zipfile.ZipInfo, bytes]]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return path


# Writing and reading back


@pytest.mark.parametrize("name", ["toy", "toy.zip"])
def test_a_package_reads_back_as_it_was_written(tmp_path: Path, a_package: Package, name: str) -> None:
    found = read_package(write_package(a_package, tmp_path / name))
    hashes = {file: digest for file, digest in DIGESTS.items() if file != "package.json"}
    assert found == replace(a_package, files=hashes, sha256=found.sha256, source=tmp_path / name)


@pytest.mark.parametrize("name", ["toy", "toy.zip"])
def test_writing_twice_gives_the_same_bytes(tmp_path: Path, a_package: Package, name: str) -> None:
    first, second = (write_package(a_package, tmp_path / place / name) for place in ("one", "two"))
    content = [{p.name: p.read_bytes() for p in path.iterdir()} if path.is_dir() else path.read_bytes()
               for path in (first, second)]  # fmt: skip
    assert content[0] == content[1]


@pytest.mark.parametrize("name", ["my package", "Päckchen"])
@pytest.mark.parametrize("ending", ["", ".zip"])
def test_a_package_may_be_called_anything(tmp_path: Path, a_package: Package, name: str, ending: str) -> None:
    assert read_package(write_package(a_package, tmp_path / f"{name}{ending}")).name == a_package.name


def test_a_zip_holds_no_time_of_writing(tmp_path: Path, a_package: Package) -> None:
    with zipfile.ZipFile(write_package(a_package, tmp_path / "toy.zip")) as archive:
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_folder_and_zip_have_the_same_hash(tmp_path: Path, a_package: Package) -> None:
    folder, archive = (read_package(write_package(a_package, tmp_path / name)) for name in ("toy", "toy.zip"))
    assert folder.sha256 == archive.sha256
    assert len(folder.sha256) == 64


def test_the_hash_is_that_of_package_json_without_the_hash(tmp_path: Path, a_package: Package) -> None:
    path = write_package(a_package, tmp_path / "toy")
    manifest = json.loads((path / "package.json").read_text(encoding="utf-8"))
    stated = manifest.pop("sha256")
    text = json.dumps(manifest, sort_keys=True, indent=2, ensure_ascii=False) + "\n"
    assert hashlib.sha256(text.encode()).hexdigest() == stated
    assert manifest["files"] == {
        p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in path.iterdir() if p.name != "package.json"
    }


def test_a_package_replaces_an_older_one_and_leaves_nothing_else(tmp_path: Path, a_package: Package) -> None:
    write_package(a_package, tmp_path / "toy")
    write_package(replace(a_package, version="2.0.0", weights={}), tmp_path / "toy")
    assert read_package(tmp_path / "toy").version == "2.0.0"
    assert not (tmp_path / "toy" / "weights.json").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["toy"]


def test_a_folder_with_other_things_is_not_overwritten(tmp_path: Path, a_package: Package) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.txt").write_text("years of work", encoding="utf-8")
    with pytest.raises(InputError, match="'thesis' exists and is not a model package: choose another name"):
        write_package(a_package, tmp_path / "thesis")
    assert (tmp_path / "thesis" / "chapter1.txt").read_text(encoding="utf-8") == "years of work"


def test_a_package_that_could_not_be_read_is_not_written(tmp_path: Path, a_package: Package) -> None:
    with pytest.raises(InputError, match="'scale': 'percent' is not known"):
        write_package(replace(a_package, scale="percent"), tmp_path / "toy")
    assert list(tmp_path.iterdir()) == []


# What was changed is found


@settings(deadline=None, derandomize=True, max_examples=150)
@given(st.data())
def test_any_flipped_bit_in_any_file_is_found(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(FILES)))
    place = data.draw(st.integers(0, len(FILES[name]) - 1))
    changed = bytearray(FILES[name])
    changed[place] ^= 1 << data.draw(st.integers(0, 7))
    with tempfile.TemporaryDirectory() as scratch:
        folder = put(Path(scratch) / "toy", {**FILES, name: bytes(changed)})
        with pytest.raises(InputError, match=r"[a-z].*: .*\."):
            read_package(folder)


@settings(deadline=None, derandomize=True, max_examples=150)
@given(st.data())
def test_a_flipped_bit_in_a_zip_is_found_or_changes_nothing(data: st.DataObject) -> None:
    """A zip holds bytes that mean nothing for its content (times, attributes); all others are protected."""
    with tempfile.TemporaryDirectory() as scratch:
        path = write_package(make_package(), Path(scratch) / "toy.zip")
        intact = read_package(path)
        changed = bytearray(path.read_bytes())
        changed[data.draw(st.integers(0, len(changed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        path.write_bytes(bytes(changed))
        try:
            assert read_package(path) == intact
        except InputError as error:
            assert str(error).endswith((".", "?"))


@pytest.mark.parametrize("name", sorted(set(FILES) - {"package.json"}))
def test_a_changed_file_is_named(tmp_path: Path, name: str) -> None:
    folder = put(tmp_path / "toy", {**FILES, name: FILES[name].replace(b"e", b"E", 1)})
    with pytest.raises(InputError, match=f"'{name}' of the package 'toy' was changed after it was written: get it"):
        read_package(folder)


def test_a_changed_package_json_is_named(tmp_path: Path) -> None:
    folder = put(tmp_path / "toy", {**FILES, "package.json": FILES["package.json"].replace(b"Nobody", b"Someone")})
    with pytest.raises(InputError, match=r"package\.json of the package 'toy' was changed after it was written"):
        read_package(folder)


@pytest.mark.parametrize("change", [lambda c: c + b"\n", lambda c: c.replace(b": ", b":  ", 1), lambda c: b" " + c])
def test_even_another_spacing_of_package_json_is_found(tmp_path: Path, change) -> None:
    folder = put(tmp_path / "toy", {**FILES, "package.json": change(FILES["package.json"])})
    with pytest.raises(InputError, match=r"package\.json of the package 'toy' was changed after it was written"):
        read_package(folder)


@pytest.mark.parametrize("name", sorted(set(FILES) - {"package.json"}))
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    folder = put(tmp_path / "toy", {key: content for key, content in FILES.items() if key != name})
    with pytest.raises(InputError, match=f"The package 'toy' lacks its file '{name}': get it again."):
        read_package(folder)


def test_a_weight_beyond_the_range_of_numbers_is_refused_even_if_sealed(tmp_path: Path) -> None:
    weights = FILES["weights.json"].replace(b'"intercept": 1.0', b'"intercept": ' + b"7" * 400)
    folder = put(tmp_path / "toy", resealed(lambda _: None, weights_json=weights))
    with pytest.raises(InputError, match=r"weights\.json holds a number of 400 characters where a finite number"):
        read_package(folder)


def test_an_unlisted_file_is_named(tmp_path: Path) -> None:
    files = resealed(lambda manifest: manifest["files"].pop("card.md"))
    with pytest.raises(InputError, match=r"holds 'card\.md', which package\.json does not list: remove it\."):
        read_package(put(tmp_path / "toy", files))


# What could do harm is refused


@pytest.mark.parametrize("name", ["weights.pkl", "model.joblib", "net.pt", "a.npz", "run.py", "WEIGHTS.PKL"])
def test_a_file_that_can_run_code_is_refused_by_name(tmp_path: Path, name: str) -> None:
    folder = put(tmp_path / "toy", {**FILES, name: b"x"})
    with pytest.raises(InputError, match=f"holds '{name}', a file type that can run code when opened"):
        read_package(folder)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_pickle_under_another_name_is_refused_by_content(tmp_path: Path, protocol: int) -> None:
    folder = put(tmp_path / "toy", {**FILES, "weights.json": pickle.dumps({"a": 1}, protocol)})
    with pytest.raises(InputError, match=r"'weights\.json' in the package is a Python pickle under another name"):
        read_package(folder)


def test_a_torch_file_under_another_name_is_refused_by_content(tmp_path: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("data.pkl", b"x")
    folder = put(tmp_path / "toy", {**FILES, "weights.json": inner.getvalue()})
    with pytest.raises(InputError, match=r"'weights\.json' in the package is an archive under another name"):
        read_package(folder)


def test_a_binary_file_is_refused(tmp_path: Path) -> None:
    folder = put(tmp_path / "toy", {**FILES, "card.md": b"\x7fELF\x00\x01"})
    with pytest.raises(InputError, match=r"'card\.md' in the package should be text and is a binary file"):
        read_package(folder)


def test_a_file_of_unknown_name_is_refused(tmp_path: Path) -> None:
    folder = put(tmp_path / "toy", {**FILES, "notes.txt": b"x"})
    with pytest.raises(InputError, match=r"The package holds 'notes\.txt'; a package holds only package\.json, "):
        read_package(folder)


@pytest.mark.parametrize("name", ["toy", "card.md"])
def test_a_link_is_refused(tmp_path: Path, a_package: Package, name: str) -> None:
    real = write_package(a_package, tmp_path / "real")
    if name == "toy":
        (tmp_path / "toy").symlink_to(real)
        path, message = tmp_path / "toy", "The package 'toy' is a link"
    else:
        (tmp_path / "elsewhere.md").write_bytes((real / name).read_bytes())
        (real / name).unlink()
        (real / name).symlink_to(tmp_path / "elsewhere.md")
        path, message = real, "The package 'real' holds the link 'card.md': replace it by the file"
    with pytest.raises(InputError, match=message):
        read_package(path)


def test_a_folder_inside_is_refused(tmp_path: Path) -> None:
    put(tmp_path / "toy", FILES)
    (tmp_path / "toy" / "more").mkdir()
    with pytest.raises(InputError, match="holds 'more', which is not a plain file: remove it"):
        read_package(tmp_path / "toy")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_refused_without_reading_it(tmp_path: Path) -> None:
    put(tmp_path / "toy", {name: content for name, content in FILES.items() if name != "card.md"})
    os.mkfifo(tmp_path / "toy" / "card.md")
    with pytest.raises(InputError, match=r"holds 'card\.md', which is not a plain file"):
        read_package(tmp_path / "toy")


def test_a_huge_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    put(tmp_path / "toy", FILES)
    with (tmp_path / "toy" / "card.md").open("r+b") as stream:
        stream.truncate(LARGEST_FILE + 1)
    with pytest.raises(InputError, match=r"'card\.md' in the package is larger than 4 MB"):
        read_package(tmp_path / "toy")


def test_files_that_are_huge_together_are_refused_before_they_are_read(tmp_path: Path) -> None:
    put(tmp_path / "toy", FILES)
    for name in ("card.md", "weights.json", "reference.json"):
        with (tmp_path / "toy" / name).open("r+b") as stream:
            stream.truncate(LARGEST_FILE)
    with pytest.raises(InputError, match="The package unpacks to more than 10 MB: do not use it"):
        read_package(tmp_path / "toy")


def test_a_zip_bomb_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "toy.zip", list({**FILES, "card.md": b" " * (LARGEST_FILE + 1)}.items()))
    assert path.stat().st_size < 20_000
    with pytest.raises(InputError, match=r"'card\.md' in the package is larger than 4 MB: do not use it\."):
        read_package(path)


def test_a_zip_that_lies_about_a_size_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "toy.zip", [(name, content) for name, content in FILES.items() if name != "card.md"])
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("card.md", b" " * 3_000_000)
    content = path.read_bytes()
    assert content.count((3_000_000).to_bytes(4, "little")) == 2
    path.write_bytes(content.replace((3_000_000).to_bytes(4, "little"), (1000).to_bytes(4, "little")))
    with pytest.raises(InputError, match="should be a folder or an intact zip"):
        read_package(path)


@pytest.mark.parametrize(
    "name",
    ["../evil.json", "/etc/evil.json", "toy/../../evil.json", "..\\evil.json", "toy\\card.md", "C:evil.json",
     "a/b/c.md", "./card.md", ".hidden.md", "card.md\x00.pkl", "toy//card.md", ""],
)  # fmt: skip
def test_a_name_in_a_zip_that_could_lead_out_is_refused(tmp_path: Path, name: str) -> None:
    entry = zipfile.ZipInfo("x")
    entry.filename = name
    path = zipped(tmp_path / "toy.zip", [*FILES.items(), (entry, b"x")])
    with pytest.raises(InputError, match=r"holds the name .*, which could lead out of the package: do not use it\."):
        read_package(path)
    assert [p.name for p in tmp_path.iterdir()] == ["toy.zip"]


NAMES = st.text(string.ascii_letters + "./\\:~-_ \t\u00e9\u202e", min_size=1, max_size=20)


@settings(deadline=None, derandomize=True, max_examples=150)
@given(NAMES.filter(lambda name: name not in FILES))
def test_no_name_in_a_zip_ever_writes_a_file(name: str) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        inside = Path(scratch) / "inside"
        inside.mkdir()
        path = zipped(inside / "toy.zip", [*FILES.items(), (name, b"evil")])
        with pytest.raises(InputError):
            read_package(path)
        assert [p.name for p in Path(scratch).rglob("*")] == ["inside", "toy.zip"]


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("card.md")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    path = zipped(tmp_path / "toy.zip", [*((n, c) for n, c in FILES.items() if n != "card.md"), (link, b"/etc/passwd")])
    with pytest.raises(InputError, match=r"holds 'card\.md', a link or special file: do not use it"):
        read_package(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_twice_in_a_zip_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "toy.zip", [*FILES.items(), ("card.md", b"other")])
    with pytest.raises(InputError, match=r"holds 'card\.md' twice: do not use it"):
        read_package(path)


def test_an_unusual_packing_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "toy.zip", "w", zipfile.ZIP_LZMA) as archive:
        for name, content in FILES.items():
            archive.writestr(name, content)
    with pytest.raises(InputError, match="is encrypted or packed in an unusual way: pack it as a plain zip"):
        read_package(tmp_path / "toy.zip")


def test_too_many_entries_are_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "toy.zip", [(f"f{number}.md", b"") for number in range(30)])
    with pytest.raises(InputError, match="holds more than 20 files"):
        read_package(path)


def test_files_in_several_folders_are_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "toy.zip", [(f"{n[0]}/{n}", c) for n, c in FILES.items()])
    with pytest.raises(InputError, match="should hold all files in one folder, found several: pack it again"):
        read_package(path)


@pytest.mark.parametrize("prefix", ["", "any-name/"])
def test_a_zip_by_hand_with_or_without_a_folder_is_read(tmp_path: Path, prefix: str) -> None:
    entries = [(prefix + name, content) for name, content in FILES.items()]
    if prefix:
        entries.insert(0, (prefix, b""))
    assert read_package(zipped(tmp_path / "x.zip", entries)).name == "toy"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no zip at all", "'x.zip' should be a folder or an intact zip: get it again"),
        (b"", "'x.zip' should be a folder or an intact zip: get it again"),
    ],
)
def test_a_file_that_is_no_zip_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "x.zip").write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_package(tmp_path / "x.zip")


@pytest.mark.parametrize("name", ["toy", "toy.zip"])
def test_a_package_that_cannot_be_read_is_named(
    tmp_path: Path, a_package: Package, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_package(a_package, tmp_path / name)

    def denied(*_: object, **__: object) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", denied)
    monkeypatch.setattr(zipfile, "ZipFile", denied)
    with pytest.raises(InputError, match=f"The package '{name}' cannot be read: check that it is intact and that you"):
        read_package(path)


def test_a_folder_without_package_json_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no package\.json, so it is not a model package"):
        read_package(tmp_path)


# What is written in package.json is checked field by field


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.update(schema=2), r"follows version 2 of the package format and this software reads version 1"),
        (lambda m: m.update(schema="1"), r"package\.json: 'schema' should be a whole number, found a text"),
        (lambda m: m.update(name="../toy"), r"'name' should be lower case letters, digits and dashes, found '\.\."),
        (lambda m: m.update(version="1"), r"'version' should be three numbers like 1\.0\.0, found '1'"),
        (lambda m: m.pop("citation"), r"package\.json lacks the field 'citation' \(a text\): add it"),
        (lambda m: m.update(titel="x"), r"package\.json has an unknown field 'titel'; did you mean 'title'\?"),
        (lambda m: m.update(scale="percent"), r"package\.json, 'scale': 'percent' is not known"),
        (lambda m: m["inputs"].update(modality="PET"), r"package\.json, 'modality': 'PET' is not known"),
        (lambda m: m["inputs"].update(most_missing=-1), r"'inputs': 'most_missing' counts variables from 0, found -1"),
        (lambda m: m["inputs"].update(organ="liver"), r"package\.json, 'inputs' has an unknown field 'organ'"),
        (lambda m: m["inputs"]["phases"][0].update(phase="PVP"), r"phase 1: 'PVP' should be written 'portal'"),
        (lambda m: m["inputs"]["phases"][0].update(phase="brain"), r"'brain' is not a known phase or sequence"),
        (lambda m: m["inputs"]["phases"][0].update(slices=1), r"package\.json, phase 1 has an unknown field 'slices'"),
        (lambda m: m["inputs"]["phases"][0]["slice_mm"].update(low=9), r"'low' should not exceed 'high', found 9 to 5"),
        (lambda m: m["inputs"]["regions"][0].update(region="spleen"), r"'spleen' is not a known region"),
        (lambda m: m["inputs"]["regions"][0].update(least_ml="1"), r"region 1: 'least_ml' should be a number, found a"),
        (lambda m: m["inputs"]["variables"][0].update(kind="real"), r"variable 1: 'real' is not known"),
        (lambda m: m["inputs"]["features"].append("Mean"), r"A feature is named <phase>_<region>_.*found 'Mean'"),
        (lambda m: m["inputs"]["features"].append("delayed_tumor_original_glcm_Id"),
         r"'delayed_tumor_original_glcm_Id' needs a phase or region that 'inputs' does not list"),
        (lambda m: m.update(preparation=[]), r"'preparation' should be an object, found a list"),
        (lambda m: m["software"].update(numpy=2), r"'software': 'numpy' should be a text, found a number"),
    ],
)  # fmt: skip
def test_a_wrong_field_is_refused_with_its_place(tmp_path: Path, change, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_package(put(tmp_path / "toy", resealed(change)))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"a": NaN}', r"weights\.json holds NaN where a finite number belongs"),
        (b'{"a": 1, "a": 1}', r"weights\.json gives 'a' twice in one object"),
        (b"[1]", r"weights\.json should be an object with named fields"),
    ],
)
def test_weights_are_parsed_strictly(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_package(put(tmp_path / "toy", resealed(lambda manifest: None, weights_json=content)))


def test_a_reference_of_other_settings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="reference was made with other preparation or extraction settings than those"):
        read_package(put(tmp_path / "toy", resealed(lambda m: m.update(preparation={"normalisation": "minmax"}))))


def test_a_reference_without_a_feature_is_refused(tmp_path: Path) -> None:
    content = FILES["reference.json"].replace(FEATURE.encode(), b"portal_tumor_original_glcm_Id")
    with pytest.raises(InputError, match=f"The reference lacks the feature '{FEATURE}' of 'toy': make it again"):
        read_package(put(tmp_path / "toy", resealed(lambda manifest: None, reference_json=content)))


# Finding packages


def test_shipped_packages_are_listed_and_intact() -> None:
    names = list_packages()
    assert {"radscore-tace-ct", "haic-mri-clinical", "haic-mri-cr", "haic-mri-crh"} <= set(names)
    assert [read_package(name).name for name in names] == list(names)


def test_packages_of_the_user_are_found_by_name(tmp_path: Path, a_package: Package) -> None:
    write_package(a_package, tmp_path / "mine.zip")
    assert set(list_packages([tmp_path])) == {"mine", *list_packages()}
    assert read_package("mine", [tmp_path]).name == "toy"


def test_no_name_at_all_is_an_unknown_package() -> None:
    with pytest.raises(InputError, match="There is no package ''; Known: "):
        read_package("")


def test_an_unknown_package_is_answered_with_the_nearest_name() -> None:
    with pytest.raises(InputError, match="There is no package 'radscore'; did you mean 'radscore-tace-ct'"):
        read_package("radscore")


def test_a_missing_folder_of_packages_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"The folder of packages '.*nowhere' does not exist: check the path\."):
        list_packages([tmp_path / "nowhere"])


def test_an_outline_reads_all_but_the_weights_of_the_network(tmp_path):
    """What a window shows of a package takes no time for its network; what is read is checked as ever."""
    folder = tmp_path / "package"
    write_package(read_package(list_packages()[0]), folder)
    assert read_outline(folder).sha256 == read_package(folder).sha256
    (folder / NETWORK).write_bytes(b"no weights at all")
    with pytest.raises(InputError, match=r"network\.safetensors"):
        read_package(folder)
    with pytest.raises(InputError, match=r"which package\.json does not list"):
        read_outline(folder)
    (folder / NETWORK).unlink()
    (folder / "card.md").write_text("changed", encoding="utf-8")
    with pytest.raises(InputError, match="was changed after it was written"):
        read_outline(folder)
