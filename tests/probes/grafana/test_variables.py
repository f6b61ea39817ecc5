"""Variables of every type, in every format, as Grafana puts them into PromQL."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scorecard.evidence import Unavailable
from scorecard.evidence.dashboards import Dashboard, Filter, Model, Variable
from scorecard.model import Cause
from scorecard.probes.grafana import times
from scorecard.probes.grafana.interpolate import Value, interpolate
from scorecard.probes.grafana.promql import Matcher, parsed, selectors, with_filters, without_constant
from scorecard.probes.grafana.variables import Resolver

SILENT = Unavailable(Cause.TIMEOUT, "prometheus/main: not complete within 10 s")


def put(text: str, *variables: Variable, given: Mapping[str, str] | None = None, values: object = ("a", "b")) -> object:
    """The text with the variables of a dashboard in place; `values` is what the data source has."""
    dashboard = Dashboard(uid="u", title="", url="", model=Model.CLASSIC, panels=(), variables=variables)
    resolver = Resolver(dashboard, given or {}, lambda *_: values, lambda _: ("prom", "Prometheus"))  # type: ignore[arg-type, return-value]
    return interpolate(text, resolver.all())


def query(**more: object) -> Variable:
    given: dict[str, object] = {"refresh": True, **more}
    return Variable(name="v", type="query", query="label_values(up, v)", **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("variable", "expected"),
    [
        (Variable(name="v", type="custom", query="x, y"), "x"),
        (Variable(name="v", type="custom", query=r"1\,5 : one, Two : 2", current=("2",)), "2"),
        (Variable(name="v", type="custom", query="x,y", current=("gone",)), "x"),
        (Variable(name="v", type="custom", query='[{"text": "One", "value": "1"}]'), "1"),
        (Variable(name="v", type="constant", query="k"), "k"),
        (Variable(name="v", type="textbox", query="t"), "t"),
        (Variable(name="v", type="textbox", query="t", current=("typed",)), "typed"),
        (Variable(name="v", type="interval", query="1m,5m", current=("5m",)), "5m"),
        (Variable(name="v", type="interval", query="1m,5m"), "1m"),
        (Variable(name="v", type="interval", query="1m", current=("$__auto_interval_v",)), "1m"),
        (Variable(name="v", type="switch", current=("on",)), "on"),
        (Variable(name="v", type="groupby", current=("pod",)), "pod"),
        (Variable(name="v", type="datasource", query="prometheus", current=("gone",)), "prom"),
        (Variable(name="v", type="datasource", query="prometheus", current=("Prometheus",)), "Prometheus"),
        (query(), "a"),
        (query(current=("b",)), "b"),
        (query(current=("gone",)), "a"),
        (query(current=("gone",), refresh=False), "gone"),
        (query(sort=2), "b"),
        (query(regex="/b/"), "b"),
        (query(include_all=True), "(a|b)"),
        (query(include_all=True, current=("$__all",), all_value=".*"), ".*"),
        (query(multi=True, current=("b", "a")), "(b|a)"),
    ],
)
def test_a_variable_is_what_grafana_makes_of_it_when_the_dashboard_is_opened(variable: Variable, expected: str) -> None:
    assert put("$v", variable) == expected


def test_the_services_value_comes_first_and_counts_where_no_variable_is_declared() -> None:
    assert put("$v", query(current=("b",)), given={"v": "payments"}) == "payments"
    assert put("${v}", given={"v": "payments"}) == "payments"
    assert put("$v", query(include_all=True), given={"v": "All"}) == "(a|b)"


def test_values_of_a_silent_data_source_are_unknown_unless_one_was_saved() -> None:
    assert put("x", query(include_all=True), values=SILENT) == "x"
    assert put("$v", query(include_all=True), values=SILENT) == SILENT
    assert put("$v", query(current=("b",)), values=SILENT) == "b"


def test_a_capture_is_the_value_and_a_pattern_that_is_not_read_makes_the_variable_unknown() -> None:
    values = ('up{instance="h1:90"} 1', 'up{instance="h2:90"} 1')
    assert put("$v", query(regex='/.*instance="([^"]*)".*/'), values=values) == "h1:90"
    unknown = put("$v", query(regex="/(?!a)/"))
    assert isinstance(unknown, Unavailable)
    assert unknown.cause is Cause.NOT_SUPPORTED


def test_all_of_very_many_values_is_any_value() -> None:
    assert put("$v", query(include_all=True), values=tuple(map(str, range(900)))) == ".+"


def test_variables_that_need_one_another_are_found_in_order_and_a_circle_is_unknown() -> None:
    first = Variable(name="a", type="custom", query="$b")
    second = Variable(name="b", type="constant", query="deep")
    assert put("$a", first, second) == "deep"
    circle = Variable(name="v", type="query", query="label_values(up{v='$v'}, v)", include_all=True)
    assert isinstance(put("$v", circle), Unavailable)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$v ${v} [[v]] $vv", "a.b a.b a.b $vv"),
        ("${v:regex} [[v:regex]]", r"a\.b a\.b"),
        ("${m}", r"(a\\.b|c)"),
        ("${m:regex}", r"(a\.b|c)"),
        ("${m:pipe} ${m:csv} ${m:raw} ${m:glob}", "a.b|c a.b,c a.b,c {a.b,c}"),
        ("${m:singlequote} ${m:doublequote} ${m:json}", """'a.b','c' "a.b","c" ["a.b", "c"]"""),
        ("${m:text} ${m:percentencode} ${unknown:csv}", "a.b + c a.b,c ${unknown:csv}"),
    ],
)
def test_every_syntax_and_format_of_a_variable(text: str, expected: str) -> None:
    values = {"v": Value(("a.b",)), "m": Value(("a.b", "c"), several=True)}
    assert interpolate(text, values) == expected


def test_a_regular_expression_of_values_matches_them_within_a_promql_string() -> None:
    values = {"m": Value(("a.b", "c+d", "e\\f"), several=True)}
    asked = interpolate('up{x=~"$m"}', values)
    assert isinstance(asked, str)
    [found] = selectors(parsed(asked))
    assert found.matchers[0].value == r"(a\.b|c\+d|e\\f)"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("__rate_interval", "2m"),
        ("__interval", "2m"),
        ("__interval_ms", "120000"),
        ("__range", "21600s"),
        ("__range_s", "21600"),
        ("__range_ms", "21600000"),
    ],
)
def test_macros_come_from_range_and_scrape_interval(name: str, expected: str) -> None:
    assert times.macros(times.span("now-6h"), "", "30s")[name] == expected


def test_ranges_and_durations_are_read_and_what_is_none_is_six_hours() -> None:
    assert times.span("now-7d", "now-1d") == 6 * 86_400
    assert times.span("2026-01-01", "now") == times.span("now/d") == 21_600
    assert (times.seconds("1h30m"), times.seconds(">10s"), times.seconds("soon")) == (5400, 10, None)
    assert times.macros(31_536_000, "1h", "")["__interval"] == "6h"


def test_ad_hoc_filters_are_added_to_every_selector_and_nowhere_else() -> None:
    added = (Matcher("env", "=", "prod"),)
    asked = 'sum by (up, env) (rate(up{x="up{"}[5m] offset 5m)) / on (up) group_left (env) up # up'
    expected = (
        'sum by (up, env) (rate(up{env="prod",x="up{"}[5m] offset 5m)) / on (up) group_left (env) up{env="prod"} # up'
    )
    assert with_filters(asked, added) == expected
    assert with_filters("not promql {", added) == "not promql {"
    assert Filter(key="a", operator="=", value="b").key == "a"


def test_a_constant_that_stands_in_for_a_series_is_taken_away() -> None:
    assert without_constant("sum(a) or vector(0)") == "sum(a)"
    assert parsed(without_constant("100 * (sum(a) or vector(0)) / sum(b)")) is not None
    assert without_constant("sum(a) or sum(b)") == without_constant("vector(1)") == ""


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60), st.lists(st.text(max_size=10), max_size=3), st.booleans())
def test_any_text_with_any_values_is_put_together_without_raising(text: str, values: list[str], several: bool) -> None:
    made = interpolate(f"$v ${{v:{text}}} {text}", {"v": Value(tuple(values), several)})
    assert isinstance(made, str)
    parsed(made)
