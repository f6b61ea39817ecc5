"""Where pods stand and what their workloads ask for, by a real API server's answers and by its refusals."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from scorecard.demo.certificates import Authority
from scorecard.evidence import Absent, Unavailable
from scorecard.evidence.aws import Tier, Unseen
from scorecard.evidence.kubernetes import PodPlacement, Workload, Workloads, ZoneRule
from scorecard.evidence.orchestrator import OwnCheck, PodChecks
from scorecard.model import Cause, Service
from scorecard.probes.kubernetes import cluster
from scorecard.probes.kubernetes.pods import slim_pod
from tests.probes.kubernetes.api import ZONE, Api, status
from tests.probes.kubernetes.conftest import NOW, Asking, shop

Kubernetes = tuple[Api, Asking]
SPREAD = {"topologyKey": ZONE, "maxSkew": 1, "labelSelector": {"matchLabels": {"app": "web"}}}


def tiers(asking: Asking, service: Service | None = None) -> dict[str, Tier]:
    found = asking.one(PodPlacement, service)
    assert isinstance(found, PodPlacement), found
    assert not found.missing
    return {one.name: one for one in found.items if isinstance(one, Tier)}


class TestPods:
    def test_ready_pods_are_counted_by_the_zones_of_their_nodes(self, kubernetes: Kubernetes) -> None:
        api, asking = kubernetes
        for index, node in enumerate(("node-a", "node-a", "node-b")):
            api.pod(f"web-{index}", node)
        (one,) = tiers(asking).values()
        assert (one.name, one.kind, one.units) == ("shop/Deployment/web", "Deployment", "pods")
        assert one.zones == (("eu-west-1a", 2), ("eu-west-1b", 1))

    @pytest.mark.parametrize("pod", [{"ready": False}, {"deleted": True}, {"phase": "Pending"}])
    def test_a_pod_that_does_not_serve_is_no_capacity(self, kubernetes: Kubernetes, pod: dict[str, object]) -> None:
        api, asking = kubernetes
        api.pod("web-1", "node-a")
        api.pod("web-2", "node-b", **pod)  # type: ignore[arg-type] # by name
        assert tiers(asking)["shop/Deployment/web"].zones == (("eu-west-1a", 1),)

    def test_a_workload_without_a_ready_pod_is_there_without_capacity(self, kubernetes: Kubernetes) -> None:
        api, asking = kubernetes
        api.pod("web-1", None, ready=False, phase="Pending")
        assert tiers(asking)["shop/Deployment/web"].healthy == 0

    def test_each_workload_is_a_tier_and_pods_of_jobs_are_none(self, kubernetes: Kubernetes) -> None:
        api, asking = kubernetes
        api.pod("web-1", "node-a")
        api.pod("web-old", "node-b", owner=("ReplicaSet", "web-77c"), labels={"pod-template-hash": "77c"})
        api.pod("db-0", "node-b", owner=("StatefulSet", "db"))
        api.pod("agent-x", "node-c", owner=("DaemonSet", "agent"))
        api.pod("next-1", "node-c", owner=("ReplicaSet", "next-9"), labels={"rollouts-pod-template-hash": "9"})
        api.pod("by-hand", "node-c", owner=None)
        api.pod("report-1", "node-c", owner=("Job", "report"))
        found = tiers(asking)
        assert sorted(found) == [
            "shop/DaemonSet/agent",
            "shop/Deployment/web",
            "shop/Pods/that stand alone",
            "shop/Rollout/next",
            "shop/StatefulSet/db",
        ]
        assert found["shop/Deployment/web"].healthy == 2

    def test_nothing_but_jobs_is_no_capacity_at_all(self, kubernetes: Kubernetes) -> None:
        api, asking = kubernetes
        api.pod("report-1", "node-c", owner=("Job", "report"))
        assert isinstance(asking.one(PodPlacement), Absent)

    def test_a_node_without_a_zone_leaves_its_pods_unplaced(self, kubernetes: Kubernetes) -> None:
        api, asking = kubernetes
        api.node("bare", None)
        for index, node in enumerate(("node-a", "bare", "bare", "lost")):
            api.pod(f"web-{index}", node)
        one = tiers(asking)["shop/Deployment/web"]
        assert [(part.cause, part.count) for part in one.unplaced] == [(Cause.NO_DATA, 2), (Cause.NO_DATA, 1)]
        assert "bare has no label topology.kubernetes.io/zone" in one.unplaced[0].detail

    def test_the_older_label_counts_too(self, kubernetes: Kubernetes) -> None:
        api, asking = kubernetes
        api.node("old", "eu-west-1c", label="failure-domain.beta.kubernetes.io/zone")
        api.pod("web-1", "old")
        assert tiers(asking)["shop/Deployment/web"].zones == (("eu-west-1c", 1),)

    def test_nodes_that_may_not_be_listed_leave_pods_unplaced(self, kubernetes: Kubernetes) -> None:
        api, asking = kubernetes
        api.forbidden = {"nodes"}
        api.pod("web-1", "node-a")
        one = tiers(asking)["shop/Deployment/web"]
        assert (one.unplaced[0].cause, one.unplaced[0].count) == (Cause.ACCESS_DENIED, 1)
        assert "cannot list resource" in one.unplaced[0].detail

    def test_of_nodes_only_names_and_labels_are_asked_for(self, kubernetes: Kubernetes) -> None:
        api, asking = kubernetes
        api.pod("web-1", "node-a")
        tiers(asking)
        assert "as=PartialObjectMetadataList" in api.accepted[api.asked.index("/api/v1/nodes")]

    def test_no_environment_of_a_pod_is_kept(self, kubernetes: Kubernetes) -> None:
        api, asking = kubernetes
        api.pod("web-1", "node-a")
        assert "tok3nC4naryQ7xZ9" not in repr(asking.one(PodPlacement))

    def test_a_selector_that_matches_nothing_is_not_configured(self, kubernetes: Kubernetes) -> None:
        api, asking = kubernetes
        api.pod("web-1", "node-a")
        found = asking.one(PodPlacement, shop(selector="app in (api, worker)"))
        assert isinstance(found, Unavailable)
        assert (found.cause, "app in (api, worker)" in found.detail) == (Cause.NOT_CONFIGURED, True)

    def test_many_services_cost_one_list_of_nodes_and_one_of_each_selector(self, kubernetes: Kubernetes) -> None:
        api, asking = kubernetes
        for name in ("web", "api"):
            api.pod(f"{name}-1", "node-a", labels={"app": name})
        services = [shop("one"), shop("two"), shop("three", selector="app=api")]
        assert len(asking(PodPlacement, services)) == 3
        assert sorted(api.asked) == ["/api/v1/namespaces/shop/pods"] * 2 + ["/api/v1/nodes"]
        assert asking.calls == 3

    def test_all_probes_of_a_cycle_share_its_lists_and_whoever_asks_later_gets_new_ones(
        self, kubernetes: Kubernetes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        api, asking = kubernetes
        api.pod("web-1", "node-a")
        api.deployment("web")
        asking(PodPlacement, [shop()])
        for kind in (PodChecks, Workloads, PodPlacement):
            asking.again(kind, [shop()], patient=True)
        assert api.asked.count("/api/v1/namespaces/shop/pods") == 1
        assert asking.calls == len(api.asked) == 3
        monkeypatch.setattr(cluster, "FRESH", -1.0)
        asking.again(PodPlacement, [shop()])
        assert api.asked.count("/api/v1/namespaces/shop/pods") == 1
        asking.again(PodPlacement, [shop()], patient=True)
        assert api.asked.count("/api/v1/namespaces/shop/pods") == 2

    def test_no_environment_is_held_between_the_probes(self, kubernetes: Kubernetes) -> None:
        api, _ = kubernetes
        api.pod("web-1", "node-a")
        (pod,) = api.objects["pods"]
        assert "tok3nC4naryQ7xZ9" in repr(pod)
        assert "tok3nC4naryQ7xZ9" not in repr(slim_pod(pod))


class TestPages:
    def test_all_pages_are_read(self, kubernetes: Kubernetes, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(cluster, "PAGE", 2)
        api, asking = kubernetes
        for index in range(5):
            api.pod(f"web-{index}", "node-a")
        assert tiers(asking)["shop/Deployment/web"].healthy == 5
        assert api.asked.count("/api/v1/namespaces/shop/pods") == 3

    def test_pages_that_got_too_old_are_read_from_the_beginning(
        self, kubernetes: Kubernetes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(cluster, "PAGE", 2)
        api, asking = kubernetes
        for index in range(5):
            api.pod(f"web-{index}", "node-a")
        refusals = [status(410, "Expired", "The provided continue parameter is too old")]

        def expire(path: str, query: Mapping[str, str]) -> tuple[int, object] | None:
            return (
                (410, refusals.pop()) if path.endswith("/pods") and query.get("continue") == "4" and refusals else None
            )

        api.before = expire
        assert tiers(asking)["shop/Deployment/web"].healthy == 5

    def test_what_came_before_a_page_that_failed_is_shown_and_the_rest_is_missing(
        self, kubernetes: Kubernetes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(cluster, "PAGE", 2)
        api, asking = kubernetes
        for index in range(4):
            api.pod(f"web-{index}", "node-a")
        gone = status(410, "Expired", "too old")
        api.before = lambda _path, query: (503, b"") if query.get("continue") else None
        found = asking.one(PodPlacement)
        assert isinstance(found, PodPlacement)
        assert [part.cause for part in found.missing] == [Cause.UNREACHABLE]
        api.before = lambda _path, query: (410, gone) if query.get("continue") else None
        again = asking.one(PodPlacement)
        assert isinstance(again, Unavailable)
        assert again.cause is Cause.BAD_RESPONSE

    def test_pages_without_an_end_are_left(self, kubernetes: Kubernetes) -> None:
        api, asking = kubernetes
        document = {"kind": "PodList", "apiVersion": "v1", "metadata": {"continue": "same"}, "items": []}
        api.before = lambda path, _query: (200, document) if path.endswith("/pods") else None
        found = asking.one(PodPlacement)
        assert isinstance(found, Unavailable)
        assert (found.cause, "no end" in found.detail) == (Cause.BAD_RESPONSE, True)


class TestRefusals:
    @pytest.mark.parametrize(
        ("answer", "cause"),
        [
            ((401, status(401, "Unauthorized", "Unauthorized")), Cause.ACCESS_DENIED),
            ((403, status(403, "Forbidden", "pods is forbidden")), Cause.ACCESS_DENIED),
            ((400, status(400, "BadRequest", "unable to parse requirement")), Cause.BAD_RESPONSE),
            ((404, b"404 page not found"), Cause.BAD_RESPONSE),
            ((429, status(429, "TooManyRequests", "the server has received too many requests")), Cause.RATE_LIMITED),
            ((500, b""), Cause.UNREACHABLE),
            ((503, b"apiserver not ready"), Cause.UNREACHABLE),
            ((504, b""), Cause.TIMEOUT),
            ((200, b"<html>sign in</html>"), Cause.BAD_RESPONSE),
            ((200, b'{"kind": "PodList"'), Cause.BAD_RESPONSE),
            ((200, {"kind": "NodeList", "items": []}), Cause.BAD_RESPONSE),
            ((200, {"kind": "PodList", "items": [1]}), Cause.BAD_RESPONSE),
            ((200, {"kind": "PodList", "items": {"a": 1}}), Cause.BAD_RESPONSE),
            ((200, {"kind": "PodList", "items": [{"metadata": {"ownerReferences": 1}}]}), Cause.BAD_RESPONSE),
            ((200, b"[" * 5000), Cause.BAD_RESPONSE),
        ],
    )
    def test_what_is_no_list_of_pods_is_unknown_with_its_cause(
        self, kubernetes: Kubernetes, answer: tuple[int, object], cause: Cause
    ) -> None:
        api, asking = kubernetes
        api.before = lambda _path, _query: answer
        for kind in (PodPlacement, PodChecks, Workloads):
            found = asking.one(kind)
            assert isinstance(found, Unavailable)
            assert (found.cause, "kubernetes/main" in found.detail) == (cause, True)

    def test_an_empty_list_may_be_null(self, kubernetes: Kubernetes) -> None:
        api, asking = kubernetes
        document = json.dumps({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": None}).encode()
        api.before = lambda _path, _query: document
        found = asking.one(PodPlacement)
        assert isinstance(found, Unavailable)
        assert found.cause is Cause.NOT_CONFIGURED

    def test_a_token_that_is_not_taken_is_not_sent_again_in_that_run(self, kubernetes: Kubernetes) -> None:
        api, asking = kubernetes
        api.before = lambda _path, _query: (401, status(401, "Unauthorized", "Unauthorized"))
        answers = asking(PodPlacement, [shop(f"s{index}", selector=f"app=s{index}") for index in range(20)])
        assert all(isinstance(one, Unavailable) and one.cause is Cause.ACCESS_DENIED for one in answers.values())
        assert len(api.asked) <= 8

    def test_a_cluster_that_never_answers_is_left_after_a_few_questions(self, kubernetes: Kubernetes) -> None:
        api, asking = kubernetes
        api.before = lambda _path, _query: (503, b"")
        answers = asking(PodPlacement, [shop(f"s{index}", selector=f"app=s{index}") for index in range(40)])
        assert all(isinstance(one, Unavailable) and one.cause is Cause.UNREACHABLE for one in answers.values())
        assert len(api.asked) <= 3 + 8

    def test_a_server_of_another_authority_is_told_nothing(self, kubernetes: Kubernetes, tmp_path: Path) -> None:
        api, asking = kubernetes
        other = tmp_path / "other"
        other.mkdir()
        (tmp_path / "ca.pem").write_bytes(Authority(other, NOW).file.read_bytes())
        found = asking.one(PodPlacement)
        assert isinstance(found, Unavailable)
        assert ("certificate" in found.detail, api.asked) == (True, [])

    def test_a_file_of_headers_that_is_gone_is_not_configured(self, kubernetes: Kubernetes) -> None:
        _, asking = kubernetes
        asking.more = ", headers_file: nowhere.yaml"
        found = asking.one(PodPlacement)
        assert isinstance(found, Unavailable)
        assert (found.cause, "nowhere.yaml" in found.detail) == (Cause.NOT_CONFIGURED, True)

    def test_a_cluster_that_is_not_configured_is_named(self, kubernetes: Kubernetes) -> None:
        found = kubernetes[1].one(PodPlacement, shop(cluster="other"))
        assert isinstance(found, Unavailable)
        assert (found.cause, "'other'" in found.detail) == (Cause.NOT_CONFIGURED, True)

    def test_a_service_without_pods_is_absent(self, kubernetes: Kubernetes) -> None:
        api, asking = kubernetes
        assert isinstance(asking.one(PodPlacement, Service(name="shop")), Absent)
        assert api.asked == []


class TestWorkloads:
    def rule(self, kubernetes: Kubernetes, **template: object) -> Workload:
        api, asking = kubernetes
        api.pod("web-1", "node-a")
        api.deployment("web", replicas=3, **template)
        found = asking.one(Workloads)
        assert isinstance(found, Workloads)
        (one,) = found.items
        assert isinstance(one, Workload)
        return one

    @pytest.mark.parametrize(
        ("template", "rule"),
        [
            ({}, ZoneRule.NONE),
            ({"topologySpreadConstraints": [{**SPREAD, "whenUnsatisfiable": "DoNotSchedule"}]}, ZoneRule.REQUIRED),
            ({"topologySpreadConstraints": [{**SPREAD, "whenUnsatisfiable": "ScheduleAnyway"}]}, ZoneRule.PREFERRED),
            ({"topologySpreadConstraints": [{**SPREAD, "topologyKey": "kubernetes.io/hostname"}]}, ZoneRule.NONE),
            (
                {"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [SPREAD]}}},
                ZoneRule.REQUIRED,
            ),
            (
                {
                    "affinity": {
                        "podAntiAffinity": {
                            "preferredDuringSchedulingIgnoredDuringExecution": [
                                {"weight": 100, "podAffinityTerm": SPREAD}
                            ]
                        }
                    }
                },
                ZoneRule.PREFERRED,
            ),
        ],
    )
    def test_what_a_template_says_about_zones(
        self, kubernetes: Kubernetes, template: dict[str, object], rule: ZoneRule
    ) -> None:
        one = self.rule(kubernetes, **template)
        assert (one.name, one.replicas, one.rule) == ("shop/Deployment/web", 3, rule)

    def test_the_stricter_of_two_rules_counts(self, kubernetes: Kubernetes) -> None:
        soft, hard = ({**SPREAD, "whenUnsatisfiable": one} for one in ("ScheduleAnyway", "DoNotSchedule"))
        assert self.rule(kubernetes, topologySpreadConstraints=[soft, hard]).rule is ZoneRule.REQUIRED

    def test_a_deployment_without_a_number_asks_for_one_pod(self, kubernetes: Kubernetes) -> None:
        api, asking = kubernetes
        api.pod("web-1", "node-a")
        api.deployment("web", replicas=None)
        assert asking.one(Workloads).items[0].replicas == 1

    def test_stateful_sets_are_read_too_and_what_is_neither_is_not_asked_about(self, kubernetes: Kubernetes) -> None:
        api, asking = kubernetes
        api.pod("db-0", "node-b", owner=("StatefulSet", "db"))
        api.pod("agent-x", "node-c", owner=("DaemonSet", "agent"))
        api.deployment("db", resource="statefulsets")
        (one,) = asking.one(Workloads).items
        assert (one.kind, "/apis/apps/v1/namespaces/shop/deployments" in api.asked) == ("StatefulSet", False)

    def test_nothing_but_daemon_sets_is_absent(self, kubernetes: Kubernetes) -> None:
        api, asking = kubernetes
        api.pod("agent-x", "node-c", owner=("DaemonSet", "agent"))
        assert isinstance(asking.one(Workloads), Absent)

    def test_deployments_that_may_not_be_listed_cost_nothing_but_themselves(self, kubernetes: Kubernetes) -> None:
        api, asking = kubernetes
        api.pod("web-1", "node-a")
        api.forbidden = {"deployments"}
        (one,) = asking.one(Workloads).items
        assert isinstance(one, Unseen)
        assert one.why.cause is Cause.ACCESS_DENIED
        assert tiers(asking)["shop/Deployment/web"].healthy == 1

    def test_a_deployment_that_went_away_meanwhile_is_unseen(self, kubernetes: Kubernetes) -> None:
        api, asking = kubernetes
        api.pod("web-1", "node-a")
        (one,) = asking.one(Workloads).items
        assert isinstance(one, Unseen)
        assert one.why.cause is Cause.NO_DATA


class TestChecks:
    def probes(self, kubernetes: Kubernetes, **containers: dict[str, object]) -> OwnCheck:
        api, asking = kubernetes
        api.pod("web-1", "node-a")
        spec = api.objects["pods"][0]["spec"]
        spec["containers"] = [{"name": name, "image": "x", **probes} for name, probes in containers.items()]
        found = asking.one(PodChecks)
        assert isinstance(found, PodChecks)
        (one,) = found.items
        assert isinstance(one, OwnCheck)
        return one

    def test_the_paths_of_all_containers_are_listed(self, kubernetes: Kubernetes) -> None:
        web = {
            "livenessProbe": {"httpGet": {"path": "/livez?x=1", "port": 1}},
            "readinessProbe": {"httpGet": {"port": 1}},
        }
        mesh = {"readinessProbe": {"httpGet": {"path": "/healthz/ready", "port": 2}}}
        one = self.probes(kubernetes, web=web, mesh=mesh)
        assert (one.name, one.paths) == ("shop/Deployment/web", ("/livez", "/", "/healthz/ready"))

    def test_a_probe_that_asks_no_path_is_named_without_what_it_runs(self, kubernetes: Kubernetes) -> None:
        one = self.probes(kubernetes, web={"livenessProbe": {"exec": {"command": ["curl", "tok3nC4naryQ7xZ9"]}}})
        assert (one.paths, one.words) == ((), "livenessProbe")

    def test_no_probe_at_all_is_said(self, kubernetes: Kubernetes) -> None:
        assert self.probes(kubernetes, web={}).words == "no probe"

    def test_while_it_is_deployed_the_newest_pod_speaks_for_its_workload(self, kubernetes: Kubernetes) -> None:
        api, asking = kubernetes
        for name, path, made in (("new", "/readyz", "2026-11-23T11:00:00Z"), ("old", "/", "2026-10-01T00:00:00Z")):
            api.pod(name, "node-a")
            pod = api.objects["pods"][-1]
            pod["metadata"]["creationTimestamp"] = made
            pod["spec"]["containers"][0]["readinessProbe"] = {"httpGet": {"path": path, "port": 1}}
        assert asking.one(PodChecks).items[0].paths == ("/readyz",)

    def test_nothing_but_jobs_has_no_checks(self, kubernetes: Kubernetes) -> None:
        api, asking = kubernetes
        api.pod("report-1", "node-c", owner=("Job", "report"))
        assert isinstance(asking.one(PodChecks), Absent)
