"""Asks where each alert's runbook link leads, and what stands there."""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime

from scorecard.evidence import (
    AlertRule,
    AlertRunbook,
    Alerts,
    Answer,
    Evidence,
    Exhibit,
    RunbookFound,
    RunbookPage,
    Runbooks,
    Unavailable,
)
from scorecard.model import Cause, Service, ServiceKey
from scorecard.probes import Upstream
from scorecard.probes.repository.checkouts import NOT_CONFIGURED, Checkout, Holding, Repositories, inside, joined
from scorecard.probes.repository.links import (
    Elsewhere,
    InRepository,
    Relative,
    below_base,
    has_anchor,
    pages_of,
    paths_after_branch,
    read_link,
)
from scorecard.probes.repository.questions import File, ParsedPage, ReadPage, UnreadableError

_FOLDERS = ("runbooks", "docs/runbooks", "doc/runbooks", "runbook", "docs/runbook", "playbooks", "docs/playbooks")
"""Where runbooks are looked for when the service does not say."""
_PAGES_SHOWN = 5
"""Pages whose text goes along with the verdict."""
_NO_RUNBOOK = frozenset({"readme", "index", "_index", "template", "_template", "summary", "toc"})


@dataclass(frozen=True, slots=True)
class _Spot:
    """A file in one of the service's repositories."""

    holding: Holding
    file: File


@dataclass(slots=True)
class Search:
    """The search for the runbooks of one service."""

    service: Service
    holdings: Sequence[Holding]
    rules: Sequence[AlertRule]
    used: set[tuple[str, str]] = field(default_factory=set)
    history_missing: list[Unavailable] = field(default_factory=list)
    shown: dict[tuple[str, str], Exhibit] = field(default_factory=dict)
    """The text of pages, for whoever wants to see what was judged."""

    @property
    def bases(self) -> tuple[str, ...]:
        """Base addresses of the service's runbooks."""
        return tuple(entry for entry in self.service.spec.runbooks if "://" in entry)

    @property
    def folders(self) -> tuple[str, ...]:
        """Folders of the service's runbooks; the usual ones where it names none."""
        return tuple(entry for entry in self.service.spec.runbooks if "://" not in entry) or _FOLDERS

    def show(self, spot: _Spot, parsed: ParsedPage) -> None:
        """Keep how a page begins."""
        key = (spot.holding.checkout.label, spot.file.path)
        if len(self.shown) < _PAGES_SHOWN and key not in self.shown:
            command = f"show {{commit}}:{shlex.quote(spot.file.path.replace('{', '{{').replace('}', '}}'))}"
            exhibit = spot.holding.checkout.exhibit(command, {"page": spot.file.path})
            self.shown[key] = replace(exhibit, excerpt=parsed.excerpt)

    def branch(self, holding: Holding) -> str:
        """The branch that links are expected to name."""
        urls = {holding.checkout.label}
        for repository in self.service.spec.repositories:
            if repository.url in urls and repository.default_branch:
                return repository.default_branch
        return ""


@dataclass(frozen=True, slots=True)
class RunbooksProbe:
    """Follows each alert's link into the service's repositories and reads the page."""

    repositories: Repositories
    name: str = "repository.runbooks"
    answers: type[Evidence] = Runbooks
    needs: tuple[type[Evidence], ...] = (Alerts,)

    def ask(self, services: Sequence[Service], upstream: Upstream) -> Iterator[tuple[ServiceKey, Answer]]:
        """Answer for each service."""
        for service in services:
            yield service.key, self._answer(service, upstream.answer(service.key, Alerts))

    def _answer(self, service: Service, alerts: Answer) -> Answer:
        if not isinstance(alerts, Alerts):
            return alerts
        if not service.spec.repositories:
            return NOT_CONFIGURED
        holdings, unopened = self.repositories.of(service)
        if not holdings:
            return unopened[0]
        search = Search(service, holdings, alerts.rules)
        missing = [*alerts.missing, *unopened]
        try:
            links = tuple(follow(search, rule) for rule in alerts.rules)
            orphans = tuple(orphans_of(search))
        except UnreadableError as error:
            return Unavailable(error.cause, error.detail)
        return Runbooks(
            links=dated(search, links),
            orphans=orphans,
            missing=tuple(missing),
            history_missing=tuple(search.history_missing),
            exhibits=(
                *(
                    holding.checkout.exhibit(
                        "ls-tree -r --name-only {commit} -- " + " ".join(search.folders), {"alerts": len(links)}
                    )
                    for holding in holdings
                ),
                *search.shown.values(),
            ),
        )


# --- one alert -------------------------------------------------------------------------------------------------------


def follow(search: Search, rule: AlertRule | AlertRunbook) -> AlertRunbook:
    """Where the link of a rule leads; or that of another service's alert, which was found to lead here."""
    url = rule.url if isinstance(rule, AlertRunbook) else rule.rendered_runbook_url or rule.runbook_url
    if not url:
        return _ended(rule, url, RunbookFound.NO_LINK)
    if "{{" in url:
        return _ended(rule, url, RunbookFound.TEMPLATE, "only a firing alert fills it in")
    target = read_link(url)
    match target.place:
        case Relative(path):
            spot = _relative(search, rule, path)
            lost = RunbookFound.NOT_FOUND, f"no file {path!r} in the service's repositories"
        # A base address that the service names comes first: it may be the forge's own page of a local checkout.
        case InRepository() | Elsewhere() if below_base(url, search.bases) is not None:
            spot, lost = _on_site(search, url)
        case InRepository(identity, rest):
            spot, lost = _on_forge(search, identity, rest)
        case Elsewhere(address):
            spot, lost = _on_site(search, address)
        case _:
            return _ended(rule, url, RunbookFound.NOT_FOUND, "the link is no path and no web address")
    if spot is None:
        return _ended(rule, url, *lost)
    return _at(search, rule, url, spot, target.fragment)


def _ended(
    rule: AlertRule | AlertRunbook, url: str, found: RunbookFound, detail: str = "", page: RunbookPage | None = None
) -> AlertRunbook:
    return AlertRunbook(
        name=rule.name, where=rule.where, url=url, found=found, detail=detail, page=page, silences=rule.silences
    )


def _at(search: Search, rule: AlertRule | AlertRunbook, url: str, spot: _Spot, fragment: str) -> AlertRunbook:
    checkout = spot.holding.checkout
    search.used.add((checkout.label, spot.file.path))
    try:
        parsed = checkout.read(ReadPage(spot.file, fragment.lower(), (rule.name,)), ParsedPage)
    except UnreadableError as error:
        return _ended(rule, url, RunbookFound.UNREADABLE, f"{spot.file.path}: {error.detail}")
    page = _page(spot, parsed)
    search.show(spot, parsed)
    if fragment and not has_anchor(fragment, parsed.anchors, parsed.lines):
        return _ended(rule, url, RunbookFound.NO_FRAGMENT, f"{spot.file.path} has no heading #{fragment}", page)
    return _ended(rule, url, RunbookFound.FOUND, spot.file.path, page)


def _relative(search: Search, rule: AlertRule | AlertRunbook, path: str) -> _Spot | None:
    """A path, from the service's folder, from the top, or from beside the rule file."""
    beside = posixpath.dirname(rule.where.rpartition(":")[0].rpartition(":")[2])
    for holding in search.holdings:
        for top in dict.fromkeys((holding.path, "", beside)):
            if spot := _first(holding, pages_of(joined(top, path.lstrip("/")))):
                return spot
    return None


def _on_forge(search: Search, identity: str, rest: str) -> tuple[_Spot | None, tuple[RunbookFound, str]]:
    known = [holding for holding in search.holdings if identity in holding.checkout.names]
    if not known:
        return None, (RunbookFound.NOT_ASKED, f"{identity} is none of the service's repositories")
    for holding in known:
        for path in paths_after_branch(rest, search.branch(holding)):
            if spot := _first(holding, pages_of(path)):
                return spot, (RunbookFound.FOUND, "")
    return None, (RunbookFound.NOT_FOUND, f"{identity} has no file {rest.partition('/')[2] or rest!r}")


def _on_site(search: Search, address: str) -> tuple[_Spot | None, tuple[RunbookFound, str]]:
    """A page of a site that is made from the repository's runbooks, by a base address that the service names."""
    rest = below_base(address, search.bases)
    if rest is None:
        return None, (RunbookFound.NOT_ASKED, "the page is outside the service's repositories")
    for holding in search.holdings:
        for folder in search.folders:
            for name in dict.fromkeys((rest, posixpath.basename(rest))):
                if spot := _first(holding, pages_of(joined(holding.under(folder), name))) or _spelled(
                    holding, holding.under(folder), name
                ):
                    return spot, (RunbookFound.FOUND, "")
    return None, (RunbookFound.NOT_ASKED, "no runbook in the repositories has this name")


def _spelled(holding: Holding, folder: str, name: str) -> _Spot | None:
    """A runbook of this name in other letters: sites write addresses in lower case."""
    wanted = posixpath.basename(name).removesuffix(".html").lower()
    for path, blob in holding.checkout.listing(folder).files.items():
        stem, dot, ending = posixpath.basename(path).rpartition(".")
        if stem.lower() == wanted and dot + ending in {".md", ".markdown"}:
            return _Spot(holding, File(holding.checkout.located.source, path, blob))
    return None


def _first(holding: Holding, paths: Iterator[str]) -> _Spot | None:
    for path in paths:
        file = holding.checkout.file(path)
        if file is not None:
            return _Spot(holding, file)
    return None


# --- pages -----------------------------------------------------------------------------------------------------------


def _page(spot: _Spot, parsed: ParsedPage) -> RunbookPage:
    return RunbookPage(
        name=spot.file.path,
        title=parsed.title,
        names_alerts=parsed.named,
        sections=parsed.sections,
        steps=parsed.steps,
        placeholders=parsed.placeholders,
        reviewed_on=parsed.reviewed_on,
        broken_links=tuple(_broken(spot, parsed)),
        silences=parsed.silences,
    )


def _broken(spot: _Spot, parsed: ParsedPage) -> Iterator[str]:
    checkout = spot.holding.checkout
    here = posixpath.dirname(spot.file.path)
    for link, line in parsed.links:
        target = read_link(link)
        if not isinstance(target.place, Relative):
            continue
        path = target.place.path
        if not path:
            if target.fragment and not has_anchor(target.fragment, parsed.anchors, parsed.lines):
                yield f"line {line}: {link}"
            continue
        tops = ("", spot.holding.path) if path.startswith("/") else (here, posixpath.splitext(spot.file.path)[0])
        candidates = [joined(top, path.lstrip("/")) for top in dict.fromkeys(tops)]
        if not any(_leads_somewhere(checkout, candidate) for candidate in candidates):
            yield f"line {line}: {link}"


def _leads_somewhere(checkout: Checkout, path: str) -> bool:
    return inside(path) and (checkout.holds(path) or any(checkout.file(page) is not None for page in pages_of(path)))


def orphans_of(search: Search) -> Iterator[str]:
    """Runbooks in the service's folders that no alert leads to."""
    for holding in search.holdings:
        seen: set[str] = set()
        for folder in search.folders:
            for path in holding.checkout.listing(holding.under(folder)).files:
                stem, _, ending = posixpath.basename(path).rpartition(".")
                if ending not in {"md", "markdown"} or stem.lower() in _NO_RUNBOOK or path in seen:
                    continue
                seen.add(path)
                if (holding.checkout.label, path) not in search.used:
                    yield path


def dated(search: Search, links: tuple[AlertRunbook, ...]) -> tuple[AlertRunbook, ...]:
    """The links with their pages' dates: the newer of what the page says and of its last commit."""
    changed: dict[str, date] = {}
    for holding in search.holdings:
        paths = [path for label, path in sorted(search.used) if label == holding.checkout.label]
        if paths:
            changed.update(_changed(search, holding, paths))
    return tuple(_with_date(link, changed) for link in links)


def _changed(search: Search, holding: Holding, paths: Sequence[str]) -> Mapping[str, date]:
    try:
        changes = holding.checkout.changes(paths)
    except UnreadableError as error:
        search.history_missing.append(holding.checkout.unavailable(error))
        return {}
    if changes.cut:
        search.history_missing.append(Unavailable(Cause.NO_DATA, f"{holding.checkout.label}: {changes.cut}"))
    return {path: datetime.fromtimestamp(at, UTC).date() for path, at in changes.at.items()}


def _with_date(link: AlertRunbook, changed: Mapping[str, date]) -> AlertRunbook:
    page = link.page
    if page is None or page.name not in changed:
        return link
    newest = max(filter(None, (page.reviewed_on, changed[page.name])))
    return replace(link, page=replace(page, reviewed_on=newest))
