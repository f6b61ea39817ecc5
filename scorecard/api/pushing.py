"""What pipelines push about a service, and the tokens with which they do."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from functools import cache
from typing import Any

from pydantic import ValidationError

from scorecard.api import parameters
from scorecard.api import push_shapes as schemas
from scorecard.api.conformity import path_of
from scorecard.api.operations import Call, Reply, operation
from scorecard.api.problems import Problem, invalid, problem
from scorecard.drill.report import ReportError, contradictions, report_of, report_schema
from scorecard.evidence.backups import PushedDrills
from scorecard.evidence.pushed import Pushed, PushedKind
from scorecard.json_schema import without_titles
from scorecard.logging import get_logger
from scorecard.model import Service, ServiceKey, parse_duration
from scorecard.redact import redact
from scorecard.store import Token
from scorecard.strict_yaml import Document
from scorecard.validators import validator

JUDGED_BY: Mapping[PushedKind, type] = {PushedKind.DRILL: PushedDrills}
"""The evidence that a kind becomes; the others are kept and shown."""
_SHOWN = 50

log = get_logger(__name__)


@cache
def evidence_schema() -> dict[str, Any]:
    """The JSON Schema of what is pushed: a kind and its document."""
    report = deepcopy(report_schema())
    definitions = {name: without_titles(value) for name, value in report.pop("$defs", {}).items()}
    report.pop("$schema", None)
    definitions["DrillReport"] = without_titles(report)
    documents: Mapping[PushedKind, Any] = {
        PushedKind.DRILL: {"$ref": "#/$defs/DrillReport"},
        PushedKind.TEST_REPORT: {"type": ["object", "string"]},
        PushedKind.ATTESTATION: {"type": "object"},
    }
    choices = [
        {
            "type": "object",
            "required": ["kind", "document"],
            "additionalProperties": False,
            "properties": {"kind": {"const": kind.value}, "document": schema},
        }
        for kind, schema in documents.items()
    ]
    return {"oneOf": choices, "$defs": definitions}


def token_schema() -> dict[str, Any]:
    """The JSON Schema of what is asked of a new token."""
    return without_titles(validator(schemas.TokenRequest).json_schema())


@operation(
    "POST",
    "/api/v1/services/{name}/evidence",
    tag="evidence",
    query=parameters.InEnvironment,
    answer=schemas.PushedItem,
    status=201,
    body=evidence_schema,
    problems=("bad-request", "not-registered", "refused", "key-reused", "too-large", "unsupported-media-type"),
    example={"kind": "test-report", "document": {"tests": 412, "failed": 0}},
    needs_token=True,
)
def push_evidence(call: Call[parameters.InEnvironment]) -> Reply:
    """Push evidence that a pipeline produced, with a token of the service.

    `drill` is the report of a restore drill: it is judged at once, as reported. `test-report` and `attestation` are
    kept and shown. A report that cannot be true, or that proves nothing, is refused with the reasons.
    """
    service = _service(call)
    kind, document = _read(call.body)
    token = call.token
    assert token is not None  # noqa: S101 - the operation needs one
    if kind not in token.kinds:
        raise problem("wrong-token", f"this token pushes {' and '.join(token.kinds)}, not {kind}")
    if kind is PushedKind.DRILL:
        _refuse_report(document, service, call)
    kept = call.deps.store.push(service.key, kind, redact(document), call.now, pushed_by=token.name)
    run = _judge_now(call, service, kind, token)
    log.info("evidence pushed", service=str(service.key), kind=kind.value, by=token.name, token=token.id, push=kept.id)
    return Reply(body=_item(service, kept, run), status=201)


@operation(
    "GET",
    "/api/v1/services/{name}/evidence",
    tag="evidence",
    query=parameters.InEnvironment,
    answer=schemas.PushedPage,
    problems=("not-registered",),
)
def list_evidence(call: Call[parameters.InEnvironment]) -> schemas.PushedPage:
    """What was pushed about a service, the newest fifty, newest first."""
    service = _service(call)
    items = [_item(service, kept) for kept in call.deps.store.pushed(service.key, limit=_SHOWN)]
    return schemas.PushedPage(items=items, next=None, total=len(items))


@operation(
    "GET",
    "/api/v1/tokens",
    tag="evidence",
    query=parameters.TokenParameters,
    answer=schemas.TokenPage,
)
def list_tokens(call: Call[parameters.TokenParameters]) -> schemas.TokenPage:
    """The tokens with which pipelines push: of which service, until when, when last used. Never the tokens."""
    items = [_shown(token, call) for token in call.deps.store.tokens(call.query.service or "")]
    return schemas.TokenPage(items=items, next=None, total=len(items))


@operation(
    "POST",
    "/api/v1/tokens",
    tag="evidence",
    answer=schemas.NewToken,
    status=201,
    body=token_schema,
    problems=("bad-request", "refused", "key-reused", "too-large", "unsupported-media-type"),
    example={"service": "payments", "name": "payments-ci", "kinds": ["drill"], "expires": "30d"},
    shown_once=True,
)
def create_token(call: Call[Any]) -> Reply:
    """Make a token with which a pipeline may push about one service.

    The answer is the only place where the token is ever shown: the store keeps a digest of it. It lives for ninety days
    at most.
    """
    try:
        asked = validator(schemas.TokenRequest).validate_python(call.body)
    except ValidationError as error:
        raise invalid("body", error) from error
    service = call.deps.store.service(ServiceKey(asked.service))
    if service is None:
        raise _refused("service", f"{asked.service} is not registered")
    try:
        made, whole = call.deps.store.create_token(
            name=asked.name or f"{service.name}-push"[:63].rstrip("-"),
            service=service.name,
            kinds=asked.kinds,
            now=call.now,
            life=parse_duration(asked.expires),
            created_by="api",
        )
    except ValueError as error:
        raise _refused("expires", str(error)) from error
    log.info("token created", service=made.service, token=made.id, name=made.name)
    return Reply(body=schemas.NewToken(**_shown(made, call).model_dump(), token=whole), status=201)


@operation("DELETE", "/api/v1/tokens/{token}", tag="evidence", answer=schemas.TokenItem, problems=("not-found",))
def revoke_token(call: Call[Any]) -> schemas.TokenItem:
    """Let a token open nothing more, from now on. It stays in the list, as revoked."""
    revoked = call.deps.store.revoke_token(call.path["token"], call.now)
    if revoked is None:
        raise problem("not-found", f"there is no token {call.path['token'][:40]!a}")
    log.info("token revoked", service=revoked.service, token=revoked.id, name=revoked.name)
    return _shown(revoked, call)


# --- what is pushed --------------------------------------------------------------------------------------------------


def _service(call: Call[parameters.InEnvironment]) -> Service:
    key = ServiceKey(call.path["name"], call.query.environment)
    found = call.deps.store.service(key)
    if found is None:
        raise problem("not-registered", f"{str(key)[:130]} is not registered")
    return found


def _read(body: Any) -> tuple[PushedKind, Any]:  # noqa: ANN401 - any JSON
    """The kind and the document of a body."""
    if not isinstance(body, dict) or set(body) != {"kind", "document"}:
        raise _invalid((), "an object with kind and document, and nothing else, is expected")
    if body["kind"] not in list(PushedKind):
        raise _invalid(("kind",), f"one of {', '.join(PushedKind)} is expected")
    kind, document = PushedKind(body["kind"]), body["document"]
    allowed = (dict, str) if kind is PushedKind.TEST_REPORT else (dict,)
    if not isinstance(document, allowed):
        raise _invalid(("document",), "an object is expected")
    return kind, document


def _refuse_report(document: Any, service: Service, call: Call[Any]) -> None:  # noqa: ANN401 - any JSON
    try:
        report = report_of(Document.of(document, name="document"))
    except ReportError as error:
        errors = [(("body", "document", *path_of(found.key)), found.message) for found in error.problems]
        where = ".".join(map(str, errors[0][0]))
        raise problem("invalid", f"{where}: {errors[0][1]}", errors=errors) from error
    if report.service not in {service.name, *service.formerly}:
        raise _refused("document.service", f"the report is of {report.service[:63]!a}, not of {service.name}")
    wrong = contradictions(report, call.now)
    if wrong:
        raise problem(
            "refused", f"the report proves nothing: {wrong[0]}", errors=[(("body", "document"), one) for one in wrong]
        )


def _judge_now(call: Call[Any], service: Service, kind: PushedKind, token: Token) -> int | None:
    """Measure the row that rests on what was pushed; None where none does."""
    evidence = JUDGED_BY.get(kind)
    rows = [row.id for row in call.deps.store.primary(service).rows for check in row.checks if evidence in check.kinds]
    return call.deps.measure(service.key, rows[0], f"push by {token.name}") if rows else None


def _item(service: Service, kept: Pushed, run: int | None = None) -> schemas.PushedItem:
    return schemas.PushedItem(
        id=kept.id,
        service=service.name,
        environment=service.environment,
        kind=kept.kind,
        received_at=kept.received_at,
        pushed_by=kept.pushed_by,
        provenance=kept.provenance,
        digest=kept.digest,
        run=run,
    )


# --- tokens ----------------------------------------------------------------------------------------------------------


def _shown(token: Token, call: Call[Any]) -> schemas.TokenItem:
    return schemas.TokenItem(
        id=token.id,
        name=token.name,
        service=token.service,
        kinds=list(token.kinds),
        created_at=token.created_at,
        created_by=token.created_by,
        expires_at=token.expires_at,
        revoked_at=token.revoked_at,
        last_used_at=token.last_used_at,
        active=token.active(call.now),
    )


def _invalid(path: tuple[str, ...], message: str) -> Problem:
    where = ("body", *path)
    return problem("invalid", f"{'.'.join(where)}: {message}", errors=[(where, message)])


def _refused(key: str, message: str) -> Problem:
    where = ("body", *key.split("."))
    return problem("refused", f"{'.'.join(where)}: {message}", errors=[(where, message)])


OPERATIONS = (push_evidence, list_evidence, list_tokens, create_token, revoke_token)
