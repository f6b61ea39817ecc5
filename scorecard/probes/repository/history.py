"""When paths were last changed: one walk of history for all of them. Runs in the child.

A commit touched a path when the path differs from what every parent has, so a merge that only brings a branch in is not
a change of its own; that is how `git log -- PATH` reads history.
"""

from __future__ import annotations

import stat
import time
from heapq import heappop, heappush
from typing import TYPE_CHECKING

import re2

from scorecard.model import Cause
from scorecard.probes.repository.objects import Objects, objects_of, read_file
from scorecard.probes.repository.questions import Changes, File, FindStructure, LastChanged, Paths, UnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dulwich.objects import Commit, ObjectID

MAX_COMMITS = 20_000
_SECONDS = 3.0
"""Less than what the child is given for a question, so that a long history ends as a partial answer."""

_STRUCTURE = re2.compile(
    rb"(?i)(^|/)(docker-compose[^/]*\.ya?ml|compose(\.[^/]+)?\.ya?ml|[^/]+\.tf(\.json)?|chart\.ya?ml|kustomization\.ya?ml"
    rb"|serverless\.ya?ml|[^/]+\.cfn\.ya?ml|cdk\.json|pulumi\.ya?ml|samconfig\.toml|dockerfile)$"
)
_DEFINES = re2.compile(
    rb"(?m)^(AWSTemplateFormatVersion|Transform):|^kind: *[\"']?(Deployment|StatefulSet|DaemonSet|CronJob|Job|Service"
    rb"|Ingress|Gateway|HTTPRoute|Rollout|HelmRelease|Kustomization|Application|ConfigMap|HorizontalPodAutoscaler"
    rb"|NetworkPolicy|PersistentVolumeClaim|Namespace)[\"']?\s*$"
)

Side = tuple[int, "ObjectID | None"]
_NOTHING: Side = (0, None)


def is_structure(path: bytes) -> bool:
    """Whether a file of this name defines what runs: Terraform, compose, Helm, Kustomize, CloudFormation, CDK."""
    return _STRUCTURE.search(path) is not None


def find_structure(question: FindStructure) -> Paths:
    """Answer `FindStructure`: the YAML files that hold Kubernetes manifests or CloudFormation."""
    found: list[str] = []
    unread = 0
    for path, blob in question.files.items():
        try:
            data = read_file(File(question.source, path, blob))
        except UnreadableError:
            unread += 1
            continue
        if _DEFINES.search(data):
            found.append(path)
    return Paths(tuple(found), unread)


def last_changed(question: LastChanged) -> Changes:
    """Answer `LastChanged`.

    Raises:
        UnreadableError: when the folder has no history, or it cannot be read.
    """
    if not question.source.commit:
        raise UnreadableError(Cause.NO_DATA, "not a git repository: dates by git are missing")
    return _Walk(objects_of(question.source), question).run()


class _Walk:
    """History from a commit back, newest first, until everything asked for was seen to change."""

    def __init__(self, objects: Objects, question: LastChanged) -> None:
        self._objects = objects
        self._pending = {_raw(path) for path in question.wanted}
        self._leading = _leading(self._pending)
        self._structural = frozenset(map(_raw, question.structural or ()))
        self._structure_asked = question.structural is not None
        self._within = _raw(question.within) + b"/" if question.within else b""
        self._at: dict[str, int] = {}
        self._structure: int | None = None
        self._shallow = objects.shallow()

    def run(self) -> Changes:
        """Walk, and say what was found and what stopped it."""
        cut = ""
        deadline = time.monotonic() + _SECONDS
        for count, commit in enumerate(self._commits()):
            if count >= MAX_COMMITS:
                cut = f"only the newest {MAX_COMMITS:,} commits were looked at"
            elif time.monotonic() > deadline:
                cut = f"only the newest {count:,} commits were looked at, within {_SECONDS:g} s"
            elif commit.id in self._shallow:
                cut = "the clone is shallow: older commits are not in it"
            if cut or self._done():
                break
            self._look(commit)
        return Changes(self._at, self._structure, "" if self._done() else cut)

    def _done(self) -> bool:
        return not self._pending and not self._structure_asked

    def _commits(self) -> Iterator[Commit]:
        """Commits by date, newest first."""
        first = self._objects.commit(self._objects.commit_id)
        heap = [(-first.commit_time, 0, first)]
        seen = {first.id}
        while heap:
            _, _, commit = heappop(heap)
            yield commit
            for parent_id in commit.parents:
                if parent_id not in seen:
                    seen.add(parent_id)
                    parent = self._objects.commit(parent_id)
                    heappush(heap, (-parent.commit_time, len(seen), parent))

    def _look(self, commit: Commit) -> None:
        parents = [self._objects.commit(parent).tree for parent in commit.parents]
        if commit.tree in parents:
            return
        touched = set(self._differences(commit.tree, parents[0] if parents else None))
        for parent in parents[1:]:
            touched &= set(self._differences(commit.tree, parent))
        for path in touched & self._pending:
            self._at[path.decode("utf-8", "surrogateescape")] = commit.commit_time
        if touched & self._pending:
            self._pending -= touched
            self._leading = _leading(self._pending)
        if self._structure_asked and any(self._is_structure(path) for path in touched):
            self._structure = commit.commit_time
            self._structure_asked = False

    def _is_structure(self, path: bytes) -> bool:
        return path.startswith(self._within) and (path in self._structural or is_structure(path))

    def _differences(self, new: ObjectID, old: ObjectID | None) -> Iterator[bytes]:
        """Files that differ between two trees, where anybody still asks for them."""
        stack: list[tuple[bytes, ObjectID | None, ObjectID | None]] = [(b"", new, old)]
        while stack:
            folder, left, right = stack.pop()
            ours = self._objects.tree(left) if left else {}
            theirs = self._objects.tree(right) if right else {}
            for name in ours.keys() | theirs.keys():
                mine, other = ours.get(name, _NOTHING), theirs.get(name, _NOTHING)
                if mine == other:
                    continue
                path = folder + name
                folders = [side[1] if stat.S_ISDIR(side[0]) else None for side in (mine, other)]
                if any(folders) and self._asked(path):
                    stack.append((path + b"/", folders[0], folders[1]))
                if not all(folders):
                    yield path

    def _asked(self, folder: bytes) -> bool:
        if folder in self._leading:
            return True
        below = folder + b"/"
        return self._structure_asked and (below.startswith(self._within) or self._within.startswith(below))


def _raw(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")


def _leading(paths: set[bytes]) -> set[bytes]:
    """Every folder on the way to one of the paths."""
    found = set()
    for path in paths:
        folder = path.rpartition(b"/")[0]
        while folder and folder not in found:
            found.add(folder)
            folder = folder.rpartition(b"/")[0]
    return found
