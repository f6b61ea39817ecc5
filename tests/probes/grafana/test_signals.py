"""Golden signals, recognised by metric, function and label, and by the organisation's own words."""

from __future__ import annotations

import pytest

from scorecard.config.sections import Signals
from scorecard.evidence.dashboards import Signal
from scorecard.probes.grafana.signals import shown

WORDS = {signal: tuple(getattr(Signals(), signal.value)) for signal in Signal}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("histogram_quantile(0.95, sum by (le) (rate(http_request_duration_seconds_bucket[5m])))", "latency"),
        ("rate(http_request_duration_seconds_sum[5m]) / rate(http_request_duration_seconds_count[5m])", "latency"),
        ("histogram_quantile(0.9, rate(rpc_latency[5m]))", "latency"),
        ("histogram_quantile(0.9, rate(response_size_bytes_bucket[5m]))", ""),
        ("rate(go_gc_duration_seconds_sum[5m])", ""),
        ("sum(rate(http_requests_total[5m]))", "traffic"),
        ("http_requests_total", ""),
        ("sum(rate(http_request_duration_seconds_count[5m]))", "traffic"),
        ("sum(rate(grpc_server_handled_total[5m])) / 60", "traffic"),
        ("sum by (status) (rate(http_requests_total[5m]))", "traffic errors"),
        ("job:http_requests:rate5m", "traffic"),
        ('sum(rate(http_requests_total{status=~"5.."}[5m]))', "errors"),
        ('sum(rate(http_requests_total{code!~"2.."}[5m]))', "errors"),
        ('sum(rate(http_requests_total{code!~"5.."}[5m]))', "traffic"),
        ('rate(grpc_server_handled_total{grpc_code!="OK"}[5m])', "errors"),
        ('sum(rate(http_requests_total{status=~"5.."}[5m])) / sum(rate(http_requests_total[5m]))', "errors"),
        ('1 - sum(rate(http_requests_total{status=~"2.."}[5m])) / sum(rate(http_requests_total[5m]))', "errors"),
        ("rate(node_network_receive_errs_total[5m])", "errors"),
        ("rate(process_cpu_seconds_total[5m])", "saturation"),
        ("node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes", "saturation"),
        ("redis_connected_clients", "saturation"),
        ("up", ""),
        ("not promql {", ""),
    ],
)
def test_a_query_shows_what_a_person_would_say_it_shows(expression: str, expected: str) -> None:
    assert " ".join(shown(expression, WORDS)) == expected


def test_the_organisations_words_take_the_place_of_ours() -> None:
    words = {**WORDS, Signal.LATENCY: ("checkout_time",), Signal.SATURATION: ()}
    assert shown("avg(checkout_time)", words) == (Signal.LATENCY,)
    assert shown("avg(http_latency)", words) == ()
    assert shown("node_cpu_usage", words) == ()
