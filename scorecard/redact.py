"""Takes secrets out of what is kept or shown: excerpts of evidence, log lines, error messages.

Two ways, both always: by key (whatever stands under `password`) and by value (whatever looks like a token). A redaction
too many costs a person a look at the source; one too few puts a secret into the store. Runs on google-re2, since the
text is foreign and time must be linear in its length.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import re
from collections.abc import Callable, Mapping
from enum import Enum
from itertools import pairwise
from typing import Any, TypeVar, cast

import re2

MARK = "[redacted]"

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")

_SECRET_WORDS = frozenset(
    {
        "authorization", "bearer", "cookie", "cookies", "credential", "credentials", "dsn", "jwt", "passphrase",
        "passwd", "password", "passwords", "pwd", "secret", "secrets", "signature", "token", "tokens", "apikey",
    }
)  # fmt: skip
_SECRET_PAIRS = frozenset(
    {
        ("access", "key"), ("account", "key"), ("api", "key"), ("connection", "string"), ("encryption", "key"),
        ("master", "key"), ("private", "key"), ("secret", "key"), ("session", "id"), ("session", "key"),
        ("signing", "key"), ("admin", "pass"), ("auth", "pass"), ("database", "pass"), ("db", "pass"),
        ("mysql", "pass"), ("postgres", "pass"), ("redis", "pass"), ("smtp", "pass"), ("user", "pass"),
    }
)  # fmt: skip
_NOT_THE_SECRET = frozenset(
    {
        "age", "alg", "arn", "arns", "count", "description", "digest", "endpoint", "env", "expires", "expiry", "field",
        "file", "fingerprint", "header", "kind", "length", "location", "manager", "name", "names", "path", "policy",
        "rotation", "status", "store", "ttl", "type", "uri", "url", "version",
    }
)  # fmt: skip
_PLURALS = frozenset({"cookies", "credentials", "passwords", "secrets", "tokens"})


def secret_key(name: str) -> bool:
    """Whether what stands under this key is a secret: `DB_PASSWORD`, `apiKey`; not `SECRET_ARN`, `token_ttl`."""
    words = [word.lower() for word in _WORD.findall(name)]
    if not words or words[-1] in _NOT_THE_SECRET:
        return False
    if words[-2:] == ["key", "id"]:
        return False  # an access key's id is told by its own shape, not by its key
    return any(word in _SECRET_WORDS for word in words) or any(pair in _SECRET_PAIRS for pair in pairwise(words))


def redact_text(text: str) -> str:
    """The text without what looks like a secret, and without lone surrogates, which nothing downstream can encode."""
    if not text.isascii():
        text = text.encode("utf-8", "backslashreplace").decode()
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text


def redact(value: Any, key: str = "") -> Any:  # noqa: ANN401 - any JSON, and whatever a log call was given
    """The same value with every secret in it replaced, by key and by value."""
    if isinstance(value, Mapping):
        return {str(name): redact(child, str(name) if not secret_key(key) else key) for name, child in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redact(child, key) for child in value]
    if isinstance(value, bytes):
        value = value.decode("utf-8", "backslashreplace")
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float):
        return MARK if secret_key(key) and _singular(key) else value
    text = value if isinstance(value, str) else str(value)
    return MARK if text and secret_key(key) else redact_text(text)


V = TypeVar("V")


def without_secrets(value: V) -> V:
    """A value of dataclasses, tuples, mappings and text with every secret in its text replaced; the same otherwise.

    The type stays as it is, so that evidence can be judged; what has no secret in it is returned itself.
    """
    if isinstance(value, str) and not isinstance(value, Enum):
        return cast("V", redact_text(value))
    if isinstance(value, tuple):
        parts = tuple(without_secrets(part) for part in value)
        return cast("V", parts) if parts != value else value
    if isinstance(value, Mapping):
        return cast("V", {key: _child(key, child) for key, child in value.items()})
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        changed = {}
        for each in dataclasses.fields(value):
            old = getattr(value, each.name)
            new = without_secrets(old)
            if new is not old and new != old:
                changed[each.name] = new
        return dataclasses.replace(value, **changed) if changed else value
    return value


def _child(key: object, child: object) -> object:
    if isinstance(child, str) and not isinstance(child, Enum):
        return redact(child, str(key))
    return without_secrets(child)


def _singular(key: str) -> bool:
    """`secrets: 3` is a count, `token: 381922` is not."""
    words = [word.lower() for word in _WORD.findall(key)]
    return words[-1] not in _PLURALS


def _whole(_found: Any) -> str:  # noqa: ANN401 - re2 has no type for a match
    return MARK


def _after(found: Any) -> str:  # noqa: ANN401 - as above
    return f"{found.group(1)}{MARK}"


def _credentials(found: Any) -> str:  # noqa: ANN401 - as above
    return f"{found.group(1)}***@"


def _assignment(found: Any) -> str:  # noqa: ANN401 - as above
    name, between, value = found.group(1), found.group(2), found.group(3)
    bare = value.strip("\"'")
    if not bare or not secret_key(name) or bare.startswith(("${", "{{", "arn:", "[redacted", "***")):
        return str(found.group(0))
    quote = value[0] if value[0] in "\"'" else ""
    return f"{name}{between}{quote}{MARK}{quote}"


def _scheme(found: Any) -> str:  # noqa: ANN401 - as above
    """`Bearer abc…`, `Basic dXNlcjpwdw==`; not "bearer authentication" nor "basic requirements"."""
    scheme, value = found.group(1), found.group(3)
    secret = not value.isalpha() if scheme.lower() == "bearer" else _is_basic(value)
    return f"{scheme}{found.group(2)}{MARK}" if secret else str(found.group(0))


def _is_basic(value: str) -> bool:
    try:
        return b":" in base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return False


_TOKENS = (
    r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b",
    r"\beyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]*){1,3}",
    r"\bgh[pousr]_[A-Za-z0-9]{20,}",
    r"\bgithub_pat_[A-Za-z0-9_]{20,}",
    r"\bgl(?:pat|ptt|cbt|dt|rt|soat|ft|imt)-[A-Za-z0-9_.-]{15,}",
    r"\bgl(?:sa|c)_[A-Za-z0-9_=]{20,}",
    r"\bxox[abeoprs]-[A-Za-z0-9-]{8,}",
    r"\bxapp-[A-Za-z0-9-]{8,}",
    r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{10,}",
    r"\bwhsec_[A-Za-z0-9+/=]{16,}",
    r"\bAIza[A-Za-z0-9_-]{30,}",
    r"\bya29\.[A-Za-z0-9_-]{20,}",
    r"\bnpm_[A-Za-z0-9]{30,}",
    r"\bpypi-[A-Za-z0-9_-]{30,}",
    r"\bhv[bsr]\.[A-Za-z0-9_-]{20,}",
    r"\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",
    r"\bdop_v1_[a-f0-9]{32,}",
    r"\brsc_[a-f0-9]{12}_[A-Za-z0-9_-]{20,}",
    r"\bsk-[A-Za-z0-9_-]{20,}",
)

_Replacement = Callable[[Any], str]


def _quiet() -> re2.Options:
    """Room for the many kinds of tokens in one automaton; where it is not enough the slower way is taken silently."""
    options = re2.Options()
    options.max_mem = 32 << 20
    options.log_errors = False
    return options


_RULES: tuple[tuple[Any, _Replacement], ...] = (
    (
        re2.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----(?s:.*?)(?:-----END [A-Z0-9 ]*-----|\z)"),
        _whole,
    ),
    (re2.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*://)[^/?#\s\"'<>@]*(?:@[^/?#\s\"'<>@]*)*@"), _credentials),
    (re2.compile(r"(https://hooks\.slack\.com/(?:services|workflows)/)[A-Za-z0-9/_-]+"), _after),
    (re2.compile(r"(?i)\b((?:proxy-)?authorization[\"']?\s*[:=]\s*[\"']?)[^\"'\r\n]+"), _after),
    (re2.compile(r"(?i)\b((?:set-)?cookie[\"']?\s*[:=]\s*[\"']?)[^\"'\r\n]+"), _after),
    (re2.compile(r"(?i)\b(bearer|basic)(\s+)([A-Za-z0-9._~+/=-]{8,})"), _scheme),
    (re2.compile("|".join(_TOKENS), _quiet()), _whole),
    # Command lines, XML, and the query of an address that Azure signed name a secret in ways of their own.
    (
        re2.compile(
            r"(?i)(--?(?:[a-z0-9]+-)*(?:passw(?:or)?d|secret|token|api-?key|access-key|secret-key)[ \t]+[\"']?)"
            r"[^\s\"'$\[-][^\s\"']*"
        ),
        _after,
    ),
    (re2.compile(r"(\bcurl\b[^\r\n]*?\s(?:-u|--user)[ =]?[\"']?[^\s:\"']+:)[^\s\"']+"), _after),
    (re2.compile(r"(?i)(<[a-z0-9_.:-]*(?:passw(?:or)?d|secret|token|apikey)>)[^<]+"), _after),
    (re2.compile(r"(?i)([?&;]sig=)[^&\s\"'#]+"), _after),
    (
        re2.compile(
            r"(?i)([a-z0-9_.-]*(?:passw|pwd|passphrase|secret|token|key|credential|dsn|connection|session|signature|jwt|_pass)"
            r"[a-z0-9_.-]*)([\"']?\s*(?:[:=]|%3d)\s*)(\"[^\"\r\n]*\"?|'[^'\r\n]*'?|[^\s,;&\"'}\]]+)"
        ),
        _assignment,
    ),
)
