"""Rule files as Prometheus, the operator and the mixins have them; promtool is asked whether it agrees."""

from __future__ import annotations

import json
import shutil
import subprocess
from contextlib import suppress
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorecard.model import Cause
from scorecard.probes.repository.questions import ParsedRule, UnreadableError
from scorecard.probes.repository.rules import parse_rules

# In the manner of kubernetes-mixin, rendered.
MIXIN = """\
groups:
  - name: kubernetes-apps
    rules:
      - alert: KubePodCrashLooping
        annotations:
          description: 'Pod {{ $labels.namespace }}/{{ $labels.pod }} is in waiting state (reason: "CrashLoopBackOff").'
          runbook_url: https://runbooks.example.net/runbooks/kubernetes/kubepodcrashlooping
          summary: Pod is crash looping.
        expr: |
          max_over_time(kube_pod_container_status_waiting_reason{reason="CrashLoopBackOff", job="ksm"}[5m]) >= 1
        for: 15m
        labels:
          severity: warning
      - expr: sum by (cluster) (rate(container_cpu_usage_seconds_total{job="cadvisor"}[5m]))
        record: cluster:cpu:rate5m
      - alert: KubeletDown
        annotations:
          runbook_url: https://runbooks.example.net/runbooks/kubernetes/kubeletdown
        expr: absent(up{job="kubelet", metrics_path="/metrics"} == 1)
        for: 15m
        labels:
          severity: critical
"""

CUSTOM_RESOURCE = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: other}
---
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: payments
  labels: {release: prometheus}
spec:
  groups:
    - name: payments
      partial_response_strategy: abort
      rules:
        - alert: PaymentsDown
          expr: up{job="payments"} == 0
          for: 5m
          labels: {severity: page}
"""


def only(text: str) -> ParsedRule:
    (rule,) = parse_rules(text, "alerts/a.yaml").rules
    return rule


def rule(expr: str = "up == 0", more: str = "") -> str:
    lines = "".join(f"        {line}\n" for line in more.splitlines())
    return f"groups:\n  - name: g\n    rules:\n      - alert: A\n        expr: {expr}\n{lines}"


class TestFiles:
    def test_a_mixin_with_lines_labels_and_absence(self) -> None:
        found = parse_rules(MIXIN, "alerts/k8s.yaml")
        looping, down = found.rules
        assert (looping.name, looping.line, looping.for_seconds) == ("KubePodCrashLooping", 4, 900)
        assert (down.name, down.line) == ("KubeletDown", 16)
        assert looping.labels == {"severity": "warning"}
        assert looping.annotations["runbook_url"].endswith("/kubepodcrashlooping")
        assert (looping.absence, down.absence) == (False, True)
        assert ("job", "kubelet") in down.selectors
        assert (looping.problem, down.problem) == ("", "")
        assert found.groups == 1

    def test_a_prometheus_rule_resource_beside_others(self) -> None:
        found = only(CUSTOM_RESOURCE)
        assert (found.name, found.line, found.problem) == ("PaymentsDown", 15, "")

    def test_a_list_of_resources(self) -> None:
        indented = "".join(f"    {line}\n" for line in CUSTOM_RESOURCE.split("---\n")[1].splitlines())
        assert only(f"kind: List\nitems:\n  -\n{indented}").name == "PaymentsDown"

    def test_the_values_of_a_chart(self) -> None:
        text = (
            "additionalPrometheusRulesMap:\n  mine:\n    groups:\n      - name: g\n"
            "        rules:\n          - {alert: A, expr: up == 0}\n"
        )
        assert (only(text).name, only(text).line) == ("A", 6)

    def test_other_yaml_holds_no_alert(self) -> None:
        assert parse_rules("a: [1, {groups: []}]\n", "a.yaml").rules == ()
        assert parse_rules("groups: [1, {rules: 3}, {name: g, rules: [4]}]\n", "a.yaml").rules == ()
        assert parse_rules("", "a.yaml").rules == ()

    def test_what_is_only_looked_at_and_holds_no_alert_is_not_even_parsed(self) -> None:
        assert parse_rules("{{ broken: [", "a.yaml", declared=False).groups == 0

    def test_grafanas_own_alert_files_are_told_apart(self) -> None:
        text = "apiVersion: 1\ngroups:\n  - {name: g, rules: [{uid: u, title: t, condition: A, data: []}]}\n"
        assert parse_rules(text, "a.yaml").foreign == "Grafana alerting rules"

    def test_a_helm_template_is_not_supported_and_says_so(self) -> None:
        text = "groups:\n{{- range .Values.groups }}\n  - name: {{ .name }}\n{{- end }}\n    alert: x\n"
        with pytest.raises(UnreadableError, match="template") as caught:
            parse_rules(text, "a.yaml")
        assert caught.value.cause is Cause.NOT_SUPPORTED

    def test_text_that_is_no_yaml_is_a_bad_response_with_its_line(self) -> None:
        with pytest.raises(UnreadableError, match="line 3") as caught:
            parse_rules("groups:\n  - [\n", "a.yaml")
        assert caught.value.cause is Cause.BAD_RESPONSE

    def test_a_duplicate_key_is_refused(self) -> None:
        with pytest.raises(UnreadableError, match="line 6"):
            parse_rules(rule(more="expr: up == 1"), "a.yaml")


class TestAbsence:
    @pytest.mark.parametrize(
        ("expr", "yes"),
        [
            ("absent(up)", True),
            ("absent_over_time(up[5m])", True),
            ('up{job="a"} == 0', True),
            ("up < 1", True),
            ("count(up == 0) > 2", True),
            ("sum(rate(errors[5m])) > 1", False),
            ("up == 1", False),
            ("pump == 0", False),
        ],
    )
    def test_expressions_that_are_true_when_something_is_gone(self, expr: str, yes: bool) -> None:
        assert only(rule(f"'{expr}'")).absence is yes


class TestSilences:
    def test_a_comment_belongs_to_the_rule_it_stands_in_or_above(self) -> None:
        text = (
            "groups:\n  - name: g\n    rules:\n"
            "      # scorecard: ignore alerts/severity until 2026-12-01: above A\n"
            "      - alert: A\n        expr: up == 0\n"
            "      - alert: B  # scorecard: ignore runbooks/resolve until 2026-12-02: in B\n        expr: up == 0\n"
            "      - record: r\n        expr: up  # scorecard: ignore alerts/healthy until 2026-12-03: of r\n"
            "      # scorecard: ignore alerts/runbook-link until 2026-12-04: above C\n"
            "      - alert: C\n        expr: up == 0\n"
            "        # scorecard: ignore alerts/exist until 2026-12-05: below C\n"
        )
        found = {item.name: item.silences for item in parse_rules(text, "a.yaml").rules}
        assert [item.reason for item in found["A"]] == ["above A"]
        assert [item.reason for item in found["B"]] == ["in B"]
        assert [item.reason for item in found["C"]] == ["above C", "below C"]
        assert found["A"][0].until == date(2026, 12, 1)
        assert found["A"][0].where == "a.yaml:4"


BAD = {
    "the expression does not parse": rule("'sum(up'"),
    "unknown function": rule("'no_such_function(up)'"),
    "a matrix where a vector is expected": rule("'rate(up)'"),
    "no expression": "groups:\n  - name: g\n    rules:\n      - alert: A\n",
    "no such duration": rule(more="for: 5 minutes"),
    "no such field": rule(more="fo: 5m"),
    "a label name with a hyphen": rule(more="labels: {my-label: x}"),
    "the label __name__": rule(more="labels: {__name__: x}"),
    "labels are a list": rule(more="labels: [severity]"),
    "a group without a name": "groups:\n  - rules:\n      - {alert: A, expr: up == 0}\n",
    "an unknown field of the group": rule().replace("    rules:", "    every: 1m\n    rules:"),
    "two groups of one name": rule() + "  - name: g\n    rules:\n      - {alert: B, expr: up == 0}\n",
    "alert and record": rule(more="record: r"),
    "an open template": rule(more="annotations: {summary: '{{ $labels.pod '}"),
    "the same rule twice": rule() + "      - alert: A\n        expr: up == 1\n",
}
GOOD = {
    "a mixin": MIXIN,
    "bare": rule(),
    "a number for a label": rule(more="labels: {severity: 1}"),
    "a template": rule(more="annotations: {summary: '{{ $labels.pod }} is {{ $value | humanize }}'}"),
    "compound duration": rule(more="for: 1h30m"),
    "the same alert with another label": rule(more="labels: {severity: page}")
    + "      - alert: A\n        expr: up == 1\n        labels: {severity: ticket}\n",
    "a label matcher as regex": rule("""'sum by (job) (rate(http_requests_total{code=~"5.."}[5m])) > 0.1'"""),
    "offset, at and subquery": rule("'max_over_time(deriv(a[5m] offset 1w)[1h:5m]) > 1 unless on (job) b @ end()'"),
    "only numbers": rule("vector(1)"),
}


@pytest.mark.prometheus
@pytest.mark.skipif(not shutil.which("promtool"), reason="Debian's prometheus is not installed")
class TestPromtoolAgrees:
    @staticmethod
    def verdict(tmp_path: Path, text: str) -> bool:
        file = tmp_path / "rules.yaml"
        file.write_text(text)
        done = subprocess.run(
            ["promtool", "check", "rules", "--lint-fatal", str(file)],
            check=False,
            capture_output=True,
            text=True,
            timeout=30,
        )
        return done.returncode == 0

    @pytest.mark.parametrize("name", BAD)
    def test_that_a_bad_file_is_bad(self, tmp_path: Path, name: str) -> None:
        assert not self.verdict(tmp_path, BAD[name])
        assert any(item.problem for item in parse_rules(BAD[name], "a.yaml").rules)

    @pytest.mark.parametrize("name", GOOD)
    def test_that_a_good_file_is_good(self, tmp_path: Path, name: str) -> None:
        assert self.verdict(tmp_path, GOOD[name])
        assert [item.problem for item in parse_rules(GOOD[name], "a.yaml").rules if item.problem] == []


def test_a_range_vector_is_refused_though_promtool_lets_it_through_since_it_fails_at_every_evaluation() -> None:
    assert "no instant vector" in only(rule("'up[5m]'")).problem


class TestAnyText:
    @given(st.text(max_size=400))
    def test_a_text_is_read_or_refused(self, text: str) -> None:
        with suppress(UnreadableError):
            assert parse_rules(text, "a.yaml").groups >= 0

    # Above the surrogates JSON needs two escapes, which YAML does not put together.
    names = st.text(st.characters(max_codepoint=0xD7FF), max_size=8)
    values = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | names,
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4, alphabet="ab{}"), inner, max_size=3)
        ),
        max_leaves=8,
    )

    @given(st.dictionaries(st.sampled_from(["alert", "expr", "for", "labels", "annotations", "record", "x"]), values))
    def test_no_values_of_a_rule_make_it_raise(self, fields: dict[str, object]) -> None:
        found = parse_rules(json.dumps({"groups": [{"name": "g", "rules": [fields]}]}), "a.yaml")
        assert len(found.rules) == ("alert" in fields)

    @given(st.text(alphabet='uprate()[]{}5m"=~<>+-*/ ,.01abc', max_size=60))
    def test_no_expression_makes_it_raise(self, expression: str) -> None:
        text = json.dumps({"groups": [{"name": "g", "rules": [{"alert": "A", "expr": expression}]}]})
        assert isinstance(only(text).problem, str)


def test_brackets_that_would_eat_the_memory_are_refused_by_their_depth() -> None:
    assert "deeper than 32" in only(rule("'" + "(" * 3000 + "1" + ")" * 3000 + "'")).problem
