"""Runbooks for every alert: the link of an alert leads to a page that names it and says what to do."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from scorecard.check import (
    Category,
    Cause,
    Finding,
    Item,
    Now,
    Risk,
    Row,
    each,
    failed,
    not_applicable,
    passed,
    unavailable,
    unknown,
    warned,
)
from scorecard.evidence import Absent, AlertRunbook, RunbookFound, RunbookPage, RunbookPages, Runbooks, Unavailable
from scorecard.evidence.repository import plain_name, told_apart
from scorecard.silencing import heed


@dataclass(frozen=True, slots=True)
class Limits:
    """What a page must hold, and how old it may grow."""

    sections: tuple[str, ...] = ("meaning", "impact", "diagnosis", "mitigation", "escalation")
    """Headings of these meanings, by synonyms."""
    words: int = 1
    """Words of real text, commands included, under each: `1. Restart it.` is a mitigation, `#payments` a contact."""
    fresh_days: int = 180
    """Since it was reviewed or changed."""


row = Row(
    title="Runbooks for every alert",
    category=Category.DOCUMENTATION,
    risk=Risk.MEDIUM,
    why="At three in the morning nobody invents the right command; a link to an empty page is worse than none.",
    limits=Limits,
    links=("https://runbooks.prometheus-operator.dev/",),
)

_PAGE = """
```markdown
# PaymentsErrorsHigh

## Meaning

More than 5 % of payment requests have failed for five minutes.

## Impact

Customers cannot pay; each minute costs about 40 orders.

## Diagnosis

1. Was there a deployment? `kubectl -n payments rollout history deployment/payments`
2. Is the database up? `kubectl -n payments logs deployment/payments --since=10m | grep -i postgres`

## Mitigation

1. Roll back: `kubectl -n payments rollout undo deployment/payments`
2. See the error rate fall on the dashboard within five minutes.

## Escalation

After 20 minutes call the payments lead; the number is in the on-call tool.
```
"""

Judge = Callable[[AlertRunbook], Item]


def _judged(check: str, now: Now, on_page: Callable[[AlertRunbook, RunbookPage], Item]) -> Judge:
    """Judge an alert by its page; what stands in the way of reading one is the same for every check but `resolve`."""

    def judge(link: AlertRunbook) -> Item:
        page = link.page
        if page is None or link.found not in {RunbookFound.FOUND, RunbookFound.NO_FRAGMENT}:
            return _no_page(link)
        silences = (*link.silences, *page.silences)
        return heed(on_page(link, page), silences, f"runbooks/{check}", now)

    return judge


@dataclass(frozen=True, slots=True)
class _Seen:
    """Every alert with its runbook, from wherever it was read."""

    links: tuple[AlertRunbook, ...]
    missing: tuple[Unavailable, ...]
    orphans: tuple[str, ...]
    history_missing: tuple[Unavailable, ...]


def _seen(files: Runbooks | Unavailable | Absent, pages: RunbookPages | Unavailable | Absent) -> _Seen:
    """Both sources as one: what a file's alert leads to on a site stands in place of its question."""
    missing: list[Unavailable] = []
    for source in (files, pages):
        if isinstance(source, Unavailable):
            missing.append(source)
        elif not isinstance(source, Absent):
            missing += source.missing
    if isinstance(files, Absent) and isinstance(pages, Absent):
        missing.append(Unavailable(Cause.NOT_CONFIGURED, "the service names no alerts", lines=_LINES))
    mine = files.links if isinstance(files, Runbooks) else ()
    more = pages.links if isinstance(pages, RunbookPages) else ()
    answered = {_identity(link) for link in more}
    filled_in = {link.name for link in more if link.found is not RunbookFound.TEMPLATE}
    # Only a question gives way to its answer: a verdict that was hidden would come to light when another is lost.
    open_questions = [
        link
        for link in mine
        if (link.found is RunbookFound.NOT_ASKED and _identity(link) in answered)
        or (link.found is RunbookFound.TEMPLATE and link.name in filled_in)
    ]
    links = [*(link for link in mine if link not in open_questions), *more]
    read = [one for one in (pages, files) if isinstance(one, Runbooks | RunbookPages)]
    return _Seen(
        links=tuple(links),
        missing=tuple(missing),
        orphans=read[0].orphans if read else (),
        history_missing=tuple(why for one in read for why in one.history_missing),
    )


def _identity(link: AlertRunbook) -> tuple[str, str]:
    return link.name, link.url


_LINES = "spec:\n  alerts:\n    - prometheus: {matchers: {service: SERVICE}}\n    - files: deploy/alerts/*.yaml"


def _no_page(link: AlertRunbook) -> Item:
    if link.found is RunbookFound.TEMPLATE:
        return warned("template", f"its page is only known when it fires: {link.url} ({link.where})")
    if link.found in {RunbookFound.NOT_ASKED, RunbookFound.SIGN_IN, RunbookFound.UNREADABLE}:
        return _not_read(link)
    return not_applicable("there is no page; see resolve")


def _not_read(link: AlertRunbook) -> Item:
    cause = {
        RunbookFound.NOT_ASKED: Cause.NOT_SUPPORTED,
        RunbookFound.SIGN_IN: Cause.ACCESS_DENIED,
    }.get(link.found, link.cause or Cause.BAD_RESPONSE)
    return unknown(cause, f"{link.url or 'its link'} was not read: {link.detail} ({link.where})")


def _with_orphans(finding: Finding, seen: _Seen) -> Finding:
    """The finding, with the runbooks that no alert leads to as information."""
    if not seen.orphans:
        return finding
    shown = ", ".join(seen.orphans[:_SHOWN]) + (", …" if len(seen.orphans) > _SHOWN else "")
    several = f"{len(seen.orphans)} runbooks have" if len(seen.orphans) > 1 else "1 runbook has"
    return replace(finding, message=f"{finding.message}; {several} no alert: {shown}")


_SHOWN = 5


@row.required(
    remedy="""
    Link each alert to a page that exists, by a path or by its address on the forge:

    ```yaml
    annotations:
      runbook_url: https://github.com/example/payments/blob/main/runbooks/PaymentsErrorsHigh.md
    ```

    Where a site is made from the folder, name both: `…/PaymentsErrorsHigh/` is `runbooks/PaymentsErrorsHigh.md` then.

    ```yaml
    spec:
      runbooks: [runbooks/, https://runbooks.example.net/]
    ```
    """,
    version=2,
)
def resolve(files: Runbooks | Unavailable | Absent, pages: RunbookPages | Unavailable | Absent, now: Now) -> Finding:
    """Every alert's runbook leads to a file or a page that is there, not a catch-all, and whose fragment exists."""
    seen = _seen(files, pages)

    def judge(link: AlertRunbook) -> Item:
        return heed(_resolved(link), link.silences, "runbooks/resolve", now)

    return _with_orphans(each(told_apart(seen.links), judge, missing=seen.missing, things="alerts"), seen)


def _resolved(link: AlertRunbook) -> Item:
    match link.found:
        case RunbookFound.FOUND:
            return passed(f"leads to {link.detail} ({link.where})")
        case RunbookFound.NO_LINK:
            return failed("no-link", f"has no runbook_url ({link.where})")
        case RunbookFound.NOT_FOUND:
            return failed("not-found", f"{link.url}: {link.detail} ({link.where})")
        case RunbookFound.NO_FRAGMENT:
            return failed("no-fragment", f"{link.url}: {link.detail} ({link.where})")
        case RunbookFound.TEMPLATE:
            return warned("template", f"{link.url}: {link.detail} ({link.where})")
        case _:
            return _not_read(link)


@row.required(remedy="Write the alert's exact name into its page, best as the title:\n" + _PAGE, version=2)
def name_the_alert(
    files: Runbooks | Unavailable | Absent, pages: RunbookPages | Unavailable | Absent, now: Now
) -> Finding:
    """Every alert's page mentions the alert by its exact name."""
    seen = _seen(files, pages)

    def judge(link: AlertRunbook, page: RunbookPage) -> Item:
        name = plain_name(link.name)
        if name in page.names_alerts:
            return passed(f"{page.name} mentions {name}")
        return failed("not-named", f"{page.name} does not mention {name} ({link.where})")

    return each(told_apart(seen.links), _judged("name-the-alert", now, judge), missing=seen.missing, things="alerts")


@row.required(
    remedy="Give the page these five headings, a command or numbered steps, and fill in what was left open:\n" + _PAGE,
    version=3,
)
def sections(
    files: Runbooks | Unavailable | Absent, pages: RunbookPages | Unavailable | Absent, limits: Limits, now: Now
) -> Finding:
    """Each page has text under meaning, impact, diagnosis, mitigation, escalation, and steps, and no placeholder."""
    seen = _seen(files, pages)

    def judge(link: AlertRunbook, page: RunbookPage) -> Item:
        thin = [name for name in limits.sections if page.sections.get(name, 0) < limits.words]
        faults = []
        if thin:
            faults.append(("thin", f"nothing under {', '.join(thin)}"))
        if not page.steps:
            faults.append(("no-steps", "no command block and no numbered list"))
        if page.placeholders:
            more = f" and {len(page.placeholders) - 1} more" if len(page.placeholders) > 1 else ""
            faults.append(("placeholder", f"text left to be filled in, {page.placeholders[0]}{more}"))
        if not faults:
            return passed(f"{page.name} has {', '.join(limits.sections)} and steps")
        code = faults[0][0] if len(faults) == 1 else "several"
        return failed(code, f"{page.name}: {'; '.join(message for _, message in faults)} ({link.where})")

    return each(told_apart(seen.links), _judged("sections", now, judge), missing=seen.missing, things="alerts")


@row.advisory(
    remedy="Go through the page after each drill, and put the day into its front matter: `last_reviewed: 2026-11-24`.",
    version=2,
)
def fresh(
    files: Runbooks | Unavailable | Absent, pages: RunbookPages | Unavailable | Absent, limits: Limits, now: Now
) -> Finding:
    """Every alert's page was reviewed or changed within {fresh_days} days."""
    seen = _seen(files, pages)
    today = now.date()

    def judge(link: AlertRunbook, page: RunbookPage) -> Item:  # noqa: ARG001 - one form for all judges
        if page.reviewed_on is not None and 0 <= (today - page.reviewed_on).days <= limits.fresh_days:
            return passed(f"{page.name} is of {page.reviewed_on}")
        if seen.history_missing:
            return unavailable(seen.history_missing[0])
        if page.reviewed_on is None:
            return failed("no-date", f"{page.name} says no date of review, and git knows none")
        days = (today - page.reviewed_on).days
        when = f"{days} days ago" if days >= 0 else "in the future"
        return failed("stale", f"{page.name} was last reviewed or changed on {page.reviewed_on}, {when}")

    return each(told_apart(seen.links), _judged("fresh", now, judge), missing=seen.missing, things="alerts")


@row.advisory(
    remedy="Mend the links that lead nowhere; `[dashboards](../docs/dashboards.md)` is relative to the page's folder.",
    version=2,
)
def links(files: Runbooks | Unavailable | Absent, pages: RunbookPages | Unavailable | Absent, now: Now) -> Finding:
    """The links on every alert's page that stay on its site or in its repository lead somewhere."""
    seen = _seen(files, pages)

    def judge(link: AlertRunbook, page: RunbookPage) -> Item:  # noqa: ARG001 - one form for all judges
        if not page.broken_links:
            return passed(f"no broken link on {page.name}")
        count = len(page.broken_links)
        return failed(
            "broken", f"{page.name}: {count} broken {'link' if count == 1 else 'links'}, {page.broken_links[0]}"
        )

    return each(told_apart(seen.links), _judged("links", now, judge), missing=seen.missing, things="alerts")
