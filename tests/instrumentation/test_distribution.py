from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import pytest

from instrumentation.distribution import Clash, clashes

OURS = {"storage/__init__.py": "", "storage/segments.py": "ours = True\n", "processors/window.py": "width = 5\n"}


def _install(site: Path, name: str, files: Mapping[str, str], *, version: str = "1.0", editable: bool = False) -> None:
    """As pip leaves it: the files, and a dist-info folder with METADATA, RECORD and top_level.txt."""
    info = f"{name}-{version}.dist-info"
    metadata = {f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"}
    metadata[f"{info}/top_level.txt"] = "".join(f"{top}\n" for top in sorted({path.split("/")[0] for path in files}))
    installed = {f"__editable___{name}_finder.py": "finder = 1\n"} if editable else dict(files)
    for path, content in (installed | metadata).items():
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_text(content, encoding="utf-8", newline="")
    sources = [PurePosixPath(path) for path in installed if path.endswith(".py")]
    compiled = [f"{path.parent}/__pycache__/{path.stem}.cpython-311.pyc,," for path in sources]
    lines = [_record(path, content) for path, content in (installed | metadata).items()]
    (site / info / "RECORD").write_text("\n".join([*lines, *compiled, f"{info}/RECORD,,", ""]), encoding="utf-8")


def _record(path: str, content: str) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(content.encode()).digest()).decode().rstrip("=")
    quoted = f'"{path}"' if "," in path else path
    return f"{quoted},sha256={digest},{len(content)}"


def test_distributions_with_names_of_their_own_do_not_clash(tmp_path: Path) -> None:
    """Other packages, and folders that only begin like one of ours, are nothing to report."""
    _install(tmp_path, "forecourt", OURS)
    _install(tmp_path, "neighbour", {"storages/__init__.py": "", "neighbour/storage/__init__.py": "", "storage.py": ""})
    assert clashes(path=[str(tmp_path)]) == []


def test_a_package_that_another_distribution_owns_too_is_reported_once(tmp_path: Path) -> None:
    """One finding for each package and other distribution, with its version, its first file and their number."""
    _install(tmp_path, "forecourt", OURS)
    _install(
        tmp_path,
        "Cloud.Storage",
        {"storage/bucket.py": "", "storage/a, b.txt": "", "cloud.py": ""},
        version="2.3",
    )
    assert clashes(path=[str(tmp_path)]) == [
        Clash("shared", "forecourt", "storage", tmp_path / "storage/a, b.txt", 2, "Cloud.Storage", "2.3"),
    ]


def test_a_file_that_another_distribution_overwrote_names_it(tmp_path: Path) -> None:
    """Where the content is no longer the recorded one, whoever lists the same file is named."""
    _install(tmp_path, "forecourt", OURS)
    _install(tmp_path, "other", {"storage/segments.py": "theirs = True\n"})
    path = tmp_path / "storage/segments.py"
    assert clashes(path=[str(tmp_path)]) == [
        Clash("overwritten", "forecourt", "storage", path, 1, "other", "1.0"),
        Clash("shared", "forecourt", "storage", path, 1, "other", "1.0"),
    ]


def test_a_file_that_was_changed_or_removed_by_nobody_known_is_reported(tmp_path: Path) -> None:
    """The RECORD alone tells that a file is not what was installed, or is gone after another's removal."""
    _install(tmp_path, "forecourt", OURS)
    (tmp_path / "storage/segments.py").write_text("theirs = True\n", encoding="utf-8")
    (tmp_path / "processors/window.py").unlink()
    assert clashes(path=[str(tmp_path)]) == [
        Clash("missing", "forecourt", "processors", tmp_path / "processors/window.py", 1),
        Clash("overwritten", "forecourt", "storage", tmp_path / "storage/segments.py", 1),
    ]


def test_an_editable_install_knows_its_packages_from_top_level(tmp_path: Path) -> None:
    """Its RECORD lists no package of ours, and what others own under these names is found all the same."""
    _install(tmp_path, "forecourt", OURS, editable=True)
    _install(tmp_path, "other", {"processors/__init__.py": ""})
    assert clashes(path=[str(tmp_path)]) == [
        Clash("shared", "forecourt", "processors", tmp_path / "processors/__init__.py", 1, "other", "1.0"),
    ]


def test_another_editable_install_with_our_name_is_reported(tmp_path: Path) -> None:
    """It lists no files, and would still be imported in place of ours."""
    _install(tmp_path, "forecourt", OURS)
    _install(tmp_path, "other", {"storage/__init__.py": ""}, editable=True)
    assert clashes(path=[str(tmp_path)]) == [
        Clash("shared", "forecourt", "storage", tmp_path / "storage", 1, "other", "1.0"),
    ]


def test_the_egg_info_of_a_checkout_does_not_hide_the_installed_distribution(tmp_path: Path) -> None:
    """A build's leftovers come first on the path and know no hashes; the installed RECORD counts."""
    checkout, site = tmp_path / "checkout", tmp_path / "site"
    (checkout / "forecourt.egg-info").mkdir(parents=True)
    (checkout / "forecourt.egg-info/PKG-INFO").write_text("Name: forecourt\nVersion: 1.0\n", encoding="utf-8")
    _install(site, "forecourt", OURS)
    (site / "storage/segments.py").write_text("theirs = True\n", encoding="utf-8")
    assert clashes(path=[str(checkout), str(site)]) == [
        Clash("overwritten", "forecourt", "storage", site / "storage/segments.py", 1),
    ]


def test_a_half_removed_distribution_is_passed_over(tmp_path: Path) -> None:
    """A dist-info folder without metadata, as a broken removal leaves it, stops nobody."""
    _install(tmp_path, "forecourt", OURS)
    (tmp_path / "gone-1.0.dist-info").mkdir()
    assert clashes(path=[str(tmp_path)]) == []


def test_without_an_installed_distribution_there_is_nothing_to_compare(tmp_path: Path) -> None:
    """Run from a bare checkout, the check is silent."""
    _install(tmp_path, "other", {"storage/__init__.py": ""})
    assert clashes(path=[str(tmp_path)]) == []


def test_this_environment_has_no_clash() -> None:
    """Without a path the running interpreter's own is searched."""
    assert clashes() == []


@pytest.mark.parametrize(
    ("clash", "expected"),
    [
        (
            Clash("shared", "forecourt", "storage", Path("site/storage/a.py"), 3, "other", "2.0"),
            (
                "storage: other 2.0 installs a package of the same name ({path} and 2 more), and whichever is installed"
                " last overwrites the other; give forecourt and other a virtual environment each"
            ),
        ),
        (
            Clash("overwritten", "forecourt", "storage", Path("site/storage/a.py"), 1, "other", "2.0"),
            (
                "storage: {path} is not the file that was installed, other 2.0 owns it too; uninstall other, then run"
                " `pip install --force-reinstall --no-deps forecourt`"
            ),
        ),
        (
            Clash("missing", "forecourt", "storage", Path("site/storage/a.py"), 1),
            "storage: {path} is gone; run `pip install --force-reinstall --no-deps forecourt`",
        ),
    ],
)
def test_a_clash_tells_the_operator_what_to_do(clash: Clash, expected: str) -> None:
    """What is wrong, where, and the next step, in one line."""
    assert str(clash) == expected.format(path=Path("site/storage/a.py"))
