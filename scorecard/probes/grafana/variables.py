"""What the variables of a dashboard stand for.

The service's value; else the saved one while it is still there; else the first that there is, as Grafana chooses when
the dashboard is opened.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import re2

from scorecard.evidence import Unavailable
from scorecard.evidence.dashboards import Dashboard, Variable
from scorecard.model import Cause
from scorecard.probes.grafana.interpolate import Value, interpolate, names
from scorecard.probes.grafana.times import macros, span

ALL = "$__all"
_MOST_IN_ALL = 200
"""Values that All is spelled out for; with more of them it is any value at all."""
_ANY = ".+"
_QUIET = re2.Options()
_QUIET.log_errors = False
_PARTS = re.compile(r"(?:\\,|[^,])+")
_PAIR = re.compile(r"^(.+?)\s:\s(.+)$", re.DOTALL)
_FLAGS = re.compile(r"^/(.*)/([gimsuy]*)$", re.DOTALL)

Options = Callable[[Variable, str, Mapping[str, Value | Unavailable]], tuple[str, ...] | Unavailable]
"""(variable, its query with variables in place, what is known) to the values that its data source has now."""
Sources = Callable[[Variable], tuple[str, ...] | Unavailable]
"""A data source variable to the uids that it may be, the default first."""


@dataclass
class Resolver:
    """Finds the values of one dashboard's variables, each once, in the order in which they need one another."""

    dashboard: Dashboard
    given: Mapping[str, str]
    """The values that the service gives."""
    options: Options
    sources: Sources
    _found: dict[str, Value | Unavailable] = field(default_factory=dict)
    _open: set[str] = field(default_factory=set)

    def all(self) -> dict[str, Value | Unavailable]:
        """Name to value, the macros that do not depend on a panel among them."""
        for variable in self.dashboard.variables:
            self._of(variable)
        return {**{name: Value((value,)) for name, value in self._unnamed().items()}, **self._found}

    def _unnamed(self) -> Mapping[str, str]:
        """Values that the service gives for variables that the dashboard does not have."""
        declared = {variable.name for variable in self.dashboard.variables}
        return {name: value for name, value in self.given.items() if name not in declared}

    def _of(self, variable: Variable) -> Value | Unavailable:
        name = variable.name
        if name not in self._found:
            if name in self._open:
                return Unavailable(Cause.BAD_RESPONSE, f"the variable {name} needs itself")
            self._open.add(name)
            self._found[name] = self._value(variable)
            self._open.discard(name)
        return self._found[name]

    def _query(self, variable: Variable) -> str | Unavailable:
        """Its query with the other variables in place."""
        wanted = names(variable.query)
        known: dict[str, Value | Unavailable] = {
            other.name: self._of(other) for other in self.dashboard.variables if other.name in wanted
        }
        known |= {name: Value((value,)) for name, value in self._unnamed().items()}
        times = macros(span(self.dashboard.time_from, self.dashboard.time_to), "", "")
        return interpolate(variable.query, {**{k: Value((v,)) for k, v in times.items()}, **known})

    def _value(self, variable: Variable) -> Value | Unavailable:
        several = variable.multi or variable.include_all
        if variable.name in self.given:
            value = self.given[variable.name]
            if value not in {ALL, "All"} or not variable.include_all:
                return Value((value,), several)
            return self._everything(variable, self._choices(variable))
        if variable.type in {"constant", "textbox"}:
            return Value((variable.query,) if variable.type == "constant" or not variable.current else variable.current)
        if variable.type in {"interval", "groupby", "switch", "snapshot", "system"}:
            return self._saved(variable)
        return self._chosen(variable, several=several)

    def _saved(self, variable: Variable) -> Value | Unavailable:
        current = variable.current or tuple(one for one in list_of(variable.query) if one)[:1]
        if variable.type == "interval" and current and current[0].startswith("$__auto"):
            times = macros(span(self.dashboard.time_from, self.dashboard.time_to), "", "")
            return Value((times["__interval"],))
        return Value(current, several=len(current) > 1)

    def _chosen(self, variable: Variable, *, several: bool) -> Value | Unavailable:
        current = variable.current
        kept = bool(current) and current != ("",)
        if variable.type == "query" and kept and not variable.refresh and ALL not in current:
            return Value(current, several)
        choices = self._choices(variable)
        if isinstance(choices, Unavailable):
            # What was saved is what Grafana goes on with, too.
            return Value(current, several) if kept and ALL not in current else self._everything(variable, choices)
        if ALL in current and variable.include_all:
            return self._everything(variable, choices)
        still = tuple(one for one in current if one in choices)
        if still:
            return Value(still, several)
        if variable.include_all:
            return self._everything(variable, choices)
        return Value(choices[:1] or ("",), several)

    def _everything(self, variable: Variable, choices: tuple[str, ...] | Unavailable) -> Value | Unavailable:
        """The value of All."""
        if variable.all_value:
            return Value((variable.all_value,), several=True, raw=True)
        if isinstance(choices, Unavailable):
            return choices
        if len(choices) > _MOST_IN_ALL:
            return Value((_ANY,), several=True, raw=True)
        return Value(choices or ("",), several=True)

    def _choices(self, variable: Variable) -> tuple[str, ...] | Unavailable:
        """The values that it may have now, filtered and sorted as it says."""
        if variable.type == "custom":
            return list_of(variable.query) or variable.options
        if variable.type == "datasource":
            found = self.sources(variable)
            return found if isinstance(found, Unavailable) else tuple(found)
        if variable.type != "query":
            return Unavailable(Cause.NOT_SUPPORTED, f"the variable {variable.name} is of the type {variable.type}")
        query = self._query(variable)
        if isinstance(query, Unavailable):
            return query
        values = self.options(variable, query, self._found)
        if isinstance(values, Unavailable):
            return values
        return ordered(filtered(values, variable), variable.sort)


def list_of(query: str) -> tuple[str, ...]:
    r"""The values of a list such as `a, b, shown : value`, with `\,` for a comma in one; or of a JSON array."""
    if query.lstrip().startswith("["):
        try:
            found = json.loads(query)
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, list):
            values = (one.get("value", one.get("text")) if isinstance(one, dict) else one for one in found)
            return tuple(str(one) for one in values if isinstance(one, str | int | float))
    parts = [part.replace("\\,", ",").strip() for part in _PARTS.findall(query)]
    return tuple(pair.group(2).strip() if (pair := _PAIR.match(part)) else part for part in parts)


def filtered(values: tuple[str, ...], variable: Variable) -> tuple[str, ...] | Unavailable:
    """The values that the variable's regular expression lets through, or the part of them that it captures."""
    if not variable.regex:
        return tuple(dict.fromkeys(values))
    framed = _FLAGS.match(variable.regex)
    pattern, flags = framed.groups() if framed else (f"^(?:{variable.regex})$", "")
    try:
        compiled = re2.compile(f"(?i:{pattern})" if "i" in flags else pattern, _QUIET)
    except re2.error:
        words = f"the regular expression {variable.regex} of the variable {variable.name} cannot be read"
        return Unavailable(Cause.NOT_SUPPORTED, words)
    found: dict[str, None] = {}
    for value in values:
        match = compiled.search(value)
        if match is None:
            continue
        groups = match.groupdict()
        named = groups.get("value") or groups.get("text")
        found[named or (next((one for one in match.groups() if one), "") if match.groups() else value)] = None
    return tuple(found)


def ordered(values: tuple[str, ...] | Unavailable, sort: int) -> tuple[str, ...] | Unavailable:
    """The values in the order that the variable says."""
    if isinstance(values, Unavailable) or not sort:
        return values
    keys: dict[int, Callable[[str], object]] = {0: str, 1: _numbered, 2: str.lower, 3: _numbered}
    return tuple(sorted(values, key=keys[(sort - 1) // 2 % 4], reverse=sort % 2 == 0))  # type: ignore[arg-type] # a key


def _numbered(value: str) -> tuple[float, str]:
    found = re.search(r"\d{1,15}", value)
    return (float(found.group()) if found else -1.0, value)
