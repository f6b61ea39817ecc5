"""When paths were last changed: one walk of history for all of them. Runs in the child.

A commit touched a path when the path differs from what every parent has, so a merge that only brings a branch in is not
a change of its own; that is how `git log -- PATH` reads history.
"""

from __future__ import annotations

import stat
import time
from heapq import heappop, heappush
from itertools import islice
from typing import TYPE_CHECKING

import re2

from scorecard.model import Cause
from scorecard.probes.repository.objects import Objects, Step, objects_of, read_file
from scorecard.probes.repository.questions import Changes, File, FindStructure, LastChanged, Paths, UnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dulwich.objects import ObjectID

MAX_COMMITS = 20_000
MAX_TOUCHED = 50_000
"""Files of one commit that are compared."""
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
    """History from a commit back, newest first, until everything asked for was seen to change.

    What each commit touched is kept with the objects, so that the next service of a shared repository costs no more
    than going through it.
    """

    def __init__(self, objects: Objects, question: LastChanged) -> None:
        self._objects = objects
        self._pending = {_raw(path) for path in question.wanted}
        self._structural = frozenset(map(_raw, question.structural or ()))
        self._structure_asked = question.structural is not None
        self._within = _raw(question.within) + b"/" if question.within else b""
        self._at: dict[str, int] = {}
        self._structure: int | None = None
        self._shallow = objects.shallow()

    def run(self) -> Changes:
        """Walk, and say what was found and what stopped it."""
        deadline = time.monotonic() + _SECONDS
        for count, (commit_id, step) in enumerate(self._steps()):
            if self._done():
                break
            cut = self._obstacle(count, commit_id, deadline)
            touched = self._objects.touched.get(commit_id) if not cut else None
            if touched is None and not cut:
                touched = self._compared(step)
                if touched is None:
                    cut = f"commit {commit_id.decode()} touches more than {MAX_TOUCHED:,} files"
                else:
                    self._objects.touched[commit_id] = touched
            if touched is None:
                return Changes(self._at, self._structure, cut)
            self._note(touched, step.at)
        return Changes(self._at, self._structure)

    def _done(self) -> bool:
        return not self._pending and not self._structure_asked

    def _obstacle(self, count: int, commit_id: ObjectID, deadline: float) -> str:
        if count >= MAX_COMMITS:
            return f"only the newest {MAX_COMMITS:,} commits were looked at"
        if time.monotonic() > deadline:
            return f"only the newest {count:,} commits were looked at, within {_SECONDS:g} s"
        return "the clone is shallow: older commits are not in it" if commit_id in self._shallow else ""

    def _steps(self) -> Iterator[tuple[ObjectID, Step]]:
        """Commits by date, newest first."""
        first = self._objects.commit_id
        heap = [(-self._objects.step(first).at, 0, first)]
        seen = {first}
        while heap:
            _, _, commit_id = heappop(heap)
            step = self._objects.step(commit_id)
            yield commit_id, step
            for parent in step.parents:
                if parent not in seen:
                    seen.add(parent)
                    heappush(heap, (-self._objects.step(parent).at, len(seen), parent))

    def _note(self, touched: frozenset[bytes], at: int) -> None:
        found = touched & self._pending
        for path in found:
            self._at[path.decode("utf-8", "surrogateescape")] = at
        self._pending -= found
        if self._structure_asked and any(self._is_structure(path) for path in touched):
            self._structure = at
            self._structure_asked = False

    def _is_structure(self, path: bytes) -> bool:
        return path.startswith(self._within) and (path in self._structural or is_structure(path))

    def _compared(self, step: Step) -> frozenset[bytes] | None:
        """The files in which a commit differs from every parent; None for more than are compared."""
        trees: list[ObjectID | None] = [self._objects.step(parent).tree for parent in step.parents]
        if step.tree in trees:
            return frozenset()
        touched: frozenset[bytes] | None = None
        for tree in trees or [None]:
            different = frozenset(islice(self._differences(step.tree, tree), MAX_TOUCHED + 1))
            if len(different) > MAX_TOUCHED:
                return None
            touched = different if touched is None else touched & different
        return touched

    def _differences(self, new: ObjectID, old: ObjectID | None) -> Iterator[bytes]:
        """Files that differ between two trees."""
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
                if any(folders):
                    stack.append((path + b"/", folders[0], folders[1]))
                if not all(folders):
                    yield path


def _raw(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")
