"""Real git repositories, made on the fly with dulwich: a history of dated commits, and a work tree to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path

from dulwich.index import commit_tree
from dulwich.objects import Blob, Commit, ObjectID
from dulwich.porcelain import reset
from dulwich.refs import HEADREF, Ref
from dulwich.repo import Repo

_AUTHOR = b"Demo Fleet <demo@example.net>"
_MODE = 0o100644
_MAIN = Ref(b"refs/heads/main")


@dataclass(frozen=True, slots=True)
class Change:
    """One commit: the files that it adds or replaces, by path."""

    on: date
    message: str
    files: Mapping[str, str]


def make_repository(path: Path, changes: Sequence[Change], origin: str) -> None:
    """Write a repository whose branch `main` holds the changes in their order.

    Args:
        path: a directory that does not exist yet.
        changes: oldest first, at least one.
        origin: the address of the remote, by which links lead to its files; it is never asked.
    """
    repository = Repo.init(str(path), mkdir=True)
    try:
        repository.refs.set_symbolic_ref(HEADREF, _MAIN)
        config = repository.get_config()
        config.set((b"remote", b"origin"), b"url", origin.encode())
        config.write_to_path()
        tree: dict[str, ObjectID] = {}
        parents: list[ObjectID] = []
        for change in changes:
            parents = [_commit(repository, change, tree, parents)]
        repository.refs[_MAIN] = parents[0]
        reset(repository, "hard")
    finally:
        repository.close()


def _commit(repository: Repo, change: Change, tree: dict[str, ObjectID], parents: list[ObjectID]) -> ObjectID:
    for name, text in change.files.items():
        blob = Blob.from_string(text.encode())
        repository.object_store.add_object(blob)
        tree[name] = blob.id
    commit = Commit()
    commit.tree = commit_tree(repository.object_store, [(name.encode(), blob, _MODE) for name, blob in tree.items()])
    commit.parents = list(parents)
    commit.author = commit.committer = _AUTHOR
    commit.author_time = commit.commit_time = int(datetime.combine(change.on, time(9, 30), UTC).timestamp())
    commit.author_timezone = commit.commit_timezone = 0
    commit.encoding = b"UTF-8"
    commit.message = change.message.encode()
    repository.object_store.add_object(commit)
    return commit.id
