"""The request, the search and the line that was found, as a person sees and repeats them."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping

from scorecard.egress.prober import ProberSettings
from scorecard.evidence import Exhibit, Unavailable
from scorecard.evidence.base import Fact
from scorecard.evidence.logs import CorrelationSearch, LogSystem, Search, Sent, Trace
from scorecard.probes.logs.source import Source

_FOUND = frozenset({Trace.IN_FIELD, Trace.UNDER_ANOTHER_KEY, Trace.IN_TEXT})


def exhibits(
    seen: CorrelationSearch, name: str, logs: Mapping[str, Source | Unavailable], settings: ProberSettings
) -> tuple[Exhibit, ...]:
    """For the request that was searched for; for the one that waits, where none was."""
    one = seen.sent or seen.pending
    if one is None:
        return ()
    shown = [_request(one, settings, waits=seen.sent is None)]
    results = {name: seen.result} | {part.name: part.result for part in seen.downstream}
    if seen.sent is not None:
        for service, result in results.items():
            source = logs.get(service)
            marked, mark = one.marks.get(service, ("", ""))
            if isinstance(result, Search) and source is not None and not isinstance(source, Unavailable):
                shown += _searched(one, result, source, mark if marked == source.name else "")
    return tuple(shown)


def _request(one: Sent, settings: ProberSettings, *, waits: bool) -> Exhibit:
    headers = {one.header: one.correlation_id, "X-Request-ID": one.correlation_id, "traceparent": one.traceparent}
    said = " ".join(f"-H {shlex.quote(f'{name}: {value}')}" for name, value in headers.items())
    facts: dict[str, Fact] = {
        "sent_at": one.sent_at.isoformat(timespec="milliseconds"),
        "reply": one.reply.value,
        "milliseconds": one.milliseconds,
        "echoed_in": one.echoed or None,
    }
    if one.status:
        facts["status"] = one.status
    if one.detail:
        facts["detail"] = one.detail
    if waits:
        facts["searched_for"] = f"from {one.patience:g} s after it was sent"
    seconds = settings.timeout.total_seconds()
    return Exhibit(
        source="http", request=f"curl -sS -i --max-time {seconds:g} {said} {shlex.quote(one.url)}", facts=facts
    )


def _searched(one: Sent, result: Search, source: Source, mark: str) -> Iterator[Exhibit]:
    needle = (
        one.trace_id if one.trace_id in result.line and one.correlation_id not in result.line else one.correlation_id
    )
    facts: dict[str, Fact] = {
        "found": result.trace.value.replace("_", " "),
        "lines_looked_at": result.lines,
        "control_id": one.control_id,
        "control_found": result.trace is Trace.INVENTED,
    }
    if result.key:
        facts["key"] = result.key
    if result.trace in _FOUND and result.lag is not None:
        facts["seconds_until_there"] = round(result.lag, 2)
    if result.says_service:
        facts["names_service"] = result.says_service
    yield Exhibit(source=source_of(source), request=source.repeat(needle, mark), facts=facts, excerpt=result.line)


def source_of(source: Source) -> str:
    """The system that was asked, as evidence names it: `file`, `loki/main`."""
    return "file" if source.system is LogSystem.FILE else source.lane
