"""Asks for the runbooks that `Runbooks` leaves: those of live alerts, and pages outside of its repositories."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from scorecard.evidence import (
    Absent,
    AlertRunbook,
    Alerts,
    Answer,
    Evidence,
    Exhibit,
    LiveAlerts,
    RunbookFound,
    RunbookPage,
    RunbookPages,
    Runbooks,
    Unavailable,
)
from scorecard.evidence.repository import plain_name
from scorecard.model import Cause, Repository, Service, ServiceKey, Spec
from scorecard.probes import Upstream
from scorecard.probes.repository.addresses import identity
from scorecard.probes.repository.checkouts import Holding, Repositories
from scorecard.probes.repository.links import InRepository, Relative, has_anchor, read_link
from scorecard.probes.repository.questions import ParsedPage, ReadSitePage, UnreadableError
from scorecard.probes.repository.runbooks import Search, dated, follow, orphans_of
from scorecard.probes.repository.sites import SitePage, Sites, below, shown

_LINKS_OF_A_PAGE = 30
_LINKS = 500
"""Inner links of all pages that are asked for in one run."""
_PAGES_SHOWN = 5
"""Pages whose text goes along with the verdict."""
_NONE = Absent("no alert leads outside of the service's repositories")


@dataclass(slots=True)
class _Draft:
    """What is known of one service before any site is asked."""

    links: list[AlertRunbook] = field(default_factory=list)
    orphans: tuple[str, ...] = ()
    missing: list[Unavailable] = field(default_factory=list)
    history_missing: list[Unavailable] = field(default_factory=list)
    shown: list[Exhibit] = field(default_factory=list)
    """The text of files that were read."""

    @property
    def urls(self) -> Iterator[str]:
        """Addresses that only their site can answer."""
        return (link.url for link in self.links if link.found is RunbookFound.NOT_ASKED)


@dataclass
class RunbookPagesProbe:
    """Asks for each page once for all services, each site also for an address that cannot exist."""

    repositories: Repositories
    sites: Sites
    name: str = "runbook-pages"
    answers: type[Evidence] = RunbookPages
    needs: tuple[type[Evidence], ...] = (Alerts, LiveAlerts, Runbooks)
    due_every: timedelta | None = timedelta(hours=1)
    """An alert that is new is followed within the hour, and a wiki is not asked for all its runbooks every minute."""

    def ask(self, services: Sequence[Service], upstream: Upstream) -> Iterator[tuple[ServiceKey, Answer]]:
        """Answer for each service."""
        known = _Known(self.repositories, services)
        drafts: dict[ServiceKey, _Draft] = {}
        for service in services:
            live, runbooks = upstream.answer(service.key, LiveAlerts), upstream.answer(service.key, Runbooks)
            answer = self._draft(service, live, runbooks, known)
            if isinstance(answer, _Draft):
                drafts[service.key] = answer
            else:
                yield service.key, answer
        pages = self.sites.pages(url for draft in drafts.values() for url in draft.urls)
        reading = _Reading(self.repositories, pages, _names(drafts.values()))
        gone = self.sites.gone(reading.inner())
        for key, draft in drafts.items():
            links = tuple(reading.link(link, gone) for link in draft.links)
            mine = {url: pages[url] for url in (one.partition("#")[0] for one in draft.urls)}
            yield (
                key,
                RunbookPages(
                    links=links,
                    orphans=draft.orphans,
                    missing=tuple(draft.missing),
                    history_missing=tuple(draft.history_missing),
                    exhibits=(*((_exhibit(mine), *reading.shown(mine)) if mine else ()), *draft.shown),
                ),
            )

    def _draft(self, service: Service, live: Answer, runbooks: Answer, known: _Known) -> _Draft | Answer:
        draft = _Draft()
        if isinstance(live, Unavailable):
            draft.missing.append(live)
        done: set[tuple[str, str]] = set()
        if isinstance(runbooks, Runbooks):
            done = {(plain_name(link.name), link.url) for link in runbooks.links}
            draft.links += [self._known(link, known) for link in runbooks.links if link.found is RunbookFound.NOT_ASKED]
            draft.orphans = runbooks.orphans
        if isinstance(live, LiveAlerts):
            draft.missing += live.missing
            try:
                self._follow_live(service, live, done, draft, known)
            except UnreadableError as error:
                return Unavailable(error.cause, error.detail)
        if not draft.links and not isinstance(live, LiveAlerts):
            if draft.missing:
                return draft.missing[0]
            return runbooks if isinstance(runbooks, Unavailable) else _NONE
        return draft

    def _follow_live(
        self,
        service: Service,
        live: LiveAlerts,
        done: set[tuple[str, str]],
        draft: _Draft,
        known: _Known,
    ) -> None:
        """Links of live alerts into the service's repositories, as those of rule files are followed."""
        rules = [rule for rule in live.alerts if (rule.name, rule.rendered_runbook_url or rule.runbook_url) not in done]
        holdings: tuple[Holding, ...] = ()
        if service.spec.repositories:
            holdings, unopened = self.repositories.of(service)
            draft.missing += unopened
        search = Search(service, holdings, rules)
        links = dated(search, tuple(follow(search, rule) for rule in rules))
        draft.history_missing += search.history_missing
        draft.shown += search.shown.values()
        used = {name for _, name in search.used}
        left = draft.orphans or tuple(orphans_of(search))
        draft.orphans = tuple(name for name in left if name not in used)
        for link in links:
            if not service.spec.repositories and isinstance(read_link(link.url).place, Relative) and link.url:
                words = "the link is a path, and the service names no repository"
                link = replace(link, found=RunbookFound.UNREADABLE, cause=Cause.NOT_CONFIGURED, detail=words)  # noqa: PLW2901
            draft.links.append(self._known(link, known) if link.found is RunbookFound.NOT_ASKED else link)

    def _known(self, link: AlertRunbook, known: _Known) -> AlertRunbook:
        """A link into a repository that another service names, followed there."""
        place = read_link(link.url).place
        owner = known.owner(place.identity) if isinstance(place, InRepository) else None
        if owner is None:
            return link
        holdings, unopened = self.repositories.of(owner)
        if not holdings:
            return replace(link, found=RunbookFound.UNREADABLE, cause=unopened[0].cause, detail=unopened[0].detail)
        search = Search(owner, holdings, ())
        try:
            (found,) = dated(search, (follow(search, link),))
        except UnreadableError as error:
            return replace(link, found=RunbookFound.UNREADABLE, cause=error.cause, detail=error.detail)
        return replace(found, silences=link.silences)


class _Known:
    """The repositories of all services, by what a link calls them: `github.com/example/runbooks`."""

    def __init__(self, repositories: Repositories, services: Sequence[Service]) -> None:
        self._repositories = repositories
        self._by_identity: dict[str, Repository] = {}
        self._local: dict[str, Repository] = {}
        """Directories, whose remote is only known once they are open."""
        for one in (repository for service in services for repository in service.spec.repositories):
            named = identity(one.url)
            (self._by_identity if named else self._local).setdefault(named or one.url, one)

    def owner(self, name: str) -> Service | None:
        """A service with that repository alone, from its top; None where nobody names it."""
        if name not in self._by_identity:
            self._open_local()
        repository = self._by_identity.get(name)
        if repository is None:
            return None
        return Service(name="owner", spec=Spec(repositories=(replace(repository, path="."),)))

    def _open_local(self) -> None:
        for repository in self._local.values():
            whole = Service(name="owner", spec=Spec(repositories=(replace(repository, path="."),)))
            for holding in self._repositories.of(whole)[0]:
                for name in holding.checkout.names:
                    self._by_identity.setdefault(name, repository)
        self._local.clear()


class _Reading:
    """The pages that were answered, as runbooks."""

    def __init__(
        self, repositories: Repositories, pages: Mapping[str, SitePage], names: Mapping[str, tuple[str, ...]]
    ) -> None:
        self._repositories = repositories
        self._pages = pages
        self._names = names
        """Address with its fragment to the alerts that lead there."""
        self._read: dict[str, ParsedPage | UnreadableError] = {}
        for url in names:
            page = pages[url.partition("#")[0]]
            if page.found is RunbookFound.FOUND:
                self._read[url] = self._parsed(url, page)

    def _parsed(self, url: str, page: SitePage) -> ParsedPage | UnreadableError:
        fragment = read_link(url).fragment
        question = ReadSitePage(page.text, page.url, page.html, fragment.lower(), self._names[url])
        try:
            return self._repositories.read_elsewhere(question, ParsedPage)
        except UnreadableError as error:
            return error

    def shown(self, mine: Mapping[str, SitePage]) -> Iterator[Exhibit]:
        """The text of pages, for whoever wants to see what was judged."""
        read = {url.partition("#")[0]: parsed for url, parsed in self._read.items()}
        pages = [(url, read.get(url)) for url in mine]
        for url, parsed in [(url, one) for url, one in pages if isinstance(one, ParsedPage)][:_PAGES_SHOWN]:
            yield Exhibit(source="http", request=f"curl -sSL {shlex.quote(url)}", excerpt=parsed.excerpt)

    def inner(self) -> tuple[str, ...]:
        """Addresses on the same site that the pages link to."""
        found: dict[str, None] = {}
        for url, parsed in self._read.items():
            if isinstance(parsed, ParsedPage):
                final = self._pages[url.partition("#")[0]].final
                found |= dict.fromkeys(address for _, address in _inner(parsed, final))
        return tuple(found)[:_LINKS]

    def link(self, link: AlertRunbook, gone: frozenset[str]) -> AlertRunbook:
        """An alert's link, as its site answered."""
        if link.found is not RunbookFound.NOT_ASKED:
            return link
        page = self._pages[link.url.partition("#")[0]]
        if page.found is not RunbookFound.FOUND:
            return replace(link, found=page.found, detail=page.detail, cause=page.cause)
        parsed = self._read[link.url]
        if isinstance(parsed, UnreadableError):
            return replace(link, found=RunbookFound.UNREADABLE, detail=parsed.detail, cause=parsed.cause)
        fragment = read_link(link.url).fragment
        read = _page(page, parsed, gone)
        if fragment and not has_anchor(fragment, parsed.anchors, 0):
            return replace(
                link, found=RunbookFound.NO_FRAGMENT, detail=f"the page has no heading #{fragment}", page=read
            )
        return replace(link, found=RunbookFound.FOUND, detail=f"a page that {page.detail}", page=read)


def _page(page: SitePage, parsed: ParsedPage, gone: frozenset[str]) -> RunbookPage:
    broken = [f"line {line}: {target}" for target, line, address in _absolute(parsed, page.final) if address in gone]
    broken += [
        f"line {line}: {target}"
        for target, line in parsed.links
        if target.startswith("#") and len(target) > 1 and not has_anchor(target[1:], parsed.anchors, 0)
    ]
    return RunbookPage(
        name=page.url,
        title=parsed.title,
        names_alerts=parsed.named,
        sections=parsed.sections,
        steps=parsed.steps,
        placeholders=parsed.placeholders,
        reviewed_on=parsed.reviewed_on,
        broken_links=tuple(broken),
        silences=parsed.silences,
    )


def _absolute(parsed: ParsedPage, final: str) -> Iterator[tuple[str, int, str]]:
    for target, line in parsed.links[:_LINKS_OF_A_PAGE]:
        if not target.startswith("#") and (address := below(final, target)):
            yield target, line, address


def _inner(parsed: ParsedPage, final: str) -> Iterator[tuple[str, str]]:
    return ((target, address) for target, _, address in _absolute(parsed, final))


def _names(drafts: Iterable[_Draft]) -> dict[str, tuple[str, ...]]:
    found: dict[str, dict[str, None]] = {}
    for draft in drafts:
        for link in draft.links:
            if link.found is RunbookFound.NOT_ASKED:
                found.setdefault(link.url, {})[plain_name(link.name)] = None
    return {url: tuple(names) for url, names in found.items()}


def _exhibit(pages: Mapping[str, SitePage]) -> Exhibit:
    first = next(iter(pages))
    return Exhibit(
        source="http",
        request=f"curl -sSL --max-redirs 3 {shlex.quote(first)}",
        facts={"pages": len(pages)},
        excerpt=shown(pages)[:4000],
    )
