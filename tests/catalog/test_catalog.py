# ruff: noqa: E501 - tables of cases, one a line
"""What is registered: services, environments, defaults, teams, renames, exemptions; and what is said about the rest."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from scorecard.catalog import Catalog, load_catalog
from scorecard.config import load_config
from scorecard.model import Lifecycle, ServiceKey, ServiceType

NOW = datetime(2026, 11, 24, tzinfo=UTC)
ROWS = frozenset({"multi-az", "backups", "secrets"})

PAYMENTS = """\
apiVersion: scorecard/v1
kind: Service
metadata:
  name: payments
  formerly: [card-payments]
  team: payments-platform
  tier: tier-1
  type: web
  stateless: false
  lifecycle: production
  description: Takes card payments.
  links: [{title: On call, url: https://oncall.example.org/payments}]
spec:
  url: https://payments.example.org
  health: {liveness: /livez, readiness: http://10.1.2.3:9000/readyz}
  correlation: {path: /v1/ping, header: X-Correlation-ID, field: correlation_id}
  logs: {cloudwatch: {group: /ecs/payments}}
  repositories: [{url: https://github.com/example/payments, path: ., role: source, default_branch: main}]
  dashboards: [{grafana: payments-overview, variables: {env: prod}}, {cloudwatch: payments}]
  alerts: [{prometheus: {matchers: {service: payments}}}, {files: deploy/alerts/*.yaml}, {cloudwatch: {prefix: payments-}}]
  runbooks: [runbooks/, https://wiki.example.org/runbooks]
  aws: {account: "111122223333", tags: {Service: payments}, resources: []}
  backups: [{resource: "arn:aws:rds:eu-west-1:111122223333:db:payments", recovery_time: 1h, recovery_point: 24h}, {drill: drills/payments-*.json}]
  migrations: {paths: [migrations/], dialect: postgres, baseline: 2026-01-01, maintenance_windows: []}
  infrastructure: {state: "s3://tf-state/payments.tfstate", plan: "s3://tf-plans/payments.json"}
  runtime: {version: /version}
  kubernetes: {cluster: main, namespace: payments, selector: app=payments}
  downstream: [ledger]
  rotated: [{secret: "src/old.py@3f2a", on: 2026-05-01}]
  exempt: {multi-az: {reason: "cold standby is accepted", declared_by: payments-lead, approved_by: platform-lead, until: 2027-03-01}}
environments:
  staging: {url: https://payments.staging.example.org}
---
apiVersion: scorecard/v1
kind: Team
metadata: {name: payments-platform, parent: payments, channel: "#payments-ops", timezone: Australia/Brisbane, oidc_group: payments-eng}
"""


class Place:
    """A directory with a configuration and service files."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / "services").mkdir()
        self.configure("")

    def configure(self, text: str) -> None:
        (self.directory / "scorecard.yaml").write_text(text)

    def write(self, name: str, text: str) -> None:
        (self.directory / "services" / name).write_text(text)

    def load(self, now: datetime = NOW) -> Catalog:
        config = load_config(self.directory / "scorecard.yaml", {})
        return load_catalog(config, now=now, rows=ROWS)

    def said(self) -> list[str]:
        return [str(problem).replace(f"{self.directory}/", "") for problem in self.load().problems]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def names(catalog: Catalog) -> list[str]:
    return [str(service.key) for service in catalog.services]


def test_a_service_is_read_with_all_its_keys_in_every_environment(place: Place) -> None:
    place.write("payments.yaml", PAYMENTS)
    catalog = place.load()
    assert catalog.problems == ()
    assert names(catalog) == ["payments", "payments@staging"]
    production, staging = catalog.services
    assert (production.type, production.lifecycle, production.team) == (
        ServiceType.WEB,
        Lifecycle.PRODUCTION,
        "payments-platform",
    )
    assert production.formerly == ("card-payments",)
    assert production.spec.backups[0].recovery_time == timedelta(hours=1)
    assert production.spec.exempt["multi-az"].until == date(2027, 3, 1)
    assert production.spec.migrations is not None
    assert production.spec.migrations.baseline == date(2026, 1, 1)
    assert production.origin == f"{place.directory}/services/payments.yaml:4"
    assert staging.spec.url == "https://payments.staging.example.org"
    assert staging.spec.health == production.spec.health
    (team,) = catalog.teams
    assert (team.timezone, team.oidc_group, team.parent) == ("Australia/Brisbane", "payments-eng", "payments")


def test_two_lines_register_a_service(place: Place) -> None:
    place.write("a.yaml", "kind: Service\nmetadata: {name: a}\n---\nmetadata: {name: b}\n")
    assert names(place.load()) == ["a", "b"]


DEFAULTS = """\
defaults:
  - spec:
      health: {liveness: /livez, readiness: /readyz}
      aws: {tags: {Service: "{name}", Environment: "{environment}"}}
      logs: {cloudwatch: {group: "/ecs/{name}"}}
      alerts: [{prometheus: {matchers: {service: "{name}", team: "{team}"}}}]
  - match: {tier: [tier-1, tier-2], team: pay*}
    spec: {health: {readiness: /deep}, dashboards: [{grafana: "golden", variables: {s: "${name}"}}]}
  - match: {environment: staging}
    spec: {url: "https://{name}.staging.example.org"}
"""


def test_defaults_are_merged_under_matching_services_and_later_ones_win(place: Place) -> None:
    place.configure(DEFAULTS)
    place.write("a.yaml", "metadata: {name: a, team: core}\n---\nmetadata: {name: b, team: payments, tier: tier-2}\n")
    a, b = place.load().services
    assert (a.spec.health.readiness, b.spec.health.readiness) == ("/readyz", "/deep")
    assert b.spec.health.liveness == "/livez"
    assert b.spec.aws is not None
    assert b.spec.aws.tags == {"Service": "b", "Environment": "production"}
    assert b.spec.alerts[0].prometheus is not None
    assert b.spec.alerts[0].prometheus.matchers == {"service": "b", "team": "payments"}
    assert (a.spec.dashboards, b.spec.dashboards[0].variables) == ((), {"s": "${name}"})


def test_what_a_service_says_itself_wins_lists_are_replaced_and_null_takes_away(place: Place) -> None:
    place.configure(DEFAULTS)
    place.write(
        "a.yaml",
        "metadata: {name: a, team: core}\n"
        "spec: {aws: {tags: {Service: other}}, alerts: [{files: rules.yaml}], logs: {file: {path: /var/log/a}}, health: {liveness: null}}\n"
        "environments:\n  staging: {aws: null}\n",
    )
    production, staging = place.load().services
    assert production.spec.aws is not None
    assert production.spec.aws.tags == {"Service": "other", "Environment": "production"}
    assert [alert.files for alert in production.spec.alerts] == ["rules.yaml"]
    assert production.spec.logs.cloudwatch is None
    assert (production.spec.health.liveness, production.spec.health.readiness) == (None, "/readyz")
    assert (staging.spec.aws, staging.spec.url) == (None, "https://a.staging.example.org")


def test_every_value_of_the_effective_service_says_where_it_came_from(place: Place) -> None:
    place.configure(DEFAULTS)
    place.write(
        "a.yaml",
        "metadata:\n  name: a\n  team: payments\n  tier: tier-1\nspec:\n  health:\n    liveness: /up\nenvironments:\n  staging:\n    runbooks: [x/]\n",
    )
    effective = place.load().effective(ServiceKey("a", "staging"))
    assert effective is not None
    origins = {one.key: (one.value, one.origin.replace(f"{place.directory}/", "")) for one in effective.settings()}
    assert origins["metadata.team"] == ("payments", "services/a.yaml:3")
    assert origins["metadata.type"] == ("web", "built in")
    assert origins["spec.health.liveness"] == ("/up", "services/a.yaml:7")
    assert origins["spec.health.readiness"] == ("/deep", "scorecard.yaml:8 defaults[1]")
    assert origins["spec.aws.tags.Service"] == ("a", "scorecard.yaml:4 defaults[0]")
    assert origins["spec.url"] == ("https://a.staging.example.org", "scorecard.yaml:10 defaults[2]")
    assert origins["spec.runbooks"] == (["x/"], "services/a.yaml:10")
    assert origins["spec.correlation.header"] == ("X-Correlation-ID", "built in")
    assert effective.value["spec"]["health"] == {"liveness": "/up", "readiness": "/deep"}
    assert place.load().effective(ServiceKey("absent")) is None


def test_a_default_that_needs_a_team_says_so_for_a_service_without_one(place: Place) -> None:
    place.configure(DEFAULTS)
    place.write("a.yaml", "metadata: {name: a}\n---\nmetadata: {name: b, team: core}\n")
    assert names(place.load()) == ["b"]
    assert place.said() == ["services/a.yaml:1: metadata.team: is missing, and a default needs it (scorecard.yaml:6)"]


def test_a_bad_default_is_said_once_at_its_own_line(place: Place) -> None:
    place.configure("defaults:\n  - spec:\n      url: ftp://{name}\n")
    place.write("a.yaml", "metadata: {name: a}\n")
    assert place.said() == [
        "scorecard.yaml:3: defaults[0].spec.url: an absolute http or https address is expected, not 'ftp://a'"
    ]


BAD = {
    "an unknown key of spec": ("metadata: {name: x}\nspec:\n  helth: {}", "3: spec.helth: unknown key; did you mean `health`?"),
    "an unknown key of metadata": ("metadata:\n  name: x\n  teem: y", "3: metadata.teem: unknown key; did you mean `team`?"),
    "a key of metadata under spec": ("metadata: {name: x}\nspec:\n  tier: y", "3: spec.tier: unknown key; it stands under metadata"),
    "a key of spec under metadata": ("metadata:\n  name: x\n  url: y", "3: metadata.url: unknown key; it stands under spec"),
    "a field that no document has": ("metadata:\n  name: x\n  origin: y", "3: metadata.origin: unknown key"),
    "an unknown outermost key": ("metadata: {name: x}\nspecs: {}", "2: specs: unknown key; did you mean `spec`?"),
    "an unknown kind": ("kind: Servce\nmetadata: {name: x}", "1: kind: `Servce` is not one of Service, Team; did you mean `Service`?"),
    "another version": ("apiVersion: scorecard/v2\nmetadata: {name: x}", "1: apiVersion: `scorecard/v2` is not scorecard/v1"),
    "no metadata": ("kind: Service", "1: metadata: a mapping with a name is expected"),
    "no name": ("metadata: {team: x}", "1: metadata.name: is missing"),
    "a list": ("- a", "1: a mapping is expected, not a list"),
    "a name in capitals": ("metadata: {name: Payments}", "1: metadata.name: 'Payments' is not a name"),
    "a name that is too long": ("metadata: {name: " + "x" * 64 + "}", "metadata.name: "),
    "a name that ends with a hyphen": ("metadata: {name: x-}", "metadata.name: 'x-' is not a name"),
    "a number for a name": ("metadata: {name: 12}", "metadata.name: text is expected, not `12`; put it in quotes"),
    "a tier with blanks": ("metadata: {name: x, tier: Tier 1}", "metadata.tier: 'Tier 1' is not a name"),
    "a team that is no label": ("metadata: {name: x, team: a/b}", "metadata.team: 'a/b' is not a name"),
    "an unknown type": ("metadata: {name: x, type: wbe}", "1: metadata.type: `wbe` is not one of web, grpc, worker, job, static; did you mean `web`?"),
    "no for false": ("metadata: {name: x, stateless: no}", "1: metadata.stateless: true or false is expected, not `no`"),
    "text for a list": ("metadata: {name: x}\nspec: {runbooks: runbooks/}", "2: spec.runbooks: a list is expected, not `runbooks/`"),
    "text for a mapping": ("metadata: {name: x}\nspec: {health: /livez}", "2: spec.health: a mapping is expected, not `/livez`"),
    "text for the spec": ("metadata: {name: x}\nspec: here", "2: spec: a mapping is expected"),
    "a control character": ('metadata: {name: x, description: "a\\x00b"}', "1: metadata.description: the character U+0000"),
    "a bidi override": ('metadata: {name: x, description: "a\\u202Eb"}', "the character U+202E"),
    "a script's address": ("metadata: {name: x, links: [{title: t, url: 'javascript:alert(1)'}]}", "metadata.links[0].url: an absolute http or https address"),
    "an address with a password": ("metadata: {name: x}\nspec:\n  url: https://u:CANARY@x.example", "3: spec.url: a user name or password in an address leaks"),
    "a health path without a slash": ("metadata: {name: x}\nspec: {health: {liveness: livez}}", "spec.health.liveness: a path that begins with one /"),
    "a health address of another scheme": ("metadata: {name: x}\nspec: {health: {liveness: 'file:///etc/passwd'}}", "spec.health.liveness: an absolute http"),
    "a relative address": ("metadata: {name: x}\nspec: {health: {liveness: //evil.example/x}}", "spec.health.liveness: a path that begins with one /"),
    "two log sources": ("metadata: {name: x}\nspec: {logs: {file: {path: /a}, loki: {selector: '{}'}}}", "2: spec.logs: one source is expected, not file and loki"),
    "an alert of no source": ("metadata: {name: x}\nspec: {alerts: [{}]}", "2: spec.alerts[0]: one of prometheus, files, grafana, cloudwatch is expected"),
    "a dashboard of two": ("metadata: {name: x}\nspec: {dashboards: [{grafana: a, cloudwatch: b}]}", "spec.dashboards[0]: one of grafana, cloudwatch is expected, not grafana and cloudwatch"),
    "a transport that runs programs": ("metadata: {name: x}\nspec: {repositories: [{url: 'ext::sh -c x'}]}", "spec.repositories[0].url: an https or ssh address"),
    "a repository with a token": ("metadata: {name: x}\nspec: {repositories: [{url: 'https://t:CANARY@github.com/a/b'}]}", "spec.repositories[0].url: a user name or password"),
    "a way out of the repository": ("metadata: {name: x}\nspec: {repositories: [{url: ., path: ../..}]}", "spec.repositories[0].path: a folder within the repository"),
    "a repository without an address": ("metadata: {name: x}\nspec:\n  repositories:\n    - path: .", "4: spec.repositories[0].url: is missing"),
    "an account in numbers": ("metadata: {name: x}\nspec: {aws: {account: 111122223333}}", "spec.aws.account: text is expected, not `111122223333`; put it in quotes"),
    "a short account": ("metadata: {name: x}\nspec: {aws: {account: '12'}}", "spec.aws.account: '12' is not the twelve digits"),
    "a resource that is no ARN": ("metadata: {name: x}\nspec: {aws: {resources: [db]}}", "spec.aws.resources[0]: 'db' is not an ARN"),
    "a duration without a unit": ("metadata: {name: x}\nspec: {backups: [{resource: 'arn:x', recovery_time: 60}]}", "spec.backups[0].recovery_time: a duration is written as text"),
    "a day that is none": ("metadata: {name: x}\nspec: {migrations: {baseline: 2026-02-30}}", "spec.migrations.baseline: `2026-02-30` is not a day"),
    "a rotation of no place": ("metadata: {name: x}\nspec: {rotated: [{secret: old.py, on: 2026-01-01}]}", "spec.rotated[0].secret: path@commit is expected"),
    "a header with a line break": ('metadata: {name: x}\nspec: {correlation: {header: "X\\nEvil"}}', "is not a header's name"),
    "production among the environments": ("metadata: {name: x}\nenvironments:\n  production: {}", "3: environments.production: the keys of production stand under spec"),
    "an exemption by its own approver": ("metadata: {name: x}\nspec: {exempt: {multi-az: {reason: r, declared_by: Ann, approved_by: ' ann', until: 2027-01-01}}}", "approved_by: another person than Ann approves"),
    "an exemption for ever": ("metadata: {name: x}\nspec: {exempt: {multi-az: {reason: r, declared_by: a, approved_by: b, until: 2027-12-01}}}", "until: 2027-12-01 is more than a year after 2026-11-24"),
    "an exemption without a reason": ("metadata: {name: x}\nspec: {exempt: {multi-az: {reason: ' ', declared_by: a, approved_by: b, until: 2027-01-01}}}", "spec.exempt.multi-az.reason: is empty"),
    "an exemption from an unknown row": ("metadata: {name: x}\nspec: {exempt: {multi-zone: {reason: r, declared_by: a, approved_by: b, until: 2027-01-01}}}", "no row is called 'multi-zone'; did you mean `multi-az`?"),
    "an exemption without an end": ("metadata: {name: x}\nspec: {exempt: {multi-az: {reason: r, declared_by: a, approved_by: b}}}", "spec.exempt.multi-az.until: is missing"),
    "its own name among the former": ("metadata: {name: x, formerly: [x]}", "metadata.formerly[0]: is the name that the service has now"),
    "a broken bracket": ("metadata: {name: x", "did not find expected"),
    "a key twice": ("metadata: {name: x}\nmetadata: {name: y}", "2: the key 'metadata' stands twice"),
    "an unknown tag": ("metadata: !!python/object:os.system {}", "is not read"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_bad_document_is_said_with_file_line_and_key_and_leaves_the_others_alone(place: Place, case: str) -> None:
    text, said = BAD[case]
    place.write("bad.yaml", f"{text}\n---\nmetadata: {{name: neighbour}}\n")
    place.write("good.yaml", "metadata: {name: good}\n")
    messages = place.said()
    assert all(message.startswith("services/bad.yaml:") for message in messages)
    assert any(said in message for message in messages), messages
    assert "CANARY" not in "\n".join(messages)
    assert names(place.load()) == ["good", "neighbour"]


def test_a_bad_environment_leaves_production_registered(place: Place) -> None:
    place.write("a.yaml", "metadata: {name: a}\nenvironments:\n  staging: {url: nowhere}\n  Dev: {}\n")
    catalog = place.load()
    assert names(catalog) == ["a"]
    assert catalog.refused == {ServiceKey("a", "staging"), ServiceKey("a", "Dev")}
    assert place.said()[0].startswith("services/a.yaml:3: environments.staging.url: an absolute http")


def test_of_two_services_of_one_name_the_first_stays(place: Place) -> None:
    place.write("a.yaml", "metadata: {name: payments, team: first}\n")
    place.write("b.yaml", "\nmetadata: {name: payments, team: second}\n")
    assert [service.team for service in place.load().services] == ["first"]
    assert place.said() == [
        "services/b.yaml:2: metadata.name: `payments` is registered in services/a.yaml:1 already; this one is not taken"
    ]


def test_a_former_name_that_is_in_use_or_taken_is_refused(place: Place) -> None:
    place.write(
        "a.yaml",
        "metadata: {name: a, formerly: [old]}\n---\nmetadata: {name: b, formerly: [old]}\n---\nmetadata: {name: c, formerly: [a]}\n",
    )
    assert names(place.load()) == ["a"]
    messages = place.said()
    assert "services/a.yaml:3: metadata.formerly[0]: `old` belongs to `a` in services/a.yaml:1 already" in messages[0]
    assert "services/a.yaml:5: metadata.formerly[0]: `a` belongs to `a`" in messages[1]


def test_an_exemption_that_has_ended_is_no_error(place: Place) -> None:
    place.write(
        "a.yaml",
        "metadata: {name: a}\nspec: {exempt: {multi-az: {reason: r, declared_by: a, approved_by: b, until: 2026-11-23}}}\n",
    )
    (service,) = place.load().services
    assert service.spec.exempt["multi-az"].until < NOW.date()


def test_circles_of_teams_are_cut_and_said(place: Place) -> None:
    place.write(
        "t.yaml",
        "\n---\n".join(f"kind: Team\nmetadata: {{name: {a}, parent: {b}}}" for a, b in ("ab", "bc", "ca", "da", "ee")),
    )
    catalog = place.load()
    assert {team.name: team.parent for team in catalog.teams} == {"a": "", "b": "c", "c": "a", "d": "a", "e": ""}
    assert [problem.key for problem in catalog.problems] == ["metadata.parent", "metadata.parent"]


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ("{name: A}", "metadata.name: 'A' is not a name"),
        ("{name: a, timezone: Brisbane}", "'Brisbane' is not a time zone"),
        ("{name: a, timezone: ../../etc/passwd}", "is not a time zone"),
        ("{name: a, parnt: b}", "metadata.parnt: unknown key; did you mean `parent`?"),
        ("{name: good}", "`good` is defined in"),
    ],
)
def test_a_bad_team_is_said_and_leaves_the_others_alone(place: Place, metadata: str, said: str) -> None:
    place.write("t.yaml", f"kind: Team\nmetadata: {{name: good}}\n---\nkind: Team\nmetadata: {metadata}\n")
    assert [team.name for team in place.load().teams] == ["good"]
    assert said in place.said()[0]


def test_a_team_that_nobody_describes_may_own_services(place: Place) -> None:
    place.write("a.yaml", "metadata: {name: a, team: nobody}\n")
    assert place.said() == []


def test_an_instance_that_the_configuration_does_not_have_is_said(place: Place) -> None:
    place.configure("integrations: {prometheus: [{name: eu, url: 'http://p'}]}\n")
    place.write(
        "a.yaml",
        "metadata: {name: a}\nspec: {alerts: [{prometheus: {instance: us}}], kubernetes: {cluster: any, namespace: n, selector: s}}\n",
    )
    assert place.said() == [
        "services/a.yaml:2: spec.alerts[0].prometheus.instance: integrations.prometheus has no 'us'; it has eu"
    ]


def test_paths_of_the_scorecards_machine_are_relative_to_the_configuration(place: Place) -> None:
    place.write(
        "a.yaml",
        "metadata: {name: a}\nspec: {repositories: [{url: .}, {url: git@github.com:a/b.git}], logs: {file: {path: log/a}}, infrastructure: {state: a.tfstate, plan: 's3://x/y'}, backups: [{resource: dumps}]}\n",
    )
    (service,) = place.load().services
    here = place.directory
    assert [repository.url for repository in service.spec.repositories] == [str(here), "git@github.com:a/b.git"]
    assert service.spec.logs.file is not None
    assert service.spec.logs.file.path == str(here / "log/a")
    assert service.spec.infrastructure is not None
    assert (service.spec.infrastructure.state, service.spec.infrastructure.plan) == (
        str(here / "a.tfstate"),
        "s3://x/y",
    )
    assert service.spec.backups[0].resource == str(here / "dumps")


def test_two_thousand_services_of_two_lines_are_all_registered(place: Place) -> None:
    place.configure(DEFAULTS)
    place.write(
        "all.yaml",
        "".join(f"---\nkind: Service\nmetadata: {{name: service-{n:04}, team: payments}}\n" for n in range(2000)),
    )
    catalog = place.load()
    assert (len(catalog.services), catalog.problems) == (2000, ())
    assert catalog.services[1999].spec.logs.cloudwatch is not None
    assert catalog.services[1999].spec.logs.cloudwatch.group == "/ecs/service-1999"


def test_a_file_that_cannot_be_read_or_is_not_there_is_said_by_name(place: Place) -> None:
    place.configure("catalog: [{files: services/absent.yaml}, {files: 'none/*.yaml'}, {files: services/a.yaml}]\n")
    place.write("a.yaml", "metadata: {name: a}\n")
    assert names(place.load()) == ["a"]
    assert place.said() == ["services/absent.yaml: No such file or directory"]
