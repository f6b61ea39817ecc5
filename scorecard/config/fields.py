"""The kinds of value that stand in configuration and catalogue: addresses, networks, labels, secrets, paths.

Each refuses with a sentence for the person who wrote the value.
"""

import ipaddress
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, GetCoreSchemaHandler, PlainValidator, ValidationInfo
from pydantic_core import CoreSchema, core_schema

from scorecard.egress.policy import NEVER

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

LABEL_PATTERN = "[a-z0-9]([a-z0-9-]*[a-z0-9])?"
_LABEL = re.compile(LABEL_PATTERN)
_LABEL_LENGTH = 63
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_UNPRINTABLE = frozenset({"Cc", "Cs", "Co", "Cn"})
_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """A text that is never printed: not by repr, not in a traceback, not in a log of what holds it."""

    _text: str

    def reveal(self) -> str:
        """The secret itself, for the one call that sends it."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(***)"

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: object, _handler: GetCoreSchemaHandler) -> CoreSchema:
        def read(value: object) -> Secret:
            if isinstance(value, str) and value.strip():
                return cls(value.strip())
            raise ValueError("a text that is not empty is expected")

        return core_schema.no_info_plain_validator_function(
            read, json_schema_input_schema=core_schema.str_schema(metadata={"pydantic_js_extra": {"writeOnly": True}})
        )


def label(text: str) -> str:
    """Accept what may be a label of a metric, a part of a path and a word on a page."""
    if not _LABEL.fullmatch(text) or len(text) > _LABEL_LENGTH:
        raise ValueError(
            f"{text[:80]!a} is not a name of lower-case letters, digits and hyphens inside, at most {_LABEL_LENGTH}"
        )
    return text


def clean(text: str) -> str:
    """Accept a text that can be shown: no control character but tab and newline, no surrogate, no bidi override."""
    if text.isascii() and text.isprintable():
        return text
    for character in text:
        if character in "\n\t":
            continue
        if unicodedata.category(character) in _UNPRINTABLE or character in _BIDI:
            raise ValueError(f"the character U+{ord(character):04X} cannot be shown or stored")
    return text


def web_address(text: str) -> str:
    """Accept an absolute http or https address without credentials.

    Raises:
        ValueError: for another scheme, no host, a bad port, white space, or a user name in it.
    """
    clean(text)
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError as error:
        raise ValueError(f"{text[:80]!a} is not an address: {error}") from None
    if parts.scheme not in {"http", "https"}:
        raise ValueError(f"an absolute http or https address is expected, not {_without_credentials(text)[:80]!a}")
    if parts.username is not None or parts.password is not None:
        raise ValueError("a user name or password in an address leaks into evidence and logs; leave it out")
    if not parts.hostname or any(character.isspace() for character in text):
        raise ValueError(f"{text[:80]!a} names no host, or has white space in it")
    return text


def path_or_web_address(text: str) -> str:
    """Accept a path that begins with `/`, or an absolute address."""
    if _SCHEME.match(text) or not text.startswith("/") or text.startswith("//"):
        if not _SCHEME.match(text):
            raise ValueError(f"a path that begins with one / or an absolute address is expected, not {text[:80]!a}")
        return web_address(text)
    if any(character.isspace() for character in clean(text)):
        raise ValueError(f"{text[:80]!a} has white space in it")
    return text


def has_password(text: str) -> bool:
    """Whether the text is an address with a password in it, such as `postgresql://user:pw@host/db`."""
    if "://" not in text or "@" not in text:
        return False
    authority = re.split(r"[/?#\s]", text.split("://", 1)[1], maxsplit=1)[0]
    return ":" in authority.rpartition("@")[0]


def _without_credentials(text: str) -> str:
    return re.sub(r"(?<=://)[^/@\s]*@", "***@", text)


def _network(text: object) -> Network:
    if isinstance(text, ipaddress.IPv4Network | ipaddress.IPv6Network):
        return text
    if not isinstance(text, str):
        raise ValueError("a network such as 10.0.0.0/8 or an address is expected")  # noqa: TRY004 - pydantic's protocol
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        try:
            meant = ipaddress.ip_network(text, strict=False)
        except ValueError:
            raise ValueError(f"{text[:80]!a} is not a network such as 10.0.0.0/8, nor an address") from None
        raise ValueError(f"{text} has bits set to the right of its mask; the network is {meant}") from None
    for never in NEVER:
        if network.version == never.version and network.subnet_of(never):  # type: ignore[arg-type]  # same version
            raise ValueError(f"{network} lies in {never}, which is never probed")
    if network.is_loopback and network.num_addresses > 1:
        raise ValueError(f"{network} is loopback, which is probed at exact addresses only: list each one")
    return network


def _resolved(path: Path, info: ValidationInfo) -> Path:
    base: Path = (info.context or {}).get("base", Path())
    return base / path


def _listed(value: object) -> object:
    # A validator before the type's own makes the input a Python value, of which strict mode takes tuples only.
    if isinstance(value, list):
        return tuple(value)
    return (value,) if isinstance(value, str) else value


def _list_or_one(schema: dict[str, Any]) -> None:
    items = schema.pop("items")
    schema.pop("type")
    schema["anyOf"] = [items, {"type": "array", "items": items}]


WebAddress = Annotated[str, AfterValidator(web_address), Field(json_schema_extra={"format": "uri"})]
LabelText = Annotated[
    str, AfterValidator(label), Field(json_schema_extra={"pattern": f"^{LABEL_PATTERN}$", "maxLength": _LABEL_LENGTH})
]
CleanText = Annotated[str, AfterValidator(clean)]
ProbeNetwork = Annotated[
    Network,
    PlainValidator(_network, json_schema_input_type=str),
]
LocalPath = Annotated[Path, AfterValidator(_resolved)]
Texts = Annotated[tuple[CleanText, ...], BeforeValidator(_listed), Field(json_schema_extra=_list_or_one)]
EnvironmentSecret = Annotated[Secret | None, Field(repr=False, json_schema_extra={"environmentOnly": True})]
