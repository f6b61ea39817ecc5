"""Reading objects: what is listed, what is skipped, where a directory belongs, and when a path last changed."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import pytest
from dulwich.objects import Blob, Commit, Tree
from dulwich.repo import Repo

from scorecard.model import Cause
from scorecard.probes.repository import objects
from scorecard.probes.repository.history import last_changed
from scorecard.probes.repository.objects import list_files, locate, read_file
from scorecard.probes.repository.questions import (
    File,
    LastChanged,
    ListFiles,
    Listing,
    Locate,
    Located,
    Source,
    UnreadableError,
)


class GitRepository(Protocol):
    """The fixture's work tree."""

    path: Path

    def git(self, *arguments: str, at: str = ...) -> str: ...
    def write(self, files: Mapping[str, str | bytes]) -> None: ...
    def commit(self, files: Mapping[str, str | bytes], *, at: str = ...) -> str: ...


def where(path: Path, branch: str = "") -> Located:
    return locate(Locate(str(path), branch))


def listed(path: Path, under: str = "", *, deep: bool = True) -> Listing:
    return list_files(ListFiles(where(path).source, under, deep))


def content(path: Path, name: str) -> bytes:
    source = where(path).source
    return read_file(File(source, name, list_files(ListFiles(source)).files[name]))


class TestLocate:
    def test_the_checked_out_head_is_read_and_not_the_work_tree(self, repository: GitRepository) -> None:
        commit = repository.commit({"a.md": "committed"})
        repository.write({"a.md": "changed", "b.md": "new"})
        found = where(repository.path)
        assert found.source == Source(str(repository.path), commit)
        assert list(listed(repository.path).files) == ["a.md"]
        assert content(repository.path, "a.md") == b"committed"

    def test_a_named_branch_is_read_whatever_is_checked_out(self, repository: GitRepository) -> None:
        main = repository.commit({"a.md": "1"})
        repository.git("checkout", "-q", "-b", "topic")
        topic = repository.commit({"a.md": "2"})
        assert where(repository.path).source.commit == topic
        assert where(repository.path, "main").source.commit == main
        with pytest.raises(UnreadableError, match="no branch 'gone'"):
            where(repository.path, "gone")

    def test_a_folder_of_a_repository_keeps_its_place_in_it(self, repository: GitRepository) -> None:
        repository.commit({"services/payments/a.md": "1"})
        found = where(repository.path / "services" / "payments")
        assert (found.source.directory, found.prefix) == (str(repository.path), "services/payments")

    def test_an_uncommitted_folder_inside_a_work_tree_is_plain_files(self, repository: GitRepository) -> None:
        repository.commit({"a.md": "1"})
        repository.write({"scratch/b.md": "2"})
        assert where(repository.path / "scratch").source == Source(str(repository.path / "scratch"))

    def test_a_linked_work_tree_is_read_through_its_gitfile(self, repository: GitRepository, tmp_path: Path) -> None:
        repository.commit({"a.md": "1"})
        repository.git("worktree", "add", "-q", "-b", "other", str(tmp_path / "linked"))
        assert (tmp_path / "linked" / ".git").is_file()
        assert list(listed(tmp_path / "linked").files) == ["a.md"]

    def test_packed_objects_and_refs_are_read(self, repository: GitRepository) -> None:
        repository.commit({"a.md": "1"})
        repository.commit({"b.md": "2"})
        repository.git("gc", "-q", "--prune=now")
        assert not (repository.path / ".git" / "refs" / "heads" / "main").exists()
        assert sorted(listed(repository.path).files) == ["a.md", "b.md"]
        assert content(repository.path, "b.md") == b"2"

    def test_a_detached_head_is_read(self, repository: GitRepository) -> None:
        first = repository.commit({"a.md": "1"})
        repository.commit({"a.md": "2"})
        repository.git("checkout", "-q", first)
        assert where(repository.path).source.commit == first

    def test_what_others_call_it_is_known(self, repository: GitRepository) -> None:
        repository.commit({"a.md": "1"})
        repository.git("remote", "add", "origin", "git@github.com:example/payments.git")
        assert where(repository.path).origin == "git@github.com:example/payments.git"

    def test_a_repository_without_a_commit_has_no_data(self, repository: GitRepository) -> None:
        with pytest.raises(UnreadableError, match="no commit yet") as caught:
            where(repository.path)
        assert caught.value.cause is Cause.NO_DATA

    def test_no_such_directory_is_unreachable(self, tmp_path: Path) -> None:
        with pytest.raises(UnreadableError) as caught:
            where(tmp_path / "gone")
        assert caught.value.cause is Cause.UNREACHABLE

    def test_a_damaged_repository_is_a_bad_response(self, repository: GitRepository) -> None:
        repository.commit({"a.md": "1"})
        (repository.path / ".git" / "config").write_bytes(b"\xff\x00[[[")
        with pytest.raises(UnreadableError) as caught:
            where(repository.path)
        assert caught.value.cause is Cause.BAD_RESPONSE


class TestListing:
    def test_links_and_submodules_are_counted_and_not_followed(self, repository: GitRepository, tmp_path: Path) -> None:
        (tmp_path / "secret").write_text("outside")
        repository.write({"docs/a.md": "1"})
        (repository.path / "docs" / "link.md").symlink_to(tmp_path / "secret")
        (repository.path / "docs" / "loop").symlink_to("../docs")
        repository.git("add", "-A")
        repository.git("update-index", "--add", "--cacheinfo", "160000," + "1" * 40 + ",vendor/lib")
        repository.git("commit", "-q", "-m", "x")
        found = listed(repository.path)
        assert list(found.files) == ["docs/a.md"]
        assert (found.symlinks, found.submodules) == (2, 1)

    def test_one_folder_alone(self, repository: GitRepository) -> None:
        repository.commit({"docs/a.md": "1", "docs/adr/b.md": "2", "c.md": "3"})
        found = listed(repository.path, "docs", deep=False)
        assert list(found.files) == ["docs/a.md"]
        assert found.folders == ("docs/adr",)
        assert listed(repository.path, "nowhere") == Listing()
        assert listed(repository.path, "c.md") == Listing()

    def test_names_that_cannot_be_shown_are_counted(self, repository: GitRepository) -> None:
        repository.commit({"good.md": "1"})
        with Repo(str(repository.path)) as made:
            blob = Blob.from_string(b"x")
            tree = Tree()
            for name in (b"good.md", b"esc\x1b[31m.md", b"latin\xe9.md", b"new\nline.md"):
                tree.add(name, 0o100644, blob.id)
            commit = _commit(tree.id)
            for thing in (blob, tree, commit):
                made.object_store.add_object(thing)
            made.refs[b"refs/heads/main"] = commit.id
        found = listed(repository.path)
        assert list(found.files) == ["good.md"]
        assert found.unnameable == 3

    def test_a_tree_that_holds_itself_many_times_over_is_cut(
        self, repository: GitRepository, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Ten levels of ten equal folders are 10,000,000,000 files in eleven objects."""
        repository.commit({"a": "1"})
        monkeypatch.setattr(objects, "MAX_FOLDERS", 2_000)
        with Repo(str(repository.path)) as made:
            blob = Blob.from_string(b"x")
            made.object_store.add_object(blob)
            below, mode = blob.id, 0o100644
            for _ in range(10):
                tree = Tree()
                for index in range(10):
                    tree.add(f"d{index}".encode(), mode, below)
                made.object_store.add_object(tree)
                below, mode = tree.id, 0o040000
            commit = _commit(below)
            made.object_store.add_object(commit)
            made.refs[b"refs/heads/main"] = commit.id
        found = listed(repository.path)
        assert found.cut
        assert len(found.files) < objects.MAX_FILES

    def test_more_files_than_are_listed_are_cut_and_it_says_so(
        self, repository: GitRepository, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(objects, "MAX_FILES", 5)
        repository.commit({f"deep/er/{index}.md": "1" for index in range(9)} | {"top.md": "1"})
        found = listed(repository.path)
        assert found.cut
        assert "top.md" in found.files, "shallow files come first"
        assert len(found.files) == 5


class TestReading:
    def test_a_file_over_one_mebibyte_is_refused(self, repository: GitRepository) -> None:
        repository.commit({"ok.md": "x" * (1 << 20), "big.md": "x" * ((1 << 20) + 1)})
        assert len(content(repository.path, "ok.md")) == 1 << 20
        with pytest.raises(UnreadableError, match="1,048,577 bytes") as caught:
            content(repository.path, "big.md")
        assert caught.value.cause is Cause.BAD_RESPONSE

    def test_a_pointer_of_lfs_is_not_the_file(self, repository: GitRepository) -> None:
        repository.commit({"a.md": "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"})
        with pytest.raises(UnreadableError, match="LFS") as caught:
            content(repository.path, "a.md")
        assert caught.value.cause is Cause.NOT_SUPPORTED

    def test_an_object_that_is_not_in_the_clone_is_no_data(self, repository: GitRepository) -> None:
        repository.commit({"a.md": "1"})
        with pytest.raises(UnreadableError, match="not in the clone"):
            read_file(File(where(repository.path).source, "a.md", "0" * 40))

    def test_at_most_200_mebibytes_of_a_repository_are_read(
        self, repository: GitRepository, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(objects, "MAX_TOTAL", 25)
        repository.commit({"a.md": "x" * 10, "b.md": "y" * 10})
        source = where(repository.path).source
        files = list_files(ListFiles(source)).files
        read_file(File(source, "a.md", files["a.md"]))
        read_file(File(source, "b.md", files["b.md"]))
        with pytest.raises(UnreadableError, match="MiB of this repository"):
            read_file(File(source, "a.md", files["a.md"]))
        where(repository.path)
        assert read_file(File(source, "a.md", files["a.md"])), "another run may read again"


class TestPlainFolders:
    def test_files_are_listed_without_what_tools_left(self, tmp_path: Path) -> None:
        for name in ("a.md", "docs/b.md", "node_modules/x/c.md", ".venv/d.md"):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text("x")
        found = listed(tmp_path)
        assert sorted(found.files) == ["a.md", "docs/b.md"]
        assert set(found.files.values()) == {""}

    def test_links_pipes_and_devices_are_never_opened(self, tmp_path: Path) -> None:
        (tmp_path / "link.md").symlink_to("/etc/passwd")
        (tmp_path / "up").symlink_to("..")
        os.mkfifo(tmp_path / "pipe.md")
        found = listed(tmp_path)
        assert found.files == {}
        assert found.symlinks == 2
        for name in ("link.md", "pipe.md"):
            with pytest.raises(UnreadableError):
                read_file(File(Source(str(tmp_path)), name))

    def test_there_is_no_history(self, tmp_path: Path) -> None:
        with pytest.raises(UnreadableError, match="not a git repository: dates by git are missing"):
            last_changed(LastChanged(Source(str(tmp_path)), ("a.md",)))


def _commit(tree: bytes) -> Commit:
    made = Commit()
    made.tree = tree
    made.author = made.committer = b"Ann <ann@example.net>"
    made.author_time = made.commit_time = 1_780_000_000
    made.author_timezone = made.commit_timezone = 0
    made.message = b"x"
    return made


class TestHistory:
    @staticmethod
    def changed(repository: GitRepository, *paths: str, **how: object) -> dict[str, str]:
        found = last_changed(LastChanged(where(repository.path).source, paths, **how))
        return {path: _day(at) for path, at in found.at.items()}

    def test_the_newest_commit_that_touched_each_path(self, repository: GitRepository) -> None:
        repository.commit({"a.md": "1", "b/c.md": "1"}, at="2026-01-01T12:00:00+00:00")
        repository.commit({"b/c.md": "2"}, at="2026-02-01T12:00:00+00:00")
        repository.commit({"d.md": "1"}, at="2026-03-01T12:00:00+00:00")
        assert self.changed(repository, "a.md", "b/c.md", "d.md") == {
            "a.md": "2026-01-01",
            "b/c.md": "2026-02-01",
            "d.md": "2026-03-01",
        }

    def test_a_merge_is_no_change_of_its_own(self, repository: GitRepository) -> None:
        repository.commit({"a.md": "1", "b.md": "1"}, at="2026-01-01T12:00:00+00:00")
        repository.git("checkout", "-q", "-b", "topic")
        repository.commit({"a.md": "2"}, at="2026-02-01T12:00:00+00:00")
        repository.git("checkout", "-q", "main")
        repository.commit({"b.md": "2"}, at="2026-03-01T12:00:00+00:00")
        repository.git("merge", "-q", "--no-ff", "-m", "merge", "topic", at="2026-04-01T12:00:00+00:00")
        assert self.changed(repository, "a.md", "b.md") == {"a.md": "2026-02-01", "b.md": "2026-03-01"}

    @pytest.mark.parametrize("seed", range(4))
    def test_it_agrees_with_git_log_on_random_histories(self, repository: GitRepository, seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311 - a repeatable history
        names = [f"{folder}{name}.md" for folder in ("", "x/", "x/y/") for name in "abc"]
        for step in range(25):
            at = f"2026-01-{step + 1:02}T12:00:00+00:00"
            if step and chance.random() < 0.3:
                repository.git(
                    "checkout", "-q", "-b", f"b{step}", f"HEAD~{chance.randrange(1, 3)}" if step > 4 else "HEAD"
                )
                repository.commit({f"side/{step}.md": str(step)}, at=at)
                repository.git("checkout", "-q", "main")
                repository.git("merge", "-q", "--no-ff", "-m", "m", f"b{step}", at=at)
            else:
                chosen = chance.sample(names, chance.randrange(1, 4))
                repository.commit({name: f"{step} {name}" for name in chosen}, at=at)
        paths = repository.git("ls-files").splitlines()
        expected = {path: repository.git("log", "-1", "--format=%cs", "--", path) for path in paths}
        assert self.changed(repository, *paths) == expected

    def test_a_shallow_clone_says_where_it_ends(self, repository: GitRepository, tmp_path: Path) -> None:
        repository.commit({"a.md": "1"}, at="2026-01-01T12:00:00+00:00")
        repository.commit({"b.md": "1"}, at="2026-02-01T12:00:00+00:00")
        repository.commit({"b.md": "2"}, at="2026-03-01T12:00:00+00:00")
        repository.git("clone", "-q", "--depth", "2", f"file://{repository.path}", str(tmp_path / "shallow"))
        found = where(tmp_path / "shallow")
        assert found.shallow
        changes = last_changed(LastChanged(found.source, ("a.md", "b.md")))
        assert {path: _day(at) for path, at in changes.at.items()} == {"b.md": "2026-03-01"}
        assert "shallow" in changes.cut
        assert last_changed(LastChanged(found.source, ("b.md",))).cut == "", "what was found needs no older commits"

    @pytest.mark.parametrize(
        "name",
        ["main.tf", "infra/rds.tf.json", "compose.yaml", "docker-compose.prod.yml", "chart/Chart.yaml", "Dockerfile"],
    )
    def test_structure_is_known_by_name(self, repository: GitRepository, name: str) -> None:
        repository.commit({name: "1", "a.md": "1"}, at="2026-01-01T12:00:00+00:00")
        repository.commit({"a.md": "2", "main.py": "1"}, at="2026-03-01T12:00:00+00:00")
        found = last_changed(LastChanged(where(repository.path).source, ("a.md",), structural=()))
        assert (found.structure and _day(found.structure)) == "2026-01-01"

    def test_structure_that_was_removed_counts_and_that_of_other_folders_does_not(
        self, repository: GitRepository
    ) -> None:
        repository.commit({"pay/main.tf": "1", "ledger/main.tf": "1"}, at="2026-01-01T12:00:00+00:00")
        repository.git("rm", "-q", "pay/main.tf")
        repository.commit({}, at="2026-02-01T12:00:00+00:00")
        repository.commit({"ledger/main.tf": "2"}, at="2026-03-01T12:00:00+00:00")
        source = where(repository.path).source
        within = last_changed(LastChanged(source, (), structural=(), within="pay"))
        assert (within.structure and _day(within.structure)) == "2026-02-01"
        assert last_changed(LastChanged(source, (), structural=(), within="docs")).structure is None

    def test_a_commit_of_more_files_than_are_compared_ends_the_walk_and_says_so(
        self, repository: GitRepository, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("scorecard.probes.repository.history.MAX_TOUCHED", 3)
        repository.commit({f"{index}.md": "1" for index in range(9)})
        repository.commit({"0.md": "2"})
        found = last_changed(LastChanged(where(repository.path).source, ("0.md", "1.md")))
        assert set(found.at) == {"0.md"}
        assert "touches more than 3 files" in found.cut

    def test_a_second_question_about_the_same_history_gets_the_same_answer(self, repository: GitRepository) -> None:
        repository.commit({"a.md": "1", "b.md": "1"}, at="2026-01-01T12:00:00+00:00")
        repository.commit({"b.md": "2"}, at="2026-02-01T12:00:00+00:00")
        assert self.changed(repository, "b.md") == {"b.md": "2026-02-01"}
        assert self.changed(repository, "a.md", "b.md") == {"a.md": "2026-01-01", "b.md": "2026-02-01"}

    def test_a_history_that_is_too_long_is_cut_and_says_so(
        self, repository: GitRepository, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("scorecard.probes.repository.history.MAX_COMMITS", 3)
        repository.commit({"old.md": "1"})
        for index in range(4):
            repository.commit({"new.md": str(index)})
        found = last_changed(LastChanged(where(repository.path).source, ("old.md", "new.md")))
        assert set(found.at) == {"new.md"}
        assert "newest 3 commits" in found.cut


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    """Repositories are opened once in a child; here every test has its own."""
    yield
    objects.objects_of.cache_clear()
