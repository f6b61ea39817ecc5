"""Real git repositories, made by git, and the probes asked about them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from scorecard.evidence import Alerts, Answer, DecisionRecords, Evidence, Observation, RepositoryHead, Runbooks
from scorecard.model import AlertsRef, Repository, Service, Spec
from scorecard.probes import Probe, Upstream
from scorecard.probes.repository import (
    AlertsProbe,
    DecisionRecordsProbe,
    Repositories,
    RepositoryHeadProbe,
    RunbooksProbe,
)
from scorecard.probes.repository.isolation import Worker

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@dataclass(frozen=True)
class GitRepository:
    """A work tree with the real git."""

    path: Path

    def git(self, *arguments: str, at: str = "2026-06-01T12:00:00+00:00", **more: str) -> str:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.path.parent),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": "Ann",
            "GIT_AUTHOR_EMAIL": "ann@example.net",
            "GIT_COMMITTER_NAME": "Ann",
            "GIT_COMMITTER_EMAIL": "ann@example.net",
            "GIT_AUTHOR_DATE": at,
            "GIT_COMMITTER_DATE": at,
            **more,
        }
        command = ["git", "-c", "protocol.file.allow=always", *arguments]
        done = subprocess.run(
            command, cwd=self.path, env=environment, check=True, capture_output=True, text=True, timeout=60
        )
        return done.stdout.strip()

    def write(self, files: Mapping[str, str | bytes]) -> None:
        for name, content in files.items():
            file = self.path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content.encode() if isinstance(content, str) else content)

    def commit(self, files: Mapping[str, str | bytes], *, at: str = "2026-06-01T12:00:00+00:00") -> str:
        self.write(files)
        self.git("add", "-A", at=at)
        self.git("commit", "-q", "--allow-empty", "-m", "change", at=at)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> GitRepository:
    """An empty repository on branch main."""
    path = tmp_path / "payments"
    path.mkdir()
    made = GitRepository(path)
    made.git("init", "-q", "-b", "main")
    return made


@pytest.fixture(scope="session")
def worker() -> Iterator[Worker]:
    """One child for all tests; it starts again by itself when a test kills it."""
    made = Worker()
    yield made
    made.close()


@pytest.fixture
def repositories(tmp_path: Path, worker: Worker) -> Repositories:
    """What opens repositories, with a cache of its own."""
    return Repositories(base=tmp_path, cache=tmp_path / "cache", environment=os.environ, worker=worker)


@dataclass(frozen=True)
class Asker:
    """Asks the probes of one run, the needed ones first."""

    probes: tuple[Probe, ...]

    def __call__(self, kind: type[Evidence], service: Service) -> Answer:
        known: dict = {}
        for probe in self.probes:
            for key, answer in probe.ask([service], Upstream(known)):
                known[key, probe.answers] = Observation(probe.answers, NOW, answer)
        return known[service.key, kind].value


@pytest.fixture
def asking(repositories: Repositories) -> Asker:
    """The shipped probes over the shared child."""
    severities = {"page": ("critical", "page"), "ticket": ("warning", "ticket"), "info": ("info",)}
    return Asker(
        (
            RepositoryHeadProbe(repositories),
            DecisionRecordsProbe(repositories),
            AlertsProbe(repositories, severities),
            RunbooksProbe(repositories),
        )
    )


Ask = Callable[..., Answer]


@pytest.fixture
def ask(asking: Asker, repository: GitRepository) -> Ask:
    """`ask(kind, url=..., path=..., alerts=(glob, ...), runbooks=(...))` of a service in the repository."""

    def asked(
        kind: type[Evidence],
        *,
        url: str | None = None,
        path: str = ".",
        branch: str | None = None,
        alerts: tuple[str | AlertsRef, ...] = (),
        runbooks: tuple[str, ...] = (),
    ) -> Answer:
        spec = Spec(
            repositories=(Repository(url=url or str(repository.path), path=path, default_branch=branch),),
            alerts=tuple(AlertsRef(files=ref) if isinstance(ref, str) else ref for ref in alerts),
            runbooks=runbooks,
        )
        return asking(kind, Service(name="payments", spec=spec))

    return asked


@pytest.fixture
def records(ask: Ask) -> Callable[..., DecisionRecords]:
    """The decision records; anything else is a failure."""
    return lambda **how: _sure(DecisionRecords, ask(DecisionRecords, **how))


@pytest.fixture
def alerts(ask: Ask) -> Callable[..., Alerts]:
    """The alerts; anything else is a failure."""
    return lambda *globs, **how: _sure(Alerts, ask(Alerts, alerts=globs, **how))


@pytest.fixture
def runbooks(ask: Ask) -> Callable[..., Runbooks]:
    """The runbooks; anything else is a failure."""
    return lambda *globs, **how: _sure(Runbooks, ask(Runbooks, alerts=globs, **how))


@pytest.fixture
def head(ask: Ask) -> Callable[..., RepositoryHead]:
    """The head; anything else is a failure."""
    return lambda **how: _sure(RepositoryHead, ask(RepositoryHead, **how))


def _sure(kind: type[Evidence], answer: Answer) -> Evidence:
    assert isinstance(answer, kind), answer
    return answer
