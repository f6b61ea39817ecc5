"""Whether a variable of a definition holds a secret as a literal, by its name and the structure of its value. Pure.

Scanners for secrets look for values of high entropy or of a known shape, and miss `DB_PASSWORD=hunter2`. Here the name
says that it is secret, and the value that it is no reference to where the secret is kept. A value that is a secret by
its own shape (an address with a password, a private key) is one under any name.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

import re2


class SecretKind(StrEnum):
    """What a literal seems to be."""

    PASSWORD = "password"  # noqa: S105 - the word
    TOKEN = "token"  # noqa: S105 - the word
    KEY = "key"
    SECRET = "secret"  # noqa: S105 - the word
    CREDENTIAL = "credential"
    CONNECTION = "connection string"
    ADDRESS = "address with a password"
    PRIVATE_KEY = "private key"


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Tells equal values from different ones without showing either; needs a key, or a short secret could be guessed.

    Without a key it is empty: a digest that anybody can compute again is the secret itself, for a weak one.
    """

    key: bytes = b""

    def __call__(self, value: str) -> str:
        """Sixteen hexadecimal digits of HMAC-SHA256; empty without a key."""
        if not self.key:
            return ""
        return hmac.new(self.key, b"plain secret\0" + value.encode("utf-8", "replace"), hashlib.sha256).hexdigest()[:16]

    def __repr__(self) -> str:
        """Without the key."""
        return f"Fingerprint({'with' if self.key else 'without'} a key)"


def secret_kind(name: str, value: str) -> SecretKind | None:
    """What kind of secret `name=value` holds in plain text; None where it holds none."""
    text = value.strip()
    if not text or is_reference(text):
        return None
    by_value = _by_value(text)
    if by_value is not None:
        return by_value
    kind = secret_name(name)
    return None if kind is None or _says_nothing(text, kind) else kind


def secret_name(name: str) -> SecretKind | None:
    """What the name says that it holds: `DB_PASSWORD` a password; None for `DB_PASSWORD_FILE` and `PATH`."""
    words = tuple(word.lower() for word in _WORD.findall(name))
    if words[-1:] and words[-1].isdecimal() and len(words) > 1:
        words = words[:-1]
    if not words or (words[-1] in _ABOUT and words[-3:] not in _SECRET_IDS) or not _COUNTS.isdisjoint(words):
        return None
    for pair in reversed(tuple(pairwise(words))):
        if pair in _PAIRS:
            return _PAIRS[pair]
    for word in reversed(words):
        if word in _WORDS:
            return _WORDS[word]
    return SecretKind.SECRET if words[-3:] in _SECRET_IDS else None


def is_reference(value: str) -> bool:
    """Whether the value says where the secret is kept, and is not the secret: `arn:…`, `${DB_PASSWORD}`, `/run/…`."""
    text = value.strip()
    default = _DEFAULTED.fullmatch(text)
    if default is not None:
        # `${DB_PASSWORD:-hunter2}` is hunter2 wherever nobody sets it.
        return not default.group(1) or is_reference(default.group(1))
    return any(pattern.fullmatch(text) is not None for pattern in _REFERENCES)


def _by_value(text: str) -> SecretKind | None:
    if _PRIVATE_KEY.search(text):
        return SecretKind.PRIVATE_KEY
    if _TOKEN.search(text):
        return SecretKind.TOKEN
    for found in _USERINFO.finditer(text):
        password = found.group(1)
        if password and not is_reference(password) and not _MASKED.fullmatch(password):
            return SecretKind.ADDRESS
    return None


def _says_nothing(text: str, kind: SecretKind) -> bool:
    """A switch, a mask, or an address without a password in it where a token is fetched."""
    if text.lower() in _SWITCHES or _MASKED.fullmatch(text) is not None:
        return True
    return kind is not SecretKind.CONNECTION and _ADDRESS.match(text) is not None


# `dbPassword`, `DB_PASSWORD` and `db-password` are the same words; a number counts only behind one (`TOKEN2`).
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")

_BY_KIND: Mapping[SecretKind, str] = {
    SecretKind.PASSWORD: "password passwords passwd pwd pass pw passphrase passcode pgpassword dbpassword userpassword "
    "rootpassword pgpass requirepass pin",
    SecretKind.TOKEN: "token tokens jwt bearer pat authtoken accesstoken",
    SecretKind.SECRET: "secret secrets clientsecret appsecret pepper",
    SecretKind.KEY: "apikey secretkey privatekey accesskey",
    SecretKind.CREDENTIAL: "credential credentials creds cred authorization",
    SecretKind.CONNECTION: "dsn",
}
_WORDS: Mapping[str, SecretKind] = {word: kind for kind, words in _BY_KIND.items() for word in words.split()}
_KEYS = (
    "access account api app auth encryption hmac license master private secret session signing storage webhook "
    "integration"
)
_PAIRS: Mapping[tuple[str, str], SecretKind] = {
    **{(word, "key"): SecretKind.KEY for word in _KEYS.split()},
    ("connection", "string"): SecretKind.CONNECTION,
    ("basic", "auth"): SecretKind.CREDENTIAL,
    ("redis", "auth"): SecretKind.PASSWORD,
}
_ABOUT = frozenset(
    {
        "age", "alg", "algorithm", "algorithms", "arn", "arns", "attempts", "audience", "backend", "bucket", "cache",
        "class", "config", "cookie", "count", "days", "description", "dir", "directory", "disabled", "domain",
        "enabled", "encoding", "endpoint", "env", "error", "expiration", "expires", "expiry", "field", "file",
        "files", "fingerprint", "format", "from", "group", "header", "host", "hostname", "hours", "id", "ids",
        "interval", "issuer", "kind", "label", "leeway", "length", "level", "lifetime", "limit", "location", "manager",
        "max", "method", "min", "minutes", "mode", "mount", "name", "names", "namespace", "optional", "parameter",
        "path", "paths", "pattern", "period", "policy", "port", "prefix", "provider", "ref", "region", "required",
        "retries", "role", "rotation", "scheme", "scope", "scopes", "seconds", "server", "service", "size", "source",
        "stage", "status", "store", "strategy", "suffix", "table", "template", "timeout", "topic", "ttl", "type",
        "unit", "uri", "url", "usage", "user", "username", "vault", "version", "window",
    }
)  # fmt: skip
"""Last words of names that are about a secret and do not hold it."""
_COUNTS = frozenset({"max", "min", "num", "minimum", "maximum", "public"})
"""`MAX_TOKENS` is a number, `TOKEN_PUBLIC_KEY` is for everybody."""
_SECRET_IDS = frozenset({("vault", "secret", "id"), ("approle", "secret", "id"), ("role", "secret", "id")})
"""What Vault calls an id is the password of an AppRole (https://developer.hashicorp.com/vault/docs/auth/approle)."""
_SWITCHES = frozenset(
    {
        "true", "false", "yes", "no", "on", "off", "enabled", "disabled", "none", "null", "nil", "required", "optional",
        "default", "auto", "0", "1",
    }
)  # fmt: skip

# Foreign text: every pattern on values runs on google-re2, in time that is linear in their length.
_MASKED = re2.compile(r"(?i)[*•x]{3,}|\[?(?:redacted|masked|hidden|removed)\]?|<[^<>]*>")
_ADDRESS = re2.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://")
_DEFAULTED = re2.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*:?-(.*)\}")
_REFERENCES = tuple(
    re2.compile(pattern)
    for pattern in (
        r"arn:[a-z0-9-]+:[a-z0-9-]+:.*",
        r"\$\{[^{}]*\}",  # shells, compose, Terraform, CloudFormation's Sub
        r"\$\([^()]*\)",  # Kubernetes and Azure: $(NAME)
        r"\$[A-Za-z_][A-Za-z0-9_]*",
        r"\{\{.*\}\}",  # Helm, Jinja, CloudFormation's {{resolve:secretsmanager:…}}
        r"<%=.*%>",
        r"!(?:Ref|GetAtt|Sub|ImportValue)\b.*",
        r"(?:vault|ssm|secretsmanager|keyvault|parameterstore|doppler|infisical|conjur):[A-Za-z0-9_./{}#:@-]+",
        r"(?:op|bws|sm|gcpsm|awssm|awsps|env|file|kms|vault|ref\+[a-z0-9]+)://.*",
        r"@Microsoft\.KeyVault\(.*\)",
        r"projects/[^/]+/secrets/.+",
        r"/(?:run|var/run|etc|mnt|vault|opt|secrets|app|home|tmp|usr|var|dev)/\S*",
        r"AQICAH[A-Za-z0-9+/=]{20,}",  # what KMS encrypted, as base64: it opens with its header
        r"ENC\[.*\]",  # sops
        r"(?s)\$ANSIBLE_VAULT;.*",
    )
)
_PRIVATE_KEY = re2.compile(r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----")
_TOKEN = re2.compile(
    r"\b(?:(?:AKIA|ASIA)[A-Z0-9]{16}|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_.-]{15,}"
    r"|xox[abeoprs]-[A-Za-z0-9-]{8,}|[rs]k_(?:live|test)_[A-Za-z0-9]{10,}|npm_[A-Za-z0-9]{30,}|hv[bsr]\.[A-Za-z0-9_-]{20,}"
    r"|SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}|eyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]+)"
)
_USERINFO = re2.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://[^/?#\s\"'<>@:]*:((?:\$\{[^}]*\}|[^/?#\s\"'<>@])*)@")
