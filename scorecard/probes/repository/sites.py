"""Pages of sites that alerts link to: each is asked for once, with a control path beside it.

A site that answers 200 to an address that cannot exist proves nothing by answering 200: its page counts when it says
something else than the answer to the control path does. A page that asks for a sign-in was not read, which says nothing
about the runbook.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from posixpath import splitext
from urllib.parse import parse_qsl, unquote, urlencode, urljoin, urlsplit, urlunsplit

import re2

from scorecard.egress.answer import Get, Got
from scorecard.egress.body import read_content
from scorecard.egress.prober import Prober
from scorecard.egress.target import BadTargetError, read_target
from scorecard.evidence import Reply, RunbookFound
from scorecard.model import Cause

BUDGET = 2 << 20
"""Bytes of a page."""
_HOPS = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_SAME = 0.9
"""Share of words that two answers have in common when they are the same page."""
_SIGN_IN = re2.compile(r"(?i)/(?:log-?in|sign-?in|sso|saml2?|oauth2?|authorize|adfs|cas)(?:[/._?-]|$)")
_HIDDEN = re2.compile(rb"(?is)<(?:script|style|svg|head)\b.*?</(?:script|style|svg|head)\s*>|<!--.*?-->|<[^>]*>")
_WORD = re2.compile(rb"[\pL\pN]+")
_GITHUB = re2.compile(r"^https://github\.com/([^/]+/[^/]+)/(?:blob|tree|raw)/([^#?]+\.(?:md|markdown))(?:[#?].*)?$")
_CAUSES = {
    Reply.BROKEN: Cause.BAD_RESPONSE,
    Reply.REFUSED: Cause.UNREACHABLE,
    Reply.TIMED_OUT: Cause.TIMEOUT,
    Reply.TLS_FAILED: Cause.UNREACHABLE,
    Reply.NAME_FAILED: Cause.UNREACHABLE,
    Reply.NOT_SENT: Cause.NOT_CONFIGURED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SitePage:
    """How the request for one page ended."""

    url: str
    """As it was asked for, without a fragment."""
    found: RunbookFound
    detail: str = ""
    cause: Cause | None = None
    text: str = ""
    html: bool = False
    final: str = ""
    """The address that answered in the end."""
    status: int = 0


@dataclass(frozen=True, slots=True)
class _End:
    """The last answer of a chain of redirects."""

    got: Got
    trouble: str = ""
    """Why a redirect was not followed."""
    moved: bool = False
    """It was redirected there."""


@dataclass(slots=True)
class Sites:
    """Asks for pages in rounds, all of them at once."""

    prober: Prober
    asked: int = 0
    """Requests that were sent."""
    _token: str = field(default_factory=lambda: f"scorecard-control-{secrets.token_hex(6)}")

    def pages(self, urls: Iterable[str]) -> dict[str, SitePage]:
        """Each page once, without its fragment; the keys are the addresses as given, without fragments."""
        wanted = tuple(dict.fromkeys(url.partition("#")[0] for url in urls))
        controls = {url: control_of(url, self._token) for url in wanted}
        ends = self._follow({*map(raw_of, wanted), *controls.values()})
        return {url: _judged(url, ends[raw_of(url)], ends[controls[url]]) for url in wanted}

    def gone(self, urls: Iterable[str]) -> frozenset[str]:
        """Those of the addresses that answer 404 or 410."""
        ends = self._follow(set(urls))
        return frozenset(url for url, end in ends.items() if end.got.status in {404, 410})

    def _follow(self, urls: set[str]) -> dict[str, _End]:
        ends: dict[str, _End] = {}
        todo = {url: url for url in urls}
        """Address that was asked for, to the address that is asked next."""
        for hop in range(_HOPS + 1):
            asked = sorted(set(todo.values()))
            self.asked += len(asked)
            answers = {
                got.key: got for got in self.prober.get_many(Get(key=one, url=one, budget=BUDGET) for one in asked)
            }
            following: dict[str, str] = {}
            for url, here in todo.items():
                got = answers[here]
                location = got.header("location")
                if got.status not in _REDIRECTS or not location:
                    ends[url] = _End(got, moved=hop > 0)
                    continue
                there, trouble = _next(here, location)
                if trouble or hop == _HOPS:
                    ends[url] = _End(got, trouble or f"more than {_HOPS} redirects", moved=hop > 0)
                else:
                    following[url] = there
            todo = following
            if not todo:
                break
        return ends


def raw_of(url: str) -> str:
    """The text behind a page of GitHub, which draws Markdown by script."""
    match = _GITHUB.match(url)
    return f"https://raw.githubusercontent.com/{match.group(1)}/{match.group(2)}" if match else url


def control_of(url: str, token: str) -> str:
    """An address beside the page that cannot exist: another name of the same form, or other values of its query."""
    parts = urlsplit(raw_of(url))
    if parts.query:
        pairs = [(name, token) for name, _ in parse_qsl(parts.query, keep_blank_values=True)]
        return urlunsplit(parts._replace(query=urlencode(pairs), fragment=""))
    path = parts.path.rstrip("/")
    folder, _, name = path.rpartition("/")
    slash = "/" if parts.path.endswith("/") and path else ""
    return urlunsplit(parts._replace(path=f"{folder}/{token}{splitext(name)[1]}{slash}", fragment=""))


def _next(here: str, location: str) -> tuple[str, str]:
    try:
        origin, target = read_target(here), read_target(urljoin(here, location).partition("#")[0])
    except (BadTargetError, ValueError) as error:
        return "", f"redirected to an address that is not followed: {error}"
    if origin.scheme == "https" and target.scheme == "http":
        return "", "redirected from https to http"
    return target.url, ""


def _judged(url: str, end: _End, control: _End) -> SitePage:
    page = _answered(url, end)
    if page.found is not RunbookFound.FOUND:
        return page
    beside = control.got
    if beside.reply is not Reply.ANSWERED:
        return SitePage(
            url=url,
            found=RunbookFound.UNREADABLE,
            cause=_CAUSES.get(beside.reply, Cause.BAD_RESPONSE),
            detail=f"its control path {beside.url} gave no answer ({beside.detail}), so that a 200 proves nothing",
        )
    if 200 <= beside.status < 300 and same_page(end.got.body, beside.body, (url, beside.url)):  # noqa: PLR2004 - success
        return SitePage(
            url=url,
            found=RunbookFound.NOT_FOUND,
            status=page.status,
            detail=f"answers {page.status} with the same page as an address that cannot exist, {beside.url}",
        )
    return page


def _answered(url: str, end: _End) -> SitePage:  # noqa: PLR0911 - one for each end
    got = end.got
    status = got.status
    moved = f" (from {got.url})" if end.moved else ""
    if got.reply is not Reply.ANSWERED:
        cause = got.cause or _CAUSES.get(got.reply, Cause.BAD_RESPONSE)
        return SitePage(url=url, found=RunbookFound.UNREADABLE, cause=cause, detail=f"{got.url}: {got.detail}")
    if end.trouble:
        return SitePage(
            url=url, found=RunbookFound.UNREADABLE, cause=Cause.BAD_RESPONSE, detail=end.trouble, status=status
        )
    if status in {401, 403, 407}:
        return SitePage(
            url=url, found=RunbookFound.SIGN_IN, detail=f"answers {status}{moved}", final=got.url, status=status
        )
    if status in {404, 410}:
        return SitePage(
            url=url, found=RunbookFound.NOT_FOUND, detail=f"answers {status}{moved}", final=got.url, status=status
        )
    if not 200 <= status < 300:  # noqa: PLR2004 - success
        causes = {429: Cause.RATE_LIMITED, 502: Cause.UNREACHABLE, 503: Cause.UNREACHABLE, 504: Cause.TIMEOUT}
        cause = causes.get(status, Cause.BAD_RESPONSE)
        return SitePage(
            url=url, found=RunbookFound.UNREADABLE, cause=cause, detail=f"answers {status}{moved}", status=status
        )
    content = read_content(got.body, got.header("content-type"))
    if content.login_page or (end.moved and _SIGN_IN.search(urlsplit(got.url).path)):
        return SitePage(
            url=url, found=RunbookFound.SIGN_IN, detail=f"asks for a sign-in{moved}", final=got.url, status=status
        )
    return SitePage(
        url=url,
        found=RunbookFound.FOUND,
        detail=f"answers {status}{moved}",
        text=_text(got),
        html=content.html,
        final=got.url,
        status=status,
    )


def _text(got: Got) -> str:
    kind = got.header("content-type").lower()
    charset = kind.partition("charset=")[2].partition(";")[0].strip(" \"'") or "utf-8"
    try:
        return got.body.decode(charset, "replace")
    except LookupError:
        return got.body.decode("utf-8", "replace")


def same_page(one: bytes, other: bytes, addresses: Iterable[str] = ()) -> bool:
    """Whether two answers say the same, apart from numbers and from what they repeat of their addresses."""
    if one == other:
        return True
    repeated = frozenset(word for address in addresses for word in _WORD.findall(address.encode()))
    first, second = _words(one) - repeated, _words(other) - repeated
    if not first or not second:
        return first == second
    return len(first & second) / len(first | second) >= _SAME


def _words(body: bytes) -> frozenset[bytes]:
    return frozenset(word for word in _WORD.findall(_HIDDEN.sub(b" ", body)) if not word.isdigit())


def below(final: str, target: str) -> str:
    """The absolute address of a relative link, where it stays on the same site; empty otherwise."""
    joined = urljoin(final, unquote(target).partition("#")[0])
    here, there = urlsplit(final), urlsplit(joined)
    return joined if (here.scheme, here.netloc) == (there.scheme, there.netloc) else ""


def shown(pages: Mapping[str, SitePage]) -> str:
    """How each request ended, a line each."""
    return "\n".join(f"{page.url}: {page.found.value.replace('_', ' ')}, {page.detail}" for page in pages.values())
