"""`/metrics`: `blueprint(deps)`. Reads the store and never probes; text of Prometheus or OpenMetrics, as asked for."""

from __future__ import annotations

import hmac
import re
import zlib
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import chain

from flask import Blueprint, Response, request
from prometheus_client import ProcessCollector
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from scorecard.config import SecretUnavailable
from scorecard.guard import refusal
from scorecard.metrics.families import FINDINGS, LAST_SUCCESS, PERIOD, QUEUE_LAG, UNKNOWN
from scorecard.metrics.page import ServicePage, Shard
from scorecard.metrics.text import samples
from scorecard.metrics.warm import Warm
from scorecard.model import Cause
from scorecard.serving import Deps

__all__ = ["blueprint"]

PLAIN = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

_SHARD = re.compile(r"([1-9]\d{0,3})/([1-9]\d{0,3})", re.ASCII)
_GZIP = 16 + zlib.MAX_WBITS


def blueprint(deps: Deps) -> Blueprint:
    """The route `/metrics`."""
    bp = Blueprint("metrics", __name__)
    page = ServicePage(deps.store)
    warm = Warm(page, deps.clock, lambda now: _itself(deps, now))
    ProcessCollector(registry=deps.telemetry.registry)

    @bp.get("/metrics")
    def metrics() -> Response:
        """Everything that Prometheus is told."""
        refused = _refused(deps)
        if refused is not None:
            return refused
        shard = _shard(request.args.get("shard", "1/1"))
        if shard is None:
            return _plain("shard: a part such as 1/8 is expected, the first number at most the second", 422)
        now = deps.clock()
        deps.store.settle_if_possible(now)
        warm.scraped(page.refresh(now))
        openmetrics = _asks_for_openmetrics()
        tail = _tail(deps, page, shard, warm.itself(now) if shard.number == 1 else "", openmetrics=openmetrics)
        services = page.services(shard) if deps.config().metrics == "services" else ()
        response = Response(mimetype=None, headers={"Cache-Control": "no-store", "Vary": "Accept, Accept-Encoding"})
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Content-Type"] = OPENMETRICS if openmetrics else PLAIN
        encoded: Iterable[bytes] = (part.encode() for part in chain(services, [tail]))
        if request.accept_encodings["gzip"] > 0:
            response.headers["Content-Encoding"] = "gzip"
            encoded = _gzipped(encoded)
        response.response = encoded
        return response

    return bp


def _tail(deps: Deps, page: ServicePage, shard: Shard, itself: str, *, openmetrics: bool) -> str:
    """What is of the fleet and of this process: in the first part only, not once for each."""
    if shard.number != 1:
        return "# EOF\n" if openmetrics else ""
    render = generate_openmetrics if openmetrics else generate_latest
    ours: bytes = render(deps.telemetry.registry)
    return page.fleet() + itself + ours.decode()


def _itself(deps: Deps, now: datetime) -> str:
    """What is known of the scorecard across processes: from the store."""
    health = deps.store.health(now)
    periods = deps.store.periods.items()
    return (
        samples(LAST_SUCCESS, (({"cadence": name.value}, at.timestamp()) for name, at in health.last_success.items()))
        + samples(PERIOD, (({"cadence": name.value}, period.total_seconds()) for name, period in periods))
        + samples(FINDINGS, [({}, health.findings)])
        + samples(UNKNOWN, (({"cause": cause.value}, health.unknown_by_cause.get(cause, 0)) for cause in Cause))
        + samples(QUEUE_LAG, [({}, health.queue_lag_seconds)])
    )


def _refused(deps: Deps) -> Response | None:
    config = deps.config()
    refused = refusal(config, request.method, request.headers)
    if refused is not None:
        return _plain(refused.detail, refused.status)
    try:
        token = config.auth.read_secret("metrics_token")
    except SecretUnavailable as error:
        return _plain(f"/metrics asks for a token that the scorecard cannot read: {error}", 503)
    if token is None:
        return None
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if hmac.compare_digest(given.encode("utf-8", "replace"), token.reveal().encode()):
        return None
    response = _plain("/metrics asks for its own token: Authorization: Bearer …", 401)
    response.headers["WWW-Authenticate"] = 'Bearer realm="metrics"'
    return response


def _plain(words: str, status: int) -> Response:
    return Response(f"{words}\n", status=status, mimetype="text/plain")


def _shard(text: str) -> Shard | None:
    found = _SHARD.fullmatch(text)
    if found is None or int(found[1]) > int(found[2]):
        return None
    return Shard(int(found[1]), int(found[2]))


def _asks_for_openmetrics() -> bool:
    """Whether OpenMetrics is asked for before plain text; without a wish it is plain text."""
    for wish, quality in request.accept_mimetypes:
        kind = wish.partition(";")[0].strip().lower()
        if quality > 0 and kind in {"application/openmetrics-text", "text/plain", "*/*", "text/*"}:
            return kind == "application/openmetrics-text"
    return False


def _gzipped(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Compressed as it is made. Level 1: the page is scraped over a fast network, and much alike."""
    packer = zlib.compressobj(1, zlib.DEFLATED, _GZIP)
    for part in parts:
        packed = packer.compress(part)
        if packed:
            yield packed
    yield packer.flush()
