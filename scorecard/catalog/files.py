"""Catalogue files: globs relative to the configuration, each file with as many documents as it likes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scorecard.catalog.documents import Found
from scorecard.problems import Problem
from scorecard.strict_yaml import OWN_FILES, YamlError, load_each

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from scorecard.catalog.sources import Surroundings

_WILDCARDS = frozenset("*?[")


class FileSource:
    """`- files: services/*.yaml`."""

    def __init__(self, options: object, surroundings: Surroundings) -> None:
        self._pattern = str(options)
        self._directory = surroundings.directory

    def read(self) -> Iterator[Found | Problem]:
        """Every document of every file, in the order of their names."""
        if not _WILDCARDS & set(self._pattern):
            return read_files([self._directory / self._pattern])
        anchor, pattern = self._directory, self._pattern
        if pattern.startswith("/"):
            anchor, pattern = self._directory.joinpath("/"), pattern.lstrip("/")
        return read_files(sorted(path for path in anchor.glob(pattern) if path.is_file()))


def read_files(paths: Iterable[Path]) -> Iterator[Found | Problem]:
    """Every document of the files; what cannot be read comes as a problem and hides nothing else."""
    for path in paths:
        name = str(path)
        try:
            data = path.read_bytes()
        except OSError as error:
            yield Problem(name, 0, "", error.strerror or "cannot be read")
            continue
        for found in load_each(data, name=name, limits=OWN_FILES):
            yield Problem(name, found.line, "", found.message) if isinstance(found, YamlError) else Found(found)
