"""One Prometheus, Alertmanager or Grafana that is asked about alerts, for the length of one run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from scorecard.config.integrations import instance
from scorecard.egress.policy import AddressPolicy
from scorecard.egress.resolver import Resolver
from scorecard.egress.strict_json import BadJsonError, read_json
from scorecard.evidence import Unavailable
from scorecard.model import Cause
from scorecard.probes import lane
from scorecard.probes.lane import Instance, NoAnswerError, Raw, connect
from scorecard.redact import redact_text

__all__ = ["Instance", "Instances", "Lane", "NoAnswerError"]

BUDGET = 64 << 20
"""Bytes of one answer: 10,000 rules with their texts come to some 15 MB."""
LONGEST_GET = 3_000
"""Characters of a query that goes into an address, of which the policy takes 4,096; a longer one is posted."""
_WORDS = 300


@dataclass(slots=True)
class Instances:
    """Makes an `Instance` of what the configuration names; sessions are kept."""

    integrations: Any
    """`scorecard.config.integrations.Integrations`."""
    policy: AddressPolicy
    resolver: Resolver
    _made: dict[tuple[str, str], Instance] = field(default_factory=dict)

    def find(self, kind: str, name: str | None) -> Instance | Unavailable:
        """The instance of that name, or the first of its kind."""
        found = instance(getattr(self.integrations, kind), name)
        if found is None:
            asked = f"an instance {name!r}" if name else "an instance"
            example = f"integrations: {{{kind}: [{{name: {name or 'main'}, url: https://{kind}.example.net}}]}}"
            return Unavailable(
                Cause.NOT_CONFIGURED, f"scorecard.yaml does not name {asked} of {kind}; add: {example}", lines=example
            )
        return self._instance(kind, found)

    def beside(self, kind: str, name: str) -> Instance | Unavailable:
        """The instance of that name where there is one, else the first of its kind."""
        same = instance(getattr(self.integrations, kind), name)
        return self.find(kind, name if same is not None else None)

    def _instance(self, kind: str, found: Any) -> Instance | Unavailable:  # noqa: ANN401 - a configured instance
        if (kind, found.name) not in self._made:
            made = connect(kind, found, self.policy, self.resolver, budget=BUDGET)
            if isinstance(made, Unavailable):
                return made
            self._made[kind, found.name] = made
        return self._made[kind, found.name]


@dataclass
class Lane(lane.Lane):
    """Questions to one instance in one run; an answer is a JSON document."""

    seconds: float = 180.0
    patience: int = 2

    def get(self, path: str, params: Mapping[str, str] | None = None, *, depth: int = 32) -> Any:  # noqa: ANN401 - JSON
        """GET a JSON document.

        Raises:
            NoAnswerError: anything else came back, or nothing, or the instance is not asked any more.
        """
        query = f"?{urlencode(params)}" if params else ""
        return self._document(self.send("GET", f"{path}{query}"), depth)

    def query(self, path: str, params: Mapping[str, str]) -> Any:  # noqa: ANN401 - JSON
        """Ask a query: by GET while it fits into an address, else by POST."""
        if len(urlencode(params)) <= LONGEST_GET:
            return self.get(path, params)
        return self._document(self.send("POST", path, data=dict(params)), 32)

    def _document(self, raw: Raw, depth: int) -> Any:  # noqa: ANN401 - JSON
        try:
            document, trouble = read_json(raw.body, depth=depth), ""
        except BadJsonError as error:
            document, trouble = None, str(error)
        if not 200 <= raw.status < 300:  # noqa: PLR2004 - success
            raise self.refused(raw.status, f"{raw.request}: answered {raw.status}{_said(document, raw.body)}")
        if trouble:
            raise self.failed(Cause.BAD_RESPONSE, f"{raw.request}: {trouble}")
        self.answered()
        return document


def _said(document: object, body: bytes) -> str:
    """What an error says of itself, behind a colon; nothing of a page for people."""
    said = ""
    if isinstance(document, dict):
        said = str(document.get("error") or document.get("message") or "")
    elif body.lstrip()[:1] != b"<":
        said = body[:_WORDS].decode("utf-8", "replace")
    return f": {' '.join(redact_text(said).split())[:_WORDS]}" if said.strip() else ""
