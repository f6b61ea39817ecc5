"""`scorecard doctor` on Kubernetes: the address, what the token may list, and whose pods are not found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scorecard.cli.doctor_kubernetes import examine
from scorecard.config import load_config
from tests.probes.kubernetes.api import TOKEN, Api, serving
from tests.probes.kubernetes.conftest import shop

Told = dict[str, list[tuple[str, bool | None]]]
Examined = Callable[..., Told]


@pytest.fixture
def api() -> Iterator[Api]:
    made = Api()
    made.node("node-a", "eu-west-1a")
    made.pod("web-1", "node-a")
    made.deployment("web")
    return made


@pytest.fixture
def examined(api: Api, tmp_path: Path) -> Iterator[Examined]:
    """What is told, by subject."""
    with serving(api) as url:

        def look(*services: object, token: str = TOKEN, more: str = "") -> Told:
            (tmp_path / "token").write_text(token)
            file = tmp_path / "scorecard.yaml"
            file.write_text(
                "probing: {allow: [127.0.0.1]}\nintegrations:\n"
                f"  kubernetes: [{{name: main, url: '{url}', token_file: token, timeout: 2s{more}}}]\n"
            )
            found: Told = {}
            for subject, message, good in examine(load_config(file, {}), services or (shop(),)):  # type: ignore[arg-type]
                found.setdefault(subject, []).append((message, good))
            return found

        yield look


def test_a_cluster_that_can_be_asked_says_how_many_nodes_it_has(examined: Examined) -> None:
    assert examined() == {"kubernetes/main": [("lists 1 nodes", True)]}


def test_nodes_without_a_zone_are_counted(examined: Examined, api: Api) -> None:
    api.node("bare", None)
    ((message, good),) = examined()["kubernetes/main"]
    assert ("1 without the label topology.kubernetes.io/zone" in message, good) == (True, None)


@pytest.mark.parametrize(
    ("resource", "subject", "check"),
    [
        ("nodes", "kubernetes/main", "multi-az/placement"),
        ("pods", "shop", "multi-az/placement"),
        ("deployments", "kubernetes/main shop", "multi-az/configuration"),
        ("statefulsets", "kubernetes/main shop", "multi-az/configuration"),
    ],
)
def test_what_the_token_may_not_list_costs_the_checks_that_need_it(
    examined: Examined, api: Api, resource: str, subject: str, check: str
) -> None:
    api.forbidden = {resource}
    (message, good) = examined()[subject][-1]
    assert (f'cannot list resource "{resource}"' in message, check in message, good) == (True, True, False)


def test_a_wrong_token_is_told(examined: Examined) -> None:
    (message, good) = examined(token="wrong")["kubernetes/main"][0]
    assert ("answered 401" in message, good) == (True, False)


def test_an_authority_that_cannot_be_read_is_told(examined: Examined) -> None:
    (message, good) = examined(more=", ca_file: nowhere.pem")["kubernetes/main"][0]
    assert ("ca_file" in message, good) == (True, False)


def test_a_service_whose_pods_are_not_found_is_named(examined: Examined) -> None:
    told = examined(shop("ledger", selector="app=ledger"), shop("other", cluster="other"))
    assert "carries app=ledger" in told["ledger"][0][0]
    assert "other" not in told
