"""The demo fleet: everything that `scorecard demo` looks at, started and stopped as one."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from scorecard.demo.backups import reports, write_dumps
from scorecard.demo.catalogue import configuration, service_files
from scorecard.demo.certificates import Authority
from scorecard.demo.cloud import Cloud
from scorecard.demo.journal import Journal
from scorecard.demo.lessons import LESSONS, Lesson, Pages, Rules, Tls
from scorecard.demo.monitoring import Monitoring, Watched
from scorecard.demo.repositories import Change, make_repository
from scorecard.demo.series import Source
from scorecard.demo.servers import Server, Unreachable
from scorecard.demo.texts import (
    CACHES,
    DECISIONS,
    FORGE,
    Alert,
    Decision,
    decision_record,
    rule_file,
    runbook,
    runbook_url,
    wiki_sections,
)
from scorecard.demo.wiki import Part, page

_REVIEWED = timedelta(days=30)
_FIRST_COMMIT = timedelta(days=330)
_CERTIFICATES = {Tls.GOOD: 180.0, Tls.ENDING: 5.0}
"""Days that each is still valid."""


class Fleet:
    """Services that answer on loopback, their repositories, and a configuration that describes both.

    Entered, `directory` holds `scorecard.yaml` and all that it names; it is removed again unless `keep`.
    """

    def __init__(self, *, clock: Callable[[], datetime], listen: str = "127.0.0.1:8080", keep: bool = False) -> None:
        """Describe a fleet; entering the context starts it.

        Args:
            clock: the wall clock, UTC; logs are dated by it, and ages counted back from its time now.
            listen: where the scorecard itself will serve.
            keep: leave the directory when the fleet is stopped.
        """
        self._clock = clock
        self._now = clock()
        self._today = self._now.date()
        self._listen = listen
        self._keep = keep
        self._servers: dict[str, Server | Unreachable] = {}
        self._monitoring: Monitoring | None = None
        stages = {lesson.name: lesson.stage for lesson in LESSONS if lesson.stage is not None}
        self._cloud = Cloud(stages, clock)
        self._process = os.getpid()
        self.directory = Path()

    @property
    def urls(self) -> Mapping[str, str]:
        """Base address of each service that has one."""
        return {name: server.url for name, server in self._servers.items()}

    @property
    def config_file(self) -> Path:
        """The configuration to serve with."""
        return self.directory / "scorecard.yaml"

    def __enter__(self) -> Self:
        """Start every service and write every file."""
        self.directory = Path(tempfile.mkdtemp(prefix="scorecard-demo-"))
        try:
            self._make_servers()
            reviewed = self._today - _REVIEWED
            watching = {lesson.name: watched(lesson) for lesson in LESSONS}
            pages = wiki_pages(LESSONS, reviewed)
            self._monitoring = Monitoring(self.directory / "monitoring", watching, pages, self._clock)
            self._cloud.start()
            self._write(self._monitoring)
            for server in self._servers.values():
                server.start()
            self._monitoring.start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop every service and take the directory away; in a forked worker, which only looks on, nothing."""
        if os.getpid() == self._process:
            self._stop()

    def _make_servers(self) -> None:
        folder = self.directory / "certificates"
        folder.mkdir()
        authority = Authority(folder, self._now)
        (self.directory / "logs").mkdir()
        issued = {tls: authority.issue(tls.name.lower(), days) for tls, days in _CERTIFICATES.items()}
        for lesson in LESSONS:
            file = self.directory / "logs" / f"{lesson.name}.log"
            journal = Journal(file, lesson.name, lesson.habit, self._clock)
            if lesson.behaviour is not None:
                self._servers[lesson.name] = Server(lesson.behaviour, journal, issued.get(lesson.tls))
            elif not lesson.reached:
                self._servers[lesson.name] = Unreachable()

    def _stop(self) -> None:
        self._cloud.stop()
        if self._monitoring is not None:
            self._monitoring.stop()
            self._monitoring = None
        for server in self._servers.values():
            server.stop()
        self._servers.clear()
        if not self._keep:
            shutil.rmtree(self.directory, ignore_errors=True)

    def _write(self, monitoring: Monitoring) -> None:
        (self.directory / "services").mkdir()
        (self.directory / "repositories").mkdir()
        monitoring.rules.mkdir(parents=True)
        integrations = monitoring.integrations() | {"aws": [self._cloud.integration()]}
        self.config_file.write_text(configuration(self._listen, integrations), encoding="utf-8")
        for path, text in service_files(self.urls, self._today).items():
            (self.directory / path).write_text(text, encoding="utf-8")
        wiki = monitoring.wiki.url
        for lesson in LESSONS:
            if not lesson.stateless:
                write_dumps(self.directory / "dumps", lesson.name, lesson.keeping, self._now)
        for name in dict.fromkeys(lesson.repository for lesson in LESSONS):
            lessons = tuple(lesson for lesson in LESSONS if lesson.repository == name)
            changes = (*repository_changes(lessons, self._today, wiki), _drills(lessons, self._now))
            make_repository(self.directory / "repositories" / name, changes, f"{FORGE}/{name}")
        for file, text in deployed_rules(LESSONS, wiki).items():
            (monitoring.rules / file).write_text(text, encoding="utf-8")


def _drills(lessons: tuple[Lesson, ...], now: datetime) -> Change:
    """The drill reports of a repository, committed yesterday."""
    files = {
        f"{lesson.folder}{path}": text
        for lesson in lessons
        if not lesson.stateless
        for path, text in reports(lesson.name, lesson.keeping, now).items()
    }
    return Change(now.date() - timedelta(days=1), "Report the restore drills", files)


def watched(lesson: Lesson) -> Watched:
    """How monitoring sees a service."""
    return Watched(Source(lesson.type, lesson.caches), lesson.screen, lesson.heard)


def repository_changes(lessons: tuple[Lesson, ...], today: date, wiki: str) -> tuple[Change, ...]:
    """The history of a repository: a first commit, a commit per decision, and one that reviews the runbooks."""
    first = {"README.md": f"# {lessons[0].repository}\n\nPart of the demo fleet of Readiness Scorecard.\n"}
    for lesson in lessons:
        first[f"{lesson.folder}src/app.py"] = f'"""{lesson.name}"""\n'
    changes = [Change(today - _FIRST_COMMIT, "Begin", first)]
    records = max(lesson.records for lesson in lessons)
    changes += [_decided(decision, lessons, today) for decision in DECISIONS[:records]]
    reviewed = today - _REVIEWED
    changes.append(Change(reviewed, "Review alerts and runbooks", _operations(lessons, reviewed, wiki)))
    return tuple(sorted(changes, key=lambda change: change.on))


def _decided(decision: Decision, lessons: tuple[Lesson, ...], today: date) -> Change:
    day = today - timedelta(days=decision.age)
    text = decision_record(decision, day)
    files = {f"{lesson.folder}docs/adr/{decision.number:04}-{decision.slug}.md": text for lesson in lessons}
    return Change(day, f"Decide: {decision.title.lower()}", files)


def _operations(lessons: tuple[Lesson, ...], reviewed: date, wiki: str) -> dict[str, str]:
    files = {}
    for lesson in lessons:
        if lesson.rules is not Rules.SHARED:
            files[f"{lesson.folder}deploy/alerts/{lesson.name}.yaml"] = _rules_of(lesson, wiki)
        for alert in lesson.alerts if lesson.site is None else ():
            if alert.runbook:
                files[f"{lesson.folder}runbooks/{alert.runbook}"] = runbook(
                    lesson.name,
                    alert,
                    reviewed,
                    names_alert=lesson.pages is not Pages.NAMES_ANOTHER_ALERT,
                    unfinished=lesson.pages is Pages.UNFINISHED,
                )
    return files


def _rules_of(lesson: Lesson, wiki: str) -> str:
    def link(alert: Alert) -> str:
        if lesson.site is not None:
            return f"{wiki}{lesson.site}{alert.name}"
        return runbook_url(lesson.name, alert.runbook, lesson.folder)

    return rule_file(lesson.name, lesson.alerts, link, service=lesson.name)


def deployed_rules(lessons: tuple[Lesson, ...], wiki: str) -> dict[str, str]:
    """The rule files that Prometheus has, by name."""
    files = {f"{one.name}.yaml": _rules_of(one, wiki) for one in lessons if one.rules is Rules.DEPLOYED}
    shared = rule_file("shared", (CACHES,), lambda alert: f"{wiki}{Part.WIKI}{alert.name}")
    return files | {"shared.yaml": shared}


def wiki_pages(lessons: tuple[Lesson, ...], reviewed: date) -> dict[str, str]:
    """The pages of the wiki, HTML by path."""
    day = reviewed.isoformat()
    pages = {f"{Part.WIKI}{CACHES.name}": page(CACHES.name, day, wiki_sections("thumbnails", CACHES.summary))}
    for lesson in lessons:
        for alert in lesson.alerts if lesson.site is not None and lesson.pages is not Pages.MISSING else ():
            title = "What to do when it is slow" if lesson.pages is Pages.NAMES_ANOTHER_ALERT else alert.name
            pages[f"{lesson.site}{alert.name}"] = page(title, day, wiki_sections(lesson.name, alert.summary))
    return pages
