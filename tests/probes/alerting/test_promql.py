"""Expressions without their thresholds, and their labels: promtool and a real Prometheus are asked whether it holds."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorecard.promql import Matcher, PromqlError, read
from tests.probes.alerting.conftest import Find, Running, exporter, prometheus, until

METRICS = """\
requests_total{service="a",code="200",zone="x"} 90
requests_total{service="a",code="500",zone="x"} 5
requests_total{service="b",code="200",zone="y"} 10
size_bytes{service="a",zone="x"} 70
size_bytes{service="b",zone="y"} 20
limit_bytes{service="a",zone="x"} 100
limit_bytes{service="b",zone="y"} 100
owner_info{service="a",team="pay"} 1
owner_info{service="b",team="led"} 1
latency_bucket{service="a",le="0.1"} 3
latency_bucket{service="a",le="+Inf"} 9
up_since 1700000000
"""

# In the manner of the public mixins: each form that a threshold stands in.
EXPRESSIONS = (
    "size_bytes > 50",
    "50 < size_bytes",
    'sum by (service) (requests_total{code=~"5.."}) / sum by (service) (requests_total) > 0.01',
    "(size_bytes / limit_bytes) * 100 > 50 and size_bytes > 10",
    "size_bytes / on (service) group_left (team) owner_info > 1",
    "owner_info * on (service) group_right (team) size_bytes > 1",
    "size_bytes < on (service) limit_bytes",
    "size_bytes != ignoring (zone) limit_bytes",
    "count by (zone) (size_bytes > 30) > 0",
    "count without (code) (requests_total >= 5) >= 1",
    "max_over_time((size_bytes > 10)[1m:1s]) > 5",
    "size_bytes > 10 unless on (service) (owner_info == 0)",
    "size_bytes > 60 or limit_bytes > 200",
    "topk(1, size_bytes) > 1",
    "quantile(0.9, size_bytes) > 1",
    "histogram_quantile(0.9, sum by (service, le) (latency_bucket)) > 0.01",
    "time() - up_since > 60",
    'label_replace(size_bytes, "where", "$1", "zone", "(.*)") > 10',
    'label_join(size_bytes, "both", "-", "zone", "service") > 10',
    "-size_bytes < 0",
    "size_bytes > bool 50 == 1",
    "clamp_max(size_bytes, 60) == 60",
    'count_values by (zone) ("value", size_bytes) > 0',
    "(sum(size_bytes) or vector(0)) > 10",
    "absent(nothing_at_all)",
    "requests_total{code!~`3\\d\\d`} > 1",
    'requests_total{code=~"5\\\\d\\\\d",service!=""} > 1',
    "size_bytes @ end() > 1",
    "size_bytes ^ 2 % 7 >= 0",
    "avg by (service) (size_bytes) > scalar(sum(limit_bytes)) / 100",
    "stddev by (zone) (size_bytes) >= 0",
    "group by (service) (size_bytes) == 1",
    "(size_bytes > 60) + on (service) group_left () owner_info > 1",
    "sum(size_bytes) > 3 and on () vector(1) == 1",
    "size_bytes atan2 limit_bytes > 0",
    "sort_desc(size_bytes > 1)",
)


@pytest.fixture(scope="module")
def running(find: Find, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with exporter(METRICS) as page:
        target = f"127.0.0.1:{page.server_address[1]}"
        folder = tmp_path_factory.mktemp("promql") / "prometheus"
        with prometheus(find, folder, {"groups": []}, targets=(target,)) as started:
            until(lambda: len(started.query("count_over_time(size_bytes[1m:1s]) > 1")) == 2)
            yield started


def labels(samples: list[Any]) -> set[tuple[tuple[str, str], ...]]:
    return {
        tuple(sorted((name, value) for name, value in one["metric"].items() if name != "__name__")) for one in samples
    }


@pytest.mark.prometheus
class TestOnARealPrometheus:
    @pytest.mark.parametrize("text", EXPRESSIONS)
    def test_what_fires_is_among_what_is_left_without_thresholds(self, running: Running, text: str) -> None:
        found = read(text)
        firing = labels(running.query(text))
        assert firing, "an expression that tests nothing"
        assert found.gone is text.startswith("absent")
        if not found.gone:
            assert firing <= labels(running.query(found.bare))

    @pytest.mark.parametrize("text", EXPRESSIONS)
    def test_the_labels_that_come_out_are_as_foretold(self, running: Running, text: str) -> None:
        shape = read(text).shape
        for found in map(dict, labels(running.query(text))):
            assert {name: found.get(name, "") for name in shape.known} == dict(shape.known)
            if not shape.open:
                assert found.keys() <= shape.known.keys() | shape.maybe

    def test_promtool_takes_every_expression_that_is_written_anew(self, find: Find, tmp_path: Path) -> None:
        bare = [read(text).bare for text in EXPRESSIONS]
        rules = [{"alert": f"A{number}", "expr": one} for number, one in enumerate(bare) if one]
        file = tmp_path / "rules.json"
        file.write_text(json.dumps({"groups": [{"name": "g", "rules": rules}]}))
        command = [find("promtool"), "check", "rules", "--lint=none", str(file)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        assert (done.returncode, f"{len(rules)} rules found" in done.stdout) == (0, True), done.stderr


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("up == 0", "up"),
        ("a > 1 unless b > 2", "a"),
        ("absent(a) and b > 2", "b"),
        ("vector(1)", ""),
        ("ALERTS", "ALERTS"),
    ],
)
def test_what_is_left_is_short(text: str, bare: str) -> None:
    assert read(text).bare == bare


def test_a_constant_that_stands_in_for_nothing_is_left_out() -> None:
    assert "vector" not in read("(sum(a) or vector(0)) > 5").bare


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no expression"),
        ("a >", "does not parse"),
        ("a[5m]", "no instant vector"),
        ('"text"', "no instant vector"),
        ("(" * 60 + "a" + ")" * 60, "deeper"),
        ("-" * 60 + "a", "deeper"),
        ("a" * 30_000, "characters"),
    ],
)
def test_what_is_not_read_says_why(text: str, why: str) -> None:
    with pytest.raises(PromqlError, match=why):
        read(text)


@pytest.mark.parametrize(
    ("matcher", "named"),
    [
        (Matcher("service", "=", "payments"), True),
        (Matcher("service", "=~", "payments|ledger"), True),
        (Matcher("service", "=~", "pay.*"), True),
        (Matcher("service", "=~", ".+"), False),
        (Matcher("service", "=~", ".*"), False),
        (Matcher("service", "=~", "pay"), False),
        (Matcher("service", "!=", "ledger"), False),
        (Matcher("service", "!~", "ledger"), False),
        (Matcher("service", "=~", "("), False),
    ],
)
def test_a_selector_names_a_service_that_it_asks_for(matcher: Matcher, named: bool) -> None:
    assert matcher.names("payments") is named


@given(st.text(alphabet="ab(){}[]\"'`=~!<>+-*/ 05m,\\", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = read(text)
    except PromqlError:
        return
    if found.bare:
        assert read(found.bare).selectors
