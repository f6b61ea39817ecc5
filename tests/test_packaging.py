"""The wheel holds what the tree holds: both packages, the web files, the checklists, the migrations."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
_LEFT_OUT = {"__pycache__"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names of the files in a wheel that is built from the tree, without the network."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        return set(archive.namelist())


def tree(folder: str) -> set[str]:
    """The files that git tracks below a folder."""
    command = ["git", "ls-files", "-z", "--", folder]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    return {name for name in listed if name and name != "scorecard/_web" and _LEFT_OUT.isdisjoint(Path(name).parts)}


@pytest.mark.parametrize("package", ["scorecard", "checks"])
def test_every_file_of_a_package_is_in_the_wheel(wheel: set[str], package: str) -> None:
    assert tree(package) - wheel == set()


def test_the_web_files_are_in_the_wheel(wheel: set[str]) -> None:
    expected = {f"scorecard/_web/{name.removeprefix('web/')}" for name in tree("web") if not name.endswith(".gitkeep")}
    assert len(expected) > 10
    assert expected - wheel == set()


def test_the_wheel_holds_nothing_else(wheel: set[str]) -> None:
    tops = {name.split("/")[0] for name in wheel}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"scorecard", "checks"}


def test_the_locked_requirements_are_hashed_and_name_no_index() -> None:
    for name in ("run.txt", "dev.txt"):
        text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
        pinned = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
        assert pinned
        assert all("==" in line and line.endswith("\\") for line in pinned)
        assert "://" not in text
