"""The metrics of the demo's services: one page for all of them, with counters that grow by the second."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

_BOUNDS = (("0.05", 0.4), ("0.1", 0.7), ("0.25", 0.9), ("0.5", 0.98), ("1", 0.995), ("+Inf", 1.0))
"""Upper bound in seconds to the share of requests that took less."""
_SECONDS = 0.09
"""What a request takes on average."""
_OUTCOMES = (("200", 0.98), ("404", 0.015), ("500", 0.005))

Series = tuple[str, Mapping[str, str], float]


@dataclass(frozen=True, slots=True)
class Source:
    """What a service has metrics of."""

    type: str
    caches: bool = False


def series(services: Mapping[str, Source], at: datetime) -> Iterator[Series]:
    """(metric, labels, value) of every series.

    Args:
        services: by name.
        at: the instant that the counters stand at.
    """
    for number, (name, source) in enumerate(sorted(services.items())):
        whole = at.timestamp() * (2 + number % 5)
        ours = {"service": name}
        yield "process_cpu_seconds_total", ours, whole * 0.02
        yield "process_resident_memory_bytes", ours, 9e7 + 1e6 * number
        if source.type in {"worker", "job"}:
            yield "worker_last_success_timestamp_seconds", ours, at.timestamp() - 20
            yield "queue_messages_waiting", ours, 12
            for outcome, part in (("success", 0.99), ("failure", 0.01)):
                yield "worker_jobs_total", {**ours, "outcome": outcome}, whole * part
            yield from _histogram("worker_job_duration_seconds", ours, whole)
        else:
            for status, part in _OUTCOMES:
                yield "http_requests_total", {**ours, "status": status}, whole * part
            yield from _histogram("http_request_duration_seconds", ours, whole)
            yield "orders_created_total", ours, whole * 0.1
            yield "basket_items", ours, 3
        if source.caches:
            for outcome, part in (("hit", 0.93), ("miss", 0.07)):
                yield "cache_requests_total", {**ours, "outcome": outcome}, whole * part


def _histogram(name: str, labels: Mapping[str, str], count: float) -> Iterator[Series]:
    for bound, part in _BOUNDS:
        yield f"{name}_bucket", {**labels, "le": bound}, count * part
    yield f"{name}_sum", labels, count * _SECONDS
    yield f"{name}_count", labels, count


def exposition(services: Mapping[str, Source], at: datetime) -> str:
    """The page that a Prometheus scrapes."""
    lines = []
    for name, labels, value in series(services, at):
        inside = ",".join(f'{key}="{text}"' for key, text in labels.items())
        lines.append(f"{name}{{{inside}}} {value:.3f}")
    return "\n".join(lines) + "\n"
