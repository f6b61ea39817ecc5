"""Repositories that were laid as traps for whoever opens them: each is read or refused in time, and nothing is run.

What a work tree's configuration, hooks and filters could run is in `test_isolation`; here are objects, references and
files of `.git` that no git would have written.
"""

from __future__ import annotations

import os
import struct
import subprocess
import time
import zlib
from collections.abc import Callable, Mapping
from hashlib import sha1
from pathlib import Path
from typing import Any, Protocol

import pytest

from scorecard.evidence import DecisionRecords, RepositoryHead, Unavailable
from scorecard.model import Cause, Repository, Service, Spec
from scorecard.probes import Upstream
from scorecard.probes.repository import DecisionRecordsProbe, Repositories

RECORD = "# 1. A\n\nDate: 2026-01-01\n\n## Status\n\nAccepted\n"
PATH = "docs/adr/0001-a.md"


class GitRepository(Protocol):
    """The fixture's work tree."""

    path: Path

    def git(self, *arguments: str, at: str = ..., **more: str) -> str: ...
    def write(self, files: Mapping[str, str | bytes]) -> None: ...
    def commit(self, files: Mapping[str, str | bytes], *, at: str = ...) -> str: ...


Asked = Callable[..., Any]
Trap = Callable[[GitRepository], None]
TRAPS: dict[str, Trap] = {}


def trap(lay: Trap) -> Trap:
    TRAPS[lay.__name__.removeprefix("_").replace("_", " ")] = lay
    return lay


def loose(repository: GitRepository, kind: str, body: bytes) -> str:
    """Write an object as it is, without git's own checks."""
    data = f"{kind} {len(body)}\0".encode() + body
    name = sha1(data, usedforsecurity=False).hexdigest()
    folder = repository.path / ".git" / "objects" / name[:2]
    folder.mkdir(exist_ok=True)
    (folder / name[2:]).write_bytes(zlib.compress(data, 1))
    return name


def entry(mode: str, name: bytes, sha: str) -> bytes:
    return f"{mode} ".encode() + name + b"\0" + bytes.fromhex(sha)


def head_with(repository: GitRepository, tree: bytes, *, header: bytes = b"") -> None:
    """Make a tree of these bytes, and a commit of it, the head."""
    top = loose(repository, "tree", tree)
    who = b"A <a@example.net> 1780000000 +0000"
    body = b"tree " + top.encode() + b"\nauthor " + who + b"\ncommitter " + (header or who) + b"\n\nx\n"
    (repository.path / ".git" / "refs" / "heads" / "main").write_text(loose(repository, "commit", body) + "\n")


def git_file(repository: GitRepository, name: str) -> Path:
    path = repository.path / ".git" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    return path


# --- files of .git that are something else ---------------------------------------------------------------------------


@trap
def _a_pipe_as_head(repository: GitRepository) -> None:
    os.mkfifo(git_file(repository, "HEAD"))


@trap
def _a_pipe_as_the_configuration(repository: GitRepository) -> None:
    os.mkfifo(git_file(repository, "config"))


@trap
def _a_pipe_as_a_branch(repository: GitRepository) -> None:
    os.mkfifo(git_file(repository, "refs/heads/main"))


@trap
def _a_pipe_as_packed_references(repository: GitRepository) -> None:
    git_file(repository, "refs/heads/main")
    os.mkfifo(git_file(repository, "packed-refs"))


@trap
def _an_endless_device_as_the_configuration(repository: GitRepository) -> None:
    git_file(repository, "config").symlink_to("/dev/zero")


@trap
def _a_configuration_that_includes_itself(repository: GitRepository) -> None:
    git_file(repository, "config").write_text("[core]\n\tbare = false\n[include]\n\tpath = config\n")


@trap
def _a_configuration_that_includes_a_pipe(repository: GitRepository) -> None:
    os.mkfifo(repository.path / ".git" / "pipe")
    git_file(repository, "config").write_text("[core]\n\tbare = false\n[include]\n\tpath = pipe\n")


@trap
def _a_branch_that_points_to_itself(repository: GitRepository) -> None:
    git_file(repository, "refs/heads/main").write_text("ref: refs/heads/main\n")


@trap
def _a_head_that_leads_out(repository: GitRepository) -> None:
    git_file(repository, "HEAD").write_text("ref: ../../../../etc/passwd\n")


@trap
def _packed_references_of_many_megabytes(repository: GitRepository) -> None:
    git_file(repository, "refs/heads/main")
    git_file(repository, "packed-refs").write_bytes(b"# pack-refs with: peeled\n" + b"0" * (64 << 20))


@trap
def _alternates_in_a_circle(repository: GitRepository) -> None:
    objects = repository.path / ".git" / "objects"
    git_file(repository, "objects/info/alternates").write_text(f"{objects}\n../objects\n")


@trap
def _a_pipe_as_alternates(repository: GitRepository) -> None:
    os.mkfifo(git_file(repository, "objects/info/alternates"))


@trap
def _grafts_and_shallow_of_nonsense(repository: GitRepository) -> None:
    git_file(repository, "info/grafts").write_bytes(b"\xff\xfe not an id\n" * 100)
    git_file(repository, "shallow").write_bytes(b"zz\n" * 100)


@trap
def _a_gitfile_that_points_at_itself(repository: GitRepository) -> None:
    (repository.path / ".git").rename(repository.path / ".moved")
    (repository.path / ".git").write_text("gitdir: .git\n")


@trap
def _a_partial_clone_whose_promisor_runs_a_program(repository: GitRepository) -> None:
    marker = repository.path.parent / "marker"
    with (repository.path / ".git" / "config").open("a") as config:
        config.write(f'[remote "origin"]\n\turl = ext::touch {marker}\n\tpromisor = true\n')
        config.write("[extensions]\n\tpartialClone = origin\n")
    blob = repository.git("rev-parse", f"HEAD:{PATH}")
    (repository.path / ".git" / "objects" / blob[:2] / blob[2:]).unlink()


# --- objects ---------------------------------------------------------------------------------------------------------


@trap
def _a_replaced_commit(repository: GitRepository) -> None:
    good = repository.git("rev-parse", "HEAD")
    repository.commit({PATH: "replaced"})
    git_file(repository, f"refs/replace/{good}").write_text(repository.git("rev-parse", "HEAD") + "\n")
    repository.git("update-ref", "refs/heads/main", good)


@trap
def _names_that_lead_out_of_a_tree(repository: GitRepository) -> None:
    blob = loose(repository, "blob", RECORD.encode())
    names = (b"..", b".", b".git", b"../../x", b"/etc/passwd", b"a\nb", b"C:\\x", b"-rf", b"\xff\xfe", b"CON", b"")
    head_with(repository, b"".join(entry("100644", name, blob) for name in names))


@trap
def _names_that_differ_in_case_alone_and_one_name_twice(repository: GitRepository) -> None:
    blob = loose(repository, "blob", RECORD.encode())
    head_with(repository, b"".join(entry("100644", name, blob) for name in (b"A.md", b"a.md", b"a.md")))


@trap
def _submodules_links_and_modes_that_do_not_exist(repository: GitRepository) -> None:
    blob = loose(repository, "blob", b"../../../../etc/passwd")
    modes = ("160000", "120000", "000000", "777777", "40000", "644")
    head_with(repository, b"".join(entry(mode, f"x{mode}".encode(), blob) for mode in modes))


@trap
def _a_tree_of_a_hundred_thousand_files(repository: GitRepository) -> None:
    blob = loose(repository, "blob", b"x")
    head_with(repository, b"".join(entry("100644", f"{number:06}".encode(), blob) for number in range(100_000)))


@trap
def _folders_five_thousand_deep(repository: GitRepository) -> None:
    tree = entry("100644", b"a.md", loose(repository, "blob", b"x"))
    for _ in range(5_000):
        tree = entry("40000", b"d", loose(repository, "tree", tree))
    head_with(repository, tree)


@trap
def _a_tree_that_breaks_off(repository: GitRepository) -> None:
    head_with(repository, b"100644 a.md\0" + b"\x01" * 7)


@trap
def _a_commit_from_the_end_of_time(repository: GitRepository) -> None:
    blob = loose(repository, "blob", RECORD.encode())
    docs = loose(repository, "tree", entry("100644", b"0001-a.md", blob))
    head_with(repository, entry("40000", b"adr", docs), header=b"A <a@example.net> 99999999999999999999 +9999")


@trap
def _a_parent_from_the_end_of_time(repository: GitRepository) -> None:
    _a_commit_from_the_end_of_time(repository)
    parent, tree = repository.git("rev-parse", "main"), repository.git("rev-parse", "main^{tree}")
    who = "A <a@example.net> 1780000000 +0000"
    body = f"tree {tree}\nparent {parent}\nauthor {who}\ncommitter {who}\n\nx\n"
    (repository.path / ".git" / "refs" / "heads" / "main").write_text(loose(repository, "commit", body.encode()) + "\n")


@trap
def _a_commit_without_a_committer(repository: GitRepository) -> None:
    made = loose(repository, "commit", b"tree " + b"0" * 40 + b"\n\nx\n")
    (repository.path / ".git" / "refs" / "heads" / "main").write_text(made + "\n")


@trap
def _a_tag_as_the_head(repository: GitRepository) -> None:
    made = loose(repository, "tag", b"object " + b"1" * 40 + b"\ntype tag\ntag x\n\nx\n")
    (repository.path / ".git" / "refs" / "heads" / "main").write_text(made + "\n")


@trap
def _an_object_that_lies_about_its_size(repository: GitRepository) -> None:
    blob = repository.git("rev-parse", f"HEAD:{PATH}")
    path = repository.path / ".git" / "objects" / blob[:2] / blob[2:]
    path.chmod(0o644)
    path.write_bytes(zlib.compress(b"blob 99999999999999\0x"))


@trap
def _a_pack_whose_delta_makes_gigabytes(repository: GitRepository) -> None:
    """A base of 64 KiB, and a delta whose copies add up to a gigabyte."""
    repository.git("repack", "-q", "-a", "-d")
    base = bytes(1 << 16)
    copies = b"\xb0\xff\xff" * (1 << 14)  # copy 65,535 bytes from the beginning, so often
    delta = _number(len(base)) + _number(0xFFFF * (1 << 14)) + copies
    blob = sha1(b"blob 65536\0" + base, usedforsecurity=False).digest()
    objects = [_packed(3, base, b""), _packed(7, delta, blob)]
    body = b"PACK" + struct.pack(">II", 2, len(objects)) + b"".join(objects)
    pack = body + sha1(body, usedforsecurity=False).digest()
    folder = repository.path / ".git" / "objects" / "pack"
    (folder / "pack-bomb.pack").write_bytes(pack)
    target = "ab" * 20
    offsets = {blob.hex(): 12, target: 12 + len(objects[0])}
    (folder / "pack-bomb.idx").write_bytes(_index(offsets, pack))
    docs = loose(repository, "tree", entry("100644", b"0001-a.md", target))
    head_with(repository, entry("40000", b"adr", docs))


def _number(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def _packed(kind: int, content: bytes, base: bytes) -> bytes:
    size, first = len(content), len(content) & 0xF
    size >>= 4
    out = bytes([kind << 4 | first | (0x80 if size else 0)])
    return out + (_number(size) if size else b"") + base + zlib.compress(content)


def _index(offsets: Mapping[str, int], pack: bytes) -> bytes:
    names = sorted(offsets)
    fan = b"".join(struct.pack(">I", sum(int(name[:2], 16) <= first for name in names)) for first in range(256))
    body = b"\xfftOc" + struct.pack(">I", 2) + fan + b"".join(map(bytes.fromhex, names))
    body += struct.pack(">I", 0) * len(names) + b"".join(struct.pack(">I", offsets[name]) for name in names)
    body += pack[-20:]
    return body + sha1(body, usedforsecurity=False).digest()


@trap
def _an_index_of_a_pack_that_is_nonsense(repository: GitRepository) -> None:
    repository.git("repack", "-q", "-a", "-d")
    for path in (repository.path / ".git" / "objects" / "pack").glob("*.idx"):
        path.chmod(0o644)
        path.write_bytes(b"\xfftOc" + b"\xff" * 2_000)


SLOW = frozenset(name for name in TRAPS if "pipe" in name)
"""They cost the deadline of a question each."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.faults] if name in SLOW else []) for name in TRAPS]
)
def test_a_repository_that_is_a_trap_is_read_or_refused_in_time(
    repository: GitRepository, ask: Asked, tmp_path: Path, name: str
) -> None:
    repository.commit({PATH: RECORD})
    TRAPS[name](repository)
    started = time.monotonic()
    answers = [ask(DecisionRecords), ask(RepositoryHead)]
    assert time.monotonic() - started < 40, "5 s for a question are promised on a machine of one's own"
    for answer in answers:
        if isinstance(answer, Unavailable):
            assert answer.cause in {Cause.BAD_RESPONSE, Cause.NO_DATA, Cause.NOT_SUPPORTED}, answer
        else:
            assert isinstance(answer, DecisionRecords | RepositoryHead)
    assert not (tmp_path / "marker").exists()


def test_a_good_repository_is_read_right_after_a_trap(repository: GitRepository, ask: Asked, tmp_path: Path) -> None:
    repository.commit({PATH: RECORD})
    other = tmp_path / "trap"
    subprocess.run(["git", "init", "-q", str(other)], check=True)
    (other / ".git" / "HEAD").unlink()
    os.mkfifo(other / ".git" / "HEAD")
    assert isinstance(ask(DecisionRecords, url=str(other)), Unavailable)
    assert len(ask(DecisionRecords).records) == 1


def test_what_a_replaced_commit_says_instead_is_not_believed(repository: GitRepository, ask: Asked) -> None:
    repository.commit({PATH: RECORD})
    _a_replaced_commit(repository)
    assert [record.state.value for record in ask(DecisionRecords).records] == ["accepted"], "git log would show another"


@pytest.mark.parametrize(
    ("url", "branch"),
    [
        ("--upload-pack=touch {marker}", None),
        ("-u{marker}", None),
        ("ext::touch {marker}", None),
        ("fd::17/foo", None),
        ("ssh://-oProxyCommand=touch${{IFS}}{marker}/x/y", None),
        ("ssh://git@-oProxyCommand=touch/x/y", None),
        ("-oProxyCommand=touch@127.0.0.1:x/y", None),
        ("ssh://-oProxyCommand=touch@127.0.0.1/x/y", None),
        ("ssh://git@127.0.0.1;touch {marker}/x/y", None),
        ("ssh://git@$(touch {marker})/x/y", None),
        ("https://127.0.0.1:1/x --upload-pack=touch", None),
        ("file://$(touch {marker})/x", None),
        ("{repository}", "--upload-pack=touch {marker}"),
        ("{repository}", "-c core.sshCommand=touch"),
        ("{repository}", "../../../etc/passwd"),
        ("{repository}", "main\n--exec=touch"),
        ("{repository}", "refs/heads/main^{{/.*}}"),
        ("{repository}", "\ud800"),
    ],
)
def test_an_address_or_a_branch_is_never_an_option_or_a_command(
    repository: GitRepository, repositories: Repositories, tmp_path: Path, url: str, branch: str | None
) -> None:
    repository.commit({PATH: RECORD})
    marker = tmp_path / "marker"
    places = {"marker": marker, "repository": repository.path}
    spec = Spec(repositories=(Repository(url=url.format(**places), default_branch=branch and branch.format(**places)),))
    ((_, answer),) = DecisionRecordsProbe(repositories).ask([Service(name="payments", spec=spec)], Upstream())
    assert isinstance(answer, Unavailable), answer
    assert answer.cause in {Cause.NOT_SUPPORTED, Cause.NOT_CONFIGURED, Cause.UNREACHABLE, Cause.NO_DATA}, answer
    assert not marker.exists()
