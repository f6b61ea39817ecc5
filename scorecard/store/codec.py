"""Values to JSON and back. What cannot be read back is said to be missing, never guessed."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from scorecard.checklist import NotApplicable
from scorecard.evidence import Absent, Answer, Evidence, Sample, Unavailable, Window
from scorecard.evidence.upgrades import upgrade
from scorecard.judge import Judged
from scorecard.model import Cause, GatePolicy, Service, Team
from scorecard.validators import validator

_EXHIBITS = {"exhibits"}


@cache
def kinds() -> dict[str, type[Evidence]]:
    """Every kind of evidence that is imported, by the name under which it is stored."""
    found: dict[str, type[Evidence]] = {}
    todo = [Evidence]
    while todo:
        for kind in todo.pop().__subclasses__():
            found[kind.kind()] = kind
            todo.append(kind)
    return found


def digest(text: str) -> str:
    """`sha256:` of a stored text."""
    return "sha256:" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def encode_answer(answer: Answer, *, exhibits: bool = True) -> str:
    """An answer as JSON, with its schema version; in place of evidence that has none, that it cannot be stored."""
    try:
        return _encoded(answer, exhibits=exhibits)
    except Exception as error:  # noqa: BLE001 - the others of its shard are stored with it, in one transaction
        words = f"{type(answer).__name__} as its probe answered it cannot be stored: {type(error).__name__}"
        return _encoded(Unavailable(Cause.PROBE_ERROR, words), exhibits=exhibits)


def _encoded(answer: Answer, *, exhibits: bool) -> str:
    if isinstance(answer, Unavailable):
        return '{"unavailable":' + _dump(validator(Unavailable), answer, exclude_defaults=True) + "}"
    if isinstance(answer, Absent):
        return '{"absent":' + _dump(validator(Absent), answer) + "}"
    body = _dump(validator(type(answer)), answer, exclude_defaults=True, exclude=None if exhibits else _EXHIBITS)
    return f'{{"schema":{answer.schema},"evidence":{body}}}'


def decode_answer(kind: type[Evidence], text: str) -> Answer:
    """Read what `encode_answer` wrote, upgraded to today's schema; `unknown: no_data` where that is not possible."""
    try:
        return _decode(kind, json.loads(text))
    except (ValueError, KeyError, TypeError) as error:
        problem = str(error).splitlines()[0] if str(error) else type(error).__name__
        return Unavailable(Cause.NO_DATA, f"stored {kind.kind()} evidence cannot be read by this version: {problem}")


def _decode(kind: type[Evidence], body: dict[str, Any]) -> Answer:
    if "unavailable" in body:
        return validator(Unavailable).validate_python(body["unavailable"])
    if "absent" in body:
        return validator(Absent).validate_python(body["absent"])
    value = upgrade(kind, body["schema"], body["evidence"])
    adapter = validator(kind)
    answer: Answer
    try:
        answer = adapter.validate_python(value)
    except ValidationError:
        # JSON mode takes a few spellings that the quicker one does not, such as bytes in base64.
        answer = adapter.validate_json(json.dumps(value))
    return answer


class _Kept(Sample[Any]):
    """A sample that was read from the store, with its text: it is written again with every later one of its window."""

    __slots__ = ("text",)
    text: str

    def __init__(self, at: datetime, value: Any, text: str) -> None:  # noqa: ANN401 - an answer
        super().__init__(at, value)
        object.__setattr__(self, "text", text)

    def __eq__(self, other: object) -> bool:
        """It is the sample that was written."""
        return isinstance(other, Sample) and (self.at, self.value) == (other.at, other.value)

    def __hash__(self) -> int:
        return hash((self.at, self.value))


def encode_window(window: Window[Any]) -> bytes:
    """Samples, compressed: twenty of them say nearly the same. Exhibits stay with the newest observation."""
    samples = [
        [
            sample.at.timestamp(),
            sample.text if isinstance(sample, _Kept) else encode_answer(sample.value, exhibits=False),
        ]
        for sample in window.samples
    ]
    return zlib.compress(json.dumps(samples, separators=(",", ":")).encode(), 1)


def decode_window(kind: type[Evidence], packed: bytes) -> Window[Any] | None:
    """Read what `encode_window` wrote; None where that is not possible."""
    try:
        samples = json.loads(zlib.decompress(packed))
        # Most of them say the same, and what is frozen can be shared.
        answers = {text: decode_answer(kind, text) for _, text in samples}
        return Window(tuple(_Kept(datetime.fromtimestamp(at, UTC), answers[text], text) for at, text in samples))
    except (ValueError, zlib.error, TypeError):
        return None


@lru_cache(maxsize=4096)
def encode_judged(judged: Judged) -> str:
    """A finding as JSON."""
    return _dump(validator(Judged), judged, exclude_defaults=True)


def decode_judged(text: str) -> Judged:
    """Read what `encode_judged` wrote."""
    return validator(Judged).validate_json(text)


def encode_exclusion(exclusion: NotApplicable) -> str:
    """Why a row does not apply, as JSON."""
    return _dump(validator(NotApplicable), exclusion, exclude_defaults=True)


def decode_exclusion(text: str) -> NotApplicable:
    """Read what `encode_exclusion` wrote."""
    return validator(NotApplicable).validate_json(text)


def encode_service(service: Service) -> str:
    """A service as JSON."""
    return _dump(validator(Service), service, exclude_defaults=True)


@lru_cache(maxsize=20_000)
def decode_service(text: str) -> Service:
    """Read what `encode_service` wrote. The same text is the same frozen value: every cycle reads every service."""
    return validator(Service).validate_json(text)


def encode_team(team: Team) -> str:
    """A team as JSON."""
    return _dump(validator(Team), team, exclude_defaults=True)


def decode_team(text: str) -> Team:
    """Read what `encode_team` wrote."""
    return validator(Team).validate_json(text)


def encode_policy(policy: GatePolicy) -> str:
    """A launch bar as JSON."""
    return _dump(validator(GatePolicy), policy)


def clean(words: str) -> str:
    """A text as both databases hold it: PostgreSQL has no NUL, neither has lone surrogates."""
    return words.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")


def _dump(
    adapter: TypeAdapter[Any], value: object, *, exclude_defaults: bool = False, exclude: set[str] | None = None
) -> str:
    """A value as JSON. What a hostile answer left in it that no text can hold is replaced."""
    try:
        return adapter.dump_json(value, exclude_defaults=exclude_defaults, exclude=exclude).decode()
    except PydanticSerializationError:
        plain = adapter.dump_python(_cleaned(value), mode="json", exclude_defaults=exclude_defaults, exclude=exclude)
        return json.dumps(plain, ensure_ascii=False, separators=(",", ":"))


def _cleaned(value: Any) -> Any:  # noqa: ANN401 - any value made of dataclasses, tuples, mappings and texts
    if isinstance(value, str) and type(value) is str:
        return value.encode("utf-8", "replace").decode()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.replace(
            value,
            **{field.name: _cleaned(getattr(value, field.name)) for field in dataclasses.fields(value) if field.init},
        )
    if isinstance(value, Mapping):
        return {_cleaned(key): _cleaned(entry) for key, entry in value.items()}
    if isinstance(value, tuple):
        return tuple(_cleaned(entry) for entry in value)
    return value
