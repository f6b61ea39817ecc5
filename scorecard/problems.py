"""What is wrong with a file that a person wrote, said with file, line and key. Pure.

`explain` turns pydantic's errors into problems; the schema says which keys would have been right.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scorecard.json_schema import known_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pydantic import ValidationError

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong, and where."""

    file: str
    """The file as the person knows it, or the environment variable."""
    line: int
    """From 1; 0 where no line is known."""
    key: str
    """The key in dots, such as `spec.health.liveness`; empty for the whole document."""
    message: str
    """What was seen and what is expected."""
    nearest: str = ""
    """The known key or value that is nearest to what was written; empty where there is none."""

    @property
    def where(self) -> str:
        """`file:line`."""
        return f"{self.file}:{self.line}" if self.line else self.file

    def __str__(self) -> str:
        hint = f"; did you mean `{self.nearest}`?" if self.nearest else ""
        return f"{self.where}: {self.key}{': ' if self.key else ''}{self.message}{hint}"


def dotted(path: Iterable[str | int]) -> str:
    """`("spec", "links", 0, "url")` as `spec.links[0].url`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else str(step)
    return text


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that is nearest, or an empty text when none is near."""
    folded = {candidate.lower().replace("-", "_"): candidate for candidate in known}
    found = difflib.get_close_matches(word.lower().replace("-", "_"), folded, n=1, cutoff=0.6)
    return folded[found[0]] if found else ""


def explain(
    error: ValidationError,
    *,
    schema: Mapping[str, Any],
    locate: Callable[[Path], tuple[str, int, Path]],
) -> tuple[Problem, ...]:
    """Say each of pydantic's errors as a problem.

    `locate` gives file, line and path *as the person wrote it* for the path of a key as it was validated.
    """
    problems = []
    for found in error.errors(include_url=False):
        path: Path = tuple(step for step in found["loc"] if step != "[key]")
        message, near = _said(found, known_keys(schema, path[:-1]))
        file, line, written = locate(path)
        problems.append(Problem(file, line, dotted(written), message, near))
    return tuple(dict.fromkeys(problems))


def _said(found: Any, known: tuple[str, ...]) -> tuple[str, str]:  # noqa: ANN401 - pydantic_core's ErrorDetails
    """The message for a person, and the nearest known key or value."""
    kind, value, context = found["type"], found["input"], found.get("ctx", {})
    if kind in {"extra_forbidden", "unexpected_keyword_argument"}:
        near = nearest(str(found["loc"][-1]), known)
        return ("unknown key" if near or not known else f"unknown key; known here: {', '.join(known)}"), near
    if kind in {"missing", "missing_keyword_only_argument"}:
        return "is missing", ""
    if kind in {"enum", "literal_error"}:
        values = re.findall(r"'([^']*)'", str(context.get("expected", "")))
        return f"{shown(value)} is not one of {', '.join(values)}", nearest(str(value), values)
    if kind == "value_error":
        return str(context["error"]), ""
    return _KINDS[kind](value) if kind in _KINDS else f"{shown(value)}: {found['msg'][0].lower()}{found['msg'][1:]}", ""


def _text_expected(value: object) -> str:
    quoted = isinstance(value, bool | int | float)
    return f"text is expected, not {shown(value)}" + ("; put it in quotes" if quoted else "")


def _truth_expected(value: object) -> str:
    return f"true or false is expected, not {shown(value)}"


def _date_expected(value: object) -> str:
    return f"{shown(value)} is not a day such as 2027-03-01"


def _mapping_expected(value: object) -> str:
    return f"a mapping is expected, not {shown(value)}"


def _list_expected(value: object) -> str:
    return f"a list is expected, not {shown(value)}"


def _number_expected(value: object) -> str:
    return f"a number is expected, not {shown(value)}"


_KINDS: dict[str, Callable[[object], str]] = {
    "string_type": _text_expected,
    "bool_type": _truth_expected,
    "bool_parsing": _truth_expected,
    "date_type": _date_expected,
    "date_parsing": _date_expected,
    "date_from_datetime_parsing": _date_expected,
    "date_from_datetime_inexact": _date_expected,
    "dataclass_type": _mapping_expected,
    "dataclass_exact_type": _mapping_expected,
    "model_type": _mapping_expected,
    "model_attributes_type": _mapping_expected,
    "dict_type": _mapping_expected,
    "mapping_type": _mapping_expected,
    "tuple_type": _list_expected,
    "list_type": _list_expected,
    "int_type": _number_expected,
    "int_parsing": _number_expected,
    "int_from_float": _number_expected,
    "float_type": _number_expected,
    "float_parsing": _number_expected,
}

_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]*@")
_SHOWN = 60


def shown(value: object) -> str:
    """A value in a message: short, on one line, without the credentials of a URL."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    text = _CREDENTIALS.sub("***@", str(value))
    text = text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
    return f"`{ascii(text)[1:-1] if not text.isprintable() else text}`"
