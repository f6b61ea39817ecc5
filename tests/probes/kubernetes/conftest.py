"""A cluster of each test's own, behind a certificate of a private authority, and the probes that ask it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from scorecard.config import load_config
from scorecard.demo.certificates import Authority
from scorecard.evidence import Answer, Evidence
from scorecard.model import KubernetesRef, Service, Spec
from scorecard.probes import Context, Probe, Upstream
from scorecard.probes.kubernetes import probes
from tests.probes.kubernetes.api import TOKEN, Api, serving


def shop(
    name: str = "shop", *, namespace: str = "shop", selector: str = "app=web", cluster: str | None = None
) -> Service:
    return Service(
        name=name, spec=Spec(kubernetes=KubernetesRef(cluster=cluster, namespace=namespace, selector=selector))
    )


@dataclass
class Asking:
    """The probes of Kubernetes, asked about services in one run."""

    base: Path
    url: str
    more: str = ""
    """Further settings of the instance."""
    calls: int = 0
    made: tuple[Probe, ...] = ()

    def __call__(self, kind: type[Evidence], services: Sequence[Service]) -> dict[str, Answer]:
        file = self.base / "scorecard.yaml"
        (self.base / "token").write_text(f"{TOKEN}\n")
        file.write_text(
            f"""
catalog: []
probing: {{allow: ["127.0.0.1"]}}
integrations:
  kubernetes:
    - {{name: main, url: "{self.url}", token_file: token, ca_file: ca.pem, timeout: 2s{self.more}}}
"""
        )
        context = Context(config=load_config(file, {}), clock=lambda: NOW, cache=self.base, base=self.base)
        self.made = probes(context)
        return self.again(kind, services)

    def again(self, kind: type[Evidence], services: Sequence[Service], *, patient: bool = False) -> dict[str, Answer]:
        """Ask the same probes as before."""
        probe = next(one for one in self.made if one.answers is kind)

        def called(system: str, place: str, count: int) -> None:
            assert (system, place) == ("kubernetes", "main")
            self.calls += count

        return {key.name: answer for key, answer in probe.ask(services, Upstream(patient=patient, called=called))}

    def one(self, kind: type[Evidence], service: Service | None = None) -> Any:  # noqa: ANN401 - that kind
        about = service or shop()
        return self(kind, [about])[about.name]


NOW = datetime.fromtimestamp(time.time(), UTC)
"""Certificates are judged by the machine's clock."""


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(the authority's certificate, a certificate of the server)."""
    made = Authority(tmp_path_factory.mktemp("authority"), NOW)
    return made.file, made.issue("kubernetes", 30.0)


@pytest.fixture
def kubernetes(tmp_path: Path, authority: tuple[Path, Path]) -> Iterator[tuple[Api, Asking]]:
    """(api, asking): fill the cluster, then ask. Three nodes, in zones a, b and c."""
    api = Api()
    for letter in "abc":
        api.node(f"node-{letter}", f"eu-west-1{letter}")
    (tmp_path / "ca.pem").write_bytes(authority[0].read_bytes())
    with serving(api, authority[1]) as url:
        yield api, Asking(tmp_path, url)
