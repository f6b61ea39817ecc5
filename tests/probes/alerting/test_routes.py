"""Alertmanager's tree: `amtool config routes test` is asked about every case, and agrees."""

from __future__ import annotations

import itertools
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from scorecard.probes.alerting.routes import TreeError, passages, read_matchers, read_tree, receivers
from tests.probes.alerting.conftest import Find

NAMES = ("default", "a", "b", "c", "d", "empty")


def config(*routes: dict[str, Any], **root: Any) -> str:  # noqa: ANN401 - keys of a route
    known = [{"name": name, "webhook_configs": [{"url": "http://127.0.0.1:9/"}]} for name in NAMES if name != "empty"]
    whole = {
        "route": {"receiver": "default", **root, "routes": list(routes)},
        "receivers": [*known, {"name": "empty"}],
        "mute_time_intervals": [{"name": "nights", "time_intervals": [{"weekdays": ["sunday"]}]}],
    }
    return json.dumps(whole)


TREES = {
    "new matchers": config(
        {"matchers": ['service="payments"', 'severity=~"critical|page"'], "receiver": "a"},
        {"matchers": ['severity!="info"', "team!~pay.*"], "receiver": "b"},
    ),
    "old matchers, anchored": config(
        {"match_re": {"service": "pay|led"}, "receiver": "a"}, {"match": {"service": "payments"}, "receiver": "b"}
    ),
    "continue": config(
        {"match": {"severity": "critical"}, "receiver": "a", "continue": True},
        {"match": {"service": "payments"}, "receiver": "b", "continue": True},
        {"match": {"team": "pay"}, "receiver": "c"},
    ),
    "nested, receiver inherited": config(
        {
            "match": {"service": "payments"},
            "receiver": "a",
            "routes": [
                {"match": {"severity": "critical"}, "routes": [{"match": {"team": "pay"}, "receiver": "c"}]},
                {"match": {"severity": "info"}, "receiver": "empty", "continue": True},
                {"matchers": ['team=""'], "receiver": "d"},
            ],
        }
    ),
    "continue at the end of a subtree": config(
        {
            "match": {"service": "payments"},
            "continue": True,
            "routes": [{"match": {"severity": "critical"}, "receiver": "a", "continue": True}],
        },
        {"matchers": ["severity=critical"], "receiver": "b"},
    ),
    "a label that is not there": config(
        {"matchers": ['team!="pay"'], "receiver": "a"}, {"matchers": ['severity=~".*"'], "receiver": "b"}
    ),
    "muted, grouped": config(
        {"match": {"service": "payments"}, "receiver": "a", "group_by": ["..."], "mute_time_intervals": ["nights"]},
        group_by=["alertname"],
    ),
    "quotes and commas": config(
        {"matchers": ['service="pay,ments"'], "receiver": "a"},
        {"matchers": [r'team=~"p\\.y|\"x\""'], "receiver": "b"},
        {"matchers": [" severity = critical "], "receiver": "c"},
    ),
    "no child": config(),
}
LABELS = [
    {name: value for name, value in zip(("service", "severity", "team"), values, strict=True) if value}
    for values in itertools.product(
        ("", "pay", "payments", "ledger", "pay,ments"), ("", "critical", "page", "info"), ("", "pay", "p.y", '"x"')
    )
]


@pytest.mark.prometheus
@pytest.mark.parametrize("name", TREES)
def test_amtool_agrees_on_every_label_set(name: str, find: Find, tmp_path: Path) -> None:
    file = tmp_path / "alertmanager.yml"
    file.write_text(TREES[name])
    tree = read_tree(TREES[name])
    for labels in LABELS:
        pairs = [f"{label}={json.dumps(value)}" for label, value in labels.items()]
        command = [find("amtool"), "config", "routes", "test", f"--config.file={file}", *pairs]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
        assert ",".join(receivers(tree, labels)) == ",".join(dict.fromkeys(said.split(","))), labels


def test_receivers_without_a_configuration_tell_nobody() -> None:
    tree = read_tree(TREES["new matchers"])
    assert (tree.tells("a"), tree.tells("empty"), tree.tells("undefined")) == (True, False, False)


class TestLabelsThatAreNotKnown:
    def test_both_ways_are_followed(self) -> None:
        tree = read_tree(config({"match": {"namespace": "kube-system"}, "receiver": "empty"}))
        found = passages(tree, {"service": "payments"}, ("*",))
        assert {one.receivers for one in found} == {("empty",), ("default",)}

    def test_a_label_that_cannot_be_there_is_empty(self) -> None:
        tree = read_tree(config({"match": {"namespace": "kube-system"}, "receiver": "empty"}))
        (only,) = passages(tree, {"service": "payments"}, ("pod",))
        assert only.receivers == ("default",)

    def test_one_label_has_one_value(self) -> None:
        tree = read_tree(
            config(
                {"match": {"zone": "a"}, "receiver": "a", "continue": True},
                {"match": {"zone": "b"}, "receiver": "b", "continue": True},
                {"matchers": ['zone!="a"'], "receiver": "c"},
            )
        )
        assert {one.receivers for one in passages(tree, {}, ("zone",))} == {("a",), ("b", "c"), ("c",)}

    def test_every_known_value_takes_one_of_the_ways(self) -> None:
        for text in TREES.values():
            tree = read_tree(text)
            for labels in LABELS:
                known = {name: value for name, value in labels.items() if name != "team"}
                assert receivers(tree, labels) in {one.receivers for one in passages(tree, known, ("team",))}

    def test_many_of_them_end(self) -> None:
        routes = [{"match": {f"label{n}": "x"}, "receiver": NAMES[n % 5], "continue": True} for n in range(60)]
        assert 0 < len(passages(read_tree(config(*routes)), {}, ("*",))) <= 64


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("- a", "no route"),
        ("route: {receiver: a", "line"),
        ("route: {receiver: a, routes: {x: 1}}", "no list"),
        ("route: {receiver: a, routes: [{matchers: ['nonsense']}]}", "not read"),
    ],
)
def test_what_is_no_configuration_is_said(text: str, why: str) -> None:
    with pytest.raises(TreeError, match=why):
        read_tree(text)


def test_several_matchers_stand_in_one_text() -> None:
    assert [str(one) for one in read_matchers('{a="1,2", b!~ "x"}')] == ['a="1,2"', 'b!~"x"']
