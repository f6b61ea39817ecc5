"""Sources of other packages are found by their entry point, and a broken one takes nothing else down."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from scorecard.catalog import load_catalog
from scorecard.config import ConfigError, load_config

NOW = datetime(2026, 11, 24, tzinfo=UTC)
MODULE = """\
from scorecard.catalog import Found
from scorecard.strict_yaml import Document


class Source:
    def __init__(self, options, surroundings):
        self.options = options

    def read(self):
        for name in self.options["names"]:
            yield Found(Document.of({"metadata": {"name": name}}, name=f"inventory#{name}"), local=False)
        if self.options.get("broken"):
            raise RuntimeError("the inventory is empty")
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package whose catalogue source is called `inventory`."""
    packages = tmp_path / "packages"
    info = packages / "inventory_source-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: inventory-source\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[scorecard.catalogs]\ninventory = inventory_source:Source\n")
    (packages / "inventory_source.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(packages))
    yield
    sys.modules.pop("inventory_source", None)


def load(directory: Path, text: str) -> tuple[list[str], list[str]]:
    (directory / "scorecard.yaml").write_text(text)
    (directory / "services").mkdir()
    (directory / "services/a.yaml").write_text("metadata: {name: a}\n")
    catalog = load_catalog(load_config(directory / "scorecard.yaml", {}), now=NOW)
    problems = [str(problem).removeprefix(f"{directory}/") for problem in catalog.problems]
    return [service.name for service in catalog.services], problems


@pytest.mark.usefixtures("installed")
def test_a_source_of_another_package_registers_services(tmp_path: Path) -> None:
    text = "catalog:\n  - files: services/*.yaml\n  - inventory: {names: [x, Y]}\n"
    names, problems = load(tmp_path, text)
    assert names == ["a", "x"]
    assert problems[0].startswith("inventory#Y: metadata.name: 'Y' is not a name")


@pytest.mark.usefixtures("installed")
def test_a_broken_source_is_said_at_its_line_and_the_others_stay(tmp_path: Path) -> None:
    text = "catalog:\n  - inventory: {names: [x], broken: yes}\n  - files: services/*.yaml\n"
    names, problems = load(tmp_path, text)
    assert names == ["a", "x"]
    assert problems == ["scorecard.yaml:2: catalog[0].inventory: RuntimeError: the inventory is empty"]


def test_a_source_that_no_package_brings_is_an_unknown_key(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"catalog\[0\]\.inventory: unknown key; known here: files, backstage"):
        load(tmp_path, "catalog: [{inventory: {}}]\n")
