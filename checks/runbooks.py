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
from scorecard.evidence import AlertRunbook, RunbookFound, RunbookPage, Runbooks
from scorecard.evidence.repository import plain_name, told_apart
from scorecard.silencing import heed


@dataclass(frozen=True, slots=True)
class Limits:
    """What a page must hold, and how old it may grow."""

    sections: tuple[str, ...] = ("meaning", "impact", "diagnosis", "mitigation", "escalation")
    """Headings of these meanings, by synonyms."""
    words: int = 3
    """Words of real text, commands included, under each."""
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
        if page is None or link.found is RunbookFound.UNREADABLE:
            return _no_page(link)
        silences = (*link.silences, *page.silences)
        return heed(on_page(link, page), silences, f"runbooks/{check}", now)

    return judge


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
    }.get(link.found, Cause.BAD_RESPONSE)
    return unknown(cause, f"{link.url or 'its link'} was not read: {link.detail} ({link.where})")


def _with_orphans(finding: Finding, seen: Runbooks) -> Finding:
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
    """
)
def resolve(seen: Runbooks, now: Now) -> Finding:
    """Every alert's runbook leads to a file or page that is there, and whose fragment exists."""

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


@row.required(remedy="Write the alert's exact name into its page, best as the title:\n" + _PAGE)
def name_the_alert(seen: Runbooks, now: Now) -> Finding:
    """Every alert's page mentions the alert by its exact name."""

    def judge(link: AlertRunbook, page: RunbookPage) -> Item:
        name = plain_name(link.name)
        if name in page.names_alerts:
            return passed(f"{page.name} mentions {name}")
        return failed("not-named", f"{page.name} does not mention {name} ({link.where})")

    return each(told_apart(seen.links), _judged("name-the-alert", now, judge), missing=seen.missing, things="alerts")


@row.required(
    remedy="Give the page these five headings, a command or numbered steps, and fill in what was left open:\n" + _PAGE
)
def sections(seen: Runbooks, limits: Limits, now: Now) -> Finding:
    """Each page has meaning, impact, diagnosis, mitigation, escalation ({words} words each), steps, no placeholder."""

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
    remedy="Go through the page after each drill, and put the day into its front matter: `last_reviewed: 2026-11-24`."
)
def fresh(seen: Runbooks, limits: Limits, now: Now) -> Finding:
    """Every alert's page was reviewed or changed within {fresh_days} days."""
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
    remedy="Mend the links that lead nowhere; `[dashboards](../docs/dashboards.md)` is relative to the page's folder."
)
def links(seen: Runbooks, now: Now) -> Finding:
    """The relative links on every alert's page lead somewhere."""

    def judge(link: AlertRunbook, page: RunbookPage) -> Item:  # noqa: ARG001 - one form for all judges
        if not page.broken_links:
            return passed(f"no broken link on {page.name}")
        count = len(page.broken_links)
        return failed(
            "broken", f"{page.name}: {count} broken {'link' if count == 1 else 'links'}, {page.broken_links[0]}"
        )

    return each(told_apart(seen.links), _judged("links", now, judge), missing=seen.missing, things="alerts")
