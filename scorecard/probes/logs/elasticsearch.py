"""Elasticsearch and OpenSearch: `POST /{index}/_search`, which reads."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from scorecard.evidence.logs import LogSystem
from scorecard.model import Cause
from scorecard.probes.logs.lines import Line, rfc_3339
from scorecard.probes.logs.source import BEFORE, MOST_LINES, Lines, SourceError, moment, part
from scorecard.probes.logs.store_api import Api


@dataclass(frozen=True, slots=True)
class ElasticsearchSource:
    """The documents of an index, alias or data stream."""

    api: Api
    index: str

    system = LogSystem.ELASTICSEARCH

    @property
    def name(self) -> str:
        """Instance and index."""
        return f"elasticsearch/{self.api.name} {self.index}"

    @property
    def lane(self) -> str:
        """The instance."""
        return f"elasticsearch/{self.api.name}"

    def mark(self, at: datetime) -> str:
        """A moment before the request."""
        return (at - BEFORE).isoformat()

    def sample(self, count: int, now: datetime) -> Lines:  # noqa: ARG002 - the newest, however old
        """The newest documents."""
        found = self._search(_body("", "", count, "desc"), count)
        return Lines(lines=found.lines[::-1], cut=found.cut)

    def find(self, needles: Sequence[str], mark: str, until: datetime) -> Lines:  # noqa: ARG002 - all there is now
        """One question for each text."""
        moment(mark)
        found = [self._search(_body(needle, mark, MOST_LINES, "asc"), MOST_LINES) for needle in needles or ("",)]
        return Lines(
            lines=tuple(line for lines in found for line in lines.lines), cut=any(lines.cut for lines in found)
        )

    def repeat(self, needle: str, mark: str) -> str:
        """By curl, with the same body."""
        body = _body(needle, mark, MOST_LINES if needle else 500, "asc" if needle else "desc")
        url = f"{self.api.url.rstrip('/')}{self._path()}"
        header = "Content-Type: application/json"
        return f"curl -sS {shlex.quote(url)} -H {shlex.quote(header)} -d {shlex.quote(json.dumps(body))}"

    def _path(self) -> str:
        return f"/{quote(self.index, safe='*,-_.+')}/_search"

    def _search(self, body: Mapping[str, Any], limit: int) -> Lines:
        if self.index.strip() != self.index or not self.index or "/" in self.index or self.index.startswith("_"):
            raise SourceError(Cause.NOT_CONFIGURED, f"{self.index!r} is not the name of an index")
        answer = self.api.ask("POST", self._path(), json=body)
        where = f"{self.lane}, index {self.index}"
        self._refuse_partial(answer, where)
        hits = part(answer, "hits", "hits", kind=list, where=where)
        lines = tuple(_line(hit, where) for hit in hits)
        return Lines(lines=lines, cut=len(lines) >= limit)

    def _refuse_partial(self, answer: object, where: str) -> None:
        """A part of an answer is none: the line may be in the other part."""
        if part(answer, "timed_out", kind=bool, where=where):
            raise SourceError(Cause.TIMEOUT, f"{where}: the search timed out and the answer is partial")
        shards = part(answer, "_shards", kind=dict, where=where)
        failed, total = shards.get("failed"), shards.get("total")
        if not isinstance(failed, int) or not isinstance(total, int):
            raise SourceError(Cause.BAD_RESPONSE, f"{where}: the answer does not say how many shards answered")
        if failed:
            raise SourceError(Cause.BAD_RESPONSE, f"{where}: {failed} of {total} shards failed")
        if not total:
            raise SourceError(Cause.NO_DATA, f"{where}: no such index")
        clusters = answer.get("_clusters") if isinstance(answer, dict) else None
        if isinstance(clusters, dict) and any(clusters.get(word) for word in ("skipped", "partial", "failed")):
            raise SourceError(Cause.BAD_RESPONSE, f"{where}: not every cluster answered")


def _body(needle: str, since: str, size: int, order: str) -> dict[str, Any]:
    filters: list[dict[str, Any]] = []
    if since:
        filters.append({"range": {"@timestamp": {"gte": since}}})
    if needle:
        filters.append({"multi_match": {"query": needle, "type": "phrase", "lenient": True}})
    return {
        "size": size,
        "query": {"bool": {"filter": filters}} if filters else {"match_all": {}},
        "sort": [{"@timestamp": {"order": order, "unmapped_type": "date"}}],
    }


def _line(hit: object, where: str) -> Line:
    document = part(hit, "_source", kind=dict, where=where)
    event = document.get("event")
    ingested = event.get("ingested") if isinstance(event, dict) else document.get("event.ingested")
    return Line(
        text=json.dumps(document, ensure_ascii=False),
        at=rfc_3339(document.get("@timestamp")),
        ingested_at=rfc_3339(ingested),
        document=document,
    )
