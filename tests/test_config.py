# ruff: noqa: E501 - tables of cases, one a line
"""The server's configuration: what is read, what is refused and how it is said, what the environment overrides."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

import jsonschema
import pytest

from scorecard.catalog import Live, load_catalog
from scorecard.config import Config, ConfigError, SecretUnavailable, config_schema, instance, load_config
from scorecard.strict_yaml import load

EXAMPLE = """\
catalog:
  - files: services/*.yaml
  - backstage: {url: https://backstage.example.org, token_file: /run/secrets/backstage}
defaults:
  - spec: {health: {liveness: /healthz, readiness: /ready}, aws: {tags: {App: "{name}"}}}
  - match: {tier: tier-1}
    spec: {dashboards: [{grafana: golden, variables: {app: "{name}"}}]}
store: sqlite:///data.db
cadence: {live: 30s, platform: 10m, source: 12h}
probing:
  timeout: 3s
  concurrency: 50
  allow: [10.0.0.0/8, 127.0.0.1, "fd12::/16"]
  control_targets: [{url: https://status.example.org}]
integrations:
  prometheus: [{name: main, url: http://prometheus:9090}, {name: eu, url: http://prometheus-eu:9090}]
  alertmanager: [{name: main, url: http://alertmanager:9093}]
  grafana: [{name: main, url: https://grafana.example.org, token_file: secrets/grafana, ca_file: null, headers_file: null, proxy: null}]
  github: [{name: main, url: https://api.github.com, token_file: /run/secrets/github}]
  gitlab: []
  loki: [{url: http://loki:3100, tenant: org}]
  elasticsearch: []
  kubernetes: []
  vault: [{url: https://vault.example.org, namespace: team}]
  aws: [{name: main, regions: [eu-west-1], role: "arn:aws:iam::{account}:role/scorecard", endpoint_url: null}]
checklists:
  - {use: production-readiness}
  - {use: checklists/ours.yaml, match: {team: [payments-*, core]}}
gate:
  tier-1: {checklist: production-readiness, minimum_score: 90, minimum_coverage: 90, measured_within: 48h, maximum_waivers: 2, maximum_exempt_rows: 2}
  default: {minimum_score: 70}
vocabulary: {severities: {page: [critical], ticket: warning}, log_fields: {level: [lvl]}, signals: {latency: [took]}}
metrics: fleet
retention: {samples: 1d, evidence: 30d, history: 100d, reviews: 5y}
auth: {mode: none}
notify: [{webhook: https://hooks.example.org/x, on: [regression, waiver-ending]}]
server: {listen: "127.0.0.1:9000", public_url: https://scorecard.example.org}
"""


NOW = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "scorecard.yaml"


def read(path: Path, text: str, environ: dict[str, str] | None = None) -> Config:
    path.write_text(text, encoding="utf-8")
    return load_config(path, environ or {})


def refused(path: Path, text: str, environ: dict[str, str] | None = None) -> list[str]:
    """What is said about a configuration that is refused, without the directory."""
    with pytest.raises(ConfigError) as caught:
        read(path, text, environ)
    return [str(problem).removeprefix(f"{path.parent}/") for problem in caught.value.problems]


def test_every_section_is_read_into_its_type(path: Path) -> None:
    config = read(path, EXAMPLE)
    assert config.catalog[1].backstage is not None
    assert config.cadence.live == timedelta(seconds=30)
    assert config.probing.allow == (ip_network("10.0.0.0/8"), ip_network("127.0.0.1/32"), ip_network("fd12::/16"))
    assert config.probing.control_targets[0].url == "https://status.example.org"
    assert config.integrations.grafana[0].token_file == path.parent / "secrets/grafana"
    assert config.integrations.loki[0].name == "main"
    assert config.vocabulary.severities.ticket == ("warning",)
    assert config.vocabulary.severities.info == ("info",)
    assert config.vocabulary.log_fields.level == ("lvl",)
    assert config.vocabulary.log_fields.message == ("message", "msg", "event")
    assert config.policy("tier-1").minimum_score == 90
    assert config.policy("tier-9").minimum_score == 70
    assert config.checklists[1].match.team == ("payments-*", "core")
    assert config.retention.reviews == timedelta(days=5 * 365)
    assert config.locate(("gate", "tier-1", "minimum_score")) == (str(path), 30)


def test_without_a_file_there_are_sensible_defaults(tmp_path: Path) -> None:
    config = load_config(None, {}, directory=tmp_path)
    assert [entry.files for entry in config.catalog] == ["services/*.yaml"]
    assert [entry.use for entry in config.checklists] == ["production-readiness", "delivery-practices"]
    assert config.store_address().reveal() == f"sqlite:///{tmp_path}/scorecard.db"
    assert config.policy("anything").minimum_score == 80
    assert config.vocabulary.severities.page == ("critical", "page")


def test_an_empty_file_and_an_empty_section_mean_the_defaults(path: Path) -> None:
    assert read(path, "# nothing yet\n").probing.timeout == timedelta(seconds=5)
    assert read(path, "probing:\nnotify:\n").probing.timeout == timedelta(seconds=5)


def test_a_service_names_an_instance_or_gets_the_first(path: Path) -> None:
    instances = read(path, EXAMPLE).integrations.prometheus
    first, second = instance(instances, None), instance(instances, "eu")
    assert first is not None
    assert second is not None
    assert (first.url, second.url) == ("http://prometheus:9090", "http://prometheus-eu:9090")
    assert instance(instances, "us") is None


BAD = {
    "an unknown section": ("probbing: {}", "1: probbing: unknown key; did you mean `probing`?"),
    "an unknown key": ("probing:\n  timeot: 5s", "2: probing.timeot: unknown key; did you mean `timeout`?"),
    "a key that resembles none": ("server: {zzz: 1}", "1: server.zzz: unknown key; known here: listen, public_url"),
    "an unknown integration": ("integrations:\n  graphana: []", "2: integrations.graphana: unknown key; did you mean `grafana`?"),
    "an unknown key of an instance": (
        "integrations:\n  grafana:\n    - url: https://g.example.org\n      tokenfile: x",
        "4: integrations.grafana[0].tokenfile: unknown key; did you mean `token_file`?",
    ),
    "a missing address": ("integrations: {grafana: [{name: main}]}", "1: integrations.grafana[0].url: is missing"),
    "an address without a scheme": ("integrations: {loki: [{url: loki}]}", "1: integrations.loki[0].url: an absolute http"),
    "an address of another scheme": ("integrations: {loki: [{url: 'ftp://x'}]}", "integrations.loki[0].url: an absolute http"),
    "an address with a user": ("integrations: {loki: [{url: 'http://u@x'}]}", "leaks into evidence"),
    "a bad port": ("integrations: {loki: [{url: 'http://x:99999'}]}", "integrations.loki[0].url: 'http://x:99999' is not an address"),
    "a duration without a unit": ("cadence: {live: 5}", "1: cadence.live: a duration is written as text"),
    "a duration of another unit": ("cadence: {live: 5 minutes}", "cadence.live: '5 minutes' is not a duration"),
    "a duration of nothing": ("probing: {timeout: 0s}", "1: probing.timeout: longer than nothing"),
    "text for a number": ("probing: {concurrency: many}", "1: probing.concurrency: a number is expected, not `many`"),
    "a number out of range": ("probing: {concurrency: 0}", "1: probing.concurrency: `0`: input should be greater than"),
    "a mapping for a list": ("catalog: {files: x}", "1: catalog: a list is expected, not a mapping"),
    "a list for a mapping": ("probing: [1]", "1: probing: a mapping is expected, not a list"),
    "text for the whole": ("just text", "1: a mapping of sections is expected"),
    "a network with host bits": ("probing: {allow: [10.0.0.1/8]}", "1: probing.allow[0]: 10.0.0.1/8 has bits set"),
    "no network": ("probing:\n  allow:\n    - 10.0.0.0/8\n    - office", "4: probing.allow[1]: 'office' is not a network"),
    "all of loopback": ("probing: {allow: [127.0.0.0/8]}", "exact addresses only"),
    "the metadata service": ("probing: {allow: [169.254.169.254]}", "which is never probed"),
    "an unknown event": ("notify: [{webhook: 'https://x.example', on: [regresion]}]", "did you mean `regression`?"),
    "no address to notify": ("notify: [{on: [regression]}]", "1: notify[0]: either webhook or webhook_file"),
    "an unknown mode": ("auth: {mode: oidcc}", "1: auth.mode: `oidcc` is not one of none, token, oidc, proxy; did you mean `oidc`?"),
    "a mode without its section": ("auth:\n  mode: proxy", "2: auth.mode: mode proxy needs auth.proxy"),
    "open to the network without sign-in": ("server: {listen: '0.0.0.0:80'}", "1: server.listen: 0.0.0.0 is not loopback"),
    "a listener without a port": ("server: {listen: localhost}", "1: server.listen: an address and a port"),
    "half an address of a store": ("store: 'postgresql://[::1'", "1: store: postgresql://USER@HOST:PORT/DATABASE is expected"),
    "a port that is none": ("store: postgresql://db:0x50/s", "1: store: postgresql://USER@HOST:PORT/DATABASE is expected"),
    "an unknown store": ("store: postgres://db/x", "1: store: sqlite:///PATH or postgresql:// is expected; did you mean `postgresql://`?"),
    "a score over a hundred": ("gate:\n  default:\n    minimum_score: 900", "3: gate.default.minimum_score: 900 is not a percentage"),
    "an unknown key of the gate": ("gate: {default: {min_score: 80}}", "gate.default.min_score: unknown key; did you mean `minimum_score`?"),
    "waivers under zero": ("gate: {default: {maximum_waivers: -1}}", "gate.default.maximum_waivers: -1 is under 0"),
    "a tier that is no label": ("gate: {Tier One: {}}", "1: gate.Tier One: 'Tier One' is not a name"),
    "two instances of a name": (
        "integrations:\n  loki:\n    - {url: 'http://a'}\n    - {url: 'http://b'}",
        "4: integrations.loki[1].name: `main` is the name of loki[0] already",
    ),
    "a role that is none": ("integrations: {aws: [{regions: [eu-west-1], role: admin}]}", "integrations.aws[0].role: 'admin' is not a role"),
    "a region that is none": ("integrations: {aws: [{regions: [europe]}]}", "integrations.aws[0].regions[0]: 'europe' is not a region"),
    "no region": ("integrations: {aws: [{regions: []}]}", "1: integrations.aws[0].regions:"),
    "a password without a user": ("integrations: {loki: [{url: 'http://a', password_file: p}]}", "password_file: username is missing"),
    "two sources in one entry": ("catalog: [{files: x, backstage: {url: 'https://b'}}]", "1: catalog[0]: one source is expected"),
    "an unknown source": ("catalog: [{file: x}]", "1: catalog[0].file: unknown key; did you mean `files`?"),
    "a default of an unknown key": ("defaults:\n  - spec:\n      helth: {}", "3: defaults[0].spec.helth: unknown key; did you mean `health`?"),
    "a default of a bad value": ("defaults:\n  - spec: {runbooks: runbooks/}", "2: defaults[0].spec.runbooks: a list is expected"),
    "a default that nothing fills in": ("defaults: [{spec: {url: 'https://{nmae}.example'}}]", "nothing fills in {nmae}; did you mean {name}?"),
    "an unknown condition": ("defaults: [{match: {teir: x}}]", "1: defaults[0].match.teir: unknown key; did you mean `tier`?"),
    "a key twice": ("store: sqlite:///a\nstore: sqlite:///b", "2: the key 'store' stands twice; the first is in line 1"),
    "a broken bracket": ("probing: {timeout: 5s\nstore: x", "2: did not find expected"),
    "a tab": ("probing:\n\ttimeout: 5s", "2: a tab cannot indent; use spaces"),
    "an unknown tag": ("store: !env STORE", "1: the tag !env is not read"),
    "a control character": ('store: "sqlite:///\\x01"', "1: store: the character U+0001 cannot be shown"),
    "two documents": ("store: sqlite:///a\n---\nprobing: {}", "3: a second document begins here"),
    "metrics of another kind": ("metrics: service", "1: metrics: `service` is not one of services, fleet; did you mean `services`?"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_refused_with_file_line_key_and_the_nearest_known_key(path: Path, case: str) -> None:
    text, said = BAD[case]
    messages = refused(path, text + "\n")
    assert all(message.startswith("scorecard.yaml:") for message in messages)
    assert any(said in message for message in messages), messages


@pytest.mark.parametrize("case", BAD)
def test_after_a_bad_file_the_last_good_one_stays_and_a_good_one_is_taken_up_again(path: Path, case: str) -> None:
    path.write_text("probing: {timeout: 1s}\n")
    (path.parent / "services").mkdir()
    (path.parent / "services/a.yaml").write_text("metadata: {name: a}\n")
    live = Live(path, {}, read=lambda config, now: load_catalog(config, now=now), now=NOW)
    assert live.last_reload_successful
    path.write_text(BAD[case][0] + "\n")
    outcome = live.reload(NOW + timedelta(hours=1))
    assert not live.last_reload_successful
    assert (outcome.at, live.outcome) == (NOW + timedelta(hours=1), outcome)
    assert all(problem.file == str(path) and problem.line for problem in outcome.problems)
    assert live.config.probing.timeout == timedelta(seconds=1)
    assert [service.name for service in live.catalog.services] == ["a"]
    path.write_text("probing: {timeout: 2s}\n")
    assert live.reload(NOW + timedelta(hours=2)).successful
    assert live.config.probing.timeout == timedelta(seconds=2)


def test_everything_that_is_wrong_is_said_at_once_in_the_order_of_the_file(path: Path) -> None:
    messages = refused(path, "probbing: {}\ncadence: {live: 5}\nstore: sqlite:///x\nmetrics: all\n")
    assert [message.split(":")[1] for message in messages] == ["1", "2", "4"]


def test_a_file_that_is_not_there_is_said_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.yaml: No such file"):
        load_config(tmp_path / "absent.yaml", {})


INLINE = {
    "a token": ("integrations: {grafana: [{url: 'https://g', token: CANARY}]}", "integrations.grafana[0].token", "token_file"),
    "a password": ("integrations: {loki: [{url: 'http://l', username: u, password: CANARY}]}", "password", "password_file"),
    "a client secret": ("auth: {mode: oidc, oidc: {issuer: 'https://i', client_id: c, client_secret: CANARY}}", "client_secret", "client_secret_file"),
    "a signing key": ("notify: [{webhook: 'https://h', secret: CANARY}]", "notify[0].secret", "secret_file"),
    "a store with a password": ("store: postgresql://user:CANARY@db/x", "store", "store_file"),
    "an address with a password": ("integrations: {loki: [{url: 'http://u:CANARY@l'}]}", "integrations.loki[0].url", "*_file"),
    "a key that we do not know": ("integrations: {github: [{api_key: CANARY}]}", "api_key", "api_key_file"),
    "a proxy with a password": ("integrations: {loki: [{url: 'http://l', proxy: 'http://u:CANARY@p'}]}", "proxy", "*_file"),
}  # fmt: skip


@pytest.mark.parametrize("case", INLINE)
def test_a_secret_in_the_file_is_refused_and_never_repeated(path: Path, case: str) -> None:
    text, key, instead = INLINE[case]
    messages = refused(path, "# a comment\n" + text + "\n")
    assert any("does not stand in this file" in one and key in one and instead in one for one in messages), messages
    assert all(message.startswith("scorecard.yaml:2: ") for message in messages)
    assert "CANARY" not in "\n".join(messages)


def test_a_secret_comes_from_the_environment_and_is_never_printed(path: Path) -> None:
    environ = {
        "SCORECARD__INTEGRATIONS__GRAFANA__MAIN__TOKEN": "CANARY-1",
        "SCORECARD__INTEGRATIONS__GITHUB__0__TOKEN": "12345",
        "SCORECARD__STORE": "postgresql://user:CANARY-2@db/scorecard",
    }
    config = read(path, EXAMPLE, environ)
    token, number = (
        config.integrations.grafana[0].read_secret("token"),
        config.integrations.github[0].read_secret("token"),
    )
    assert token is not None
    assert number is not None
    assert (token.reveal(), number.reveal()) == ("CANARY-1", "12345")
    assert config.store_address().reveal() == "postgresql://user:CANARY-2@db/scorecard"
    assert "CANARY" not in f"{config!r} {config} {token!r} {token} {config.store_address()!r}"


def test_a_secret_file_is_read_when_it_is_needed_so_that_a_rotated_one_counts(path: Path) -> None:
    grafana = read(path, EXAMPLE).integrations.grafana[0]
    with pytest.raises(SecretUnavailable, match=r"token_file .*secrets/grafana: No such file"):
        grafana.read_secret("token")
    (path.parent / "secrets").mkdir()
    for content in ("first", "second"):
        (path.parent / "secrets/grafana").write_text(content + "\n")
        secret = grafana.read_secret("token")
        assert secret is not None
        assert secret.reveal() == content
    (path.parent / "secrets/grafana").write_text(" \n")
    with pytest.raises(SecretUnavailable, match="empty"):
        grafana.read_secret("token")


def test_the_headers_of_a_request_come_from_its_files(path: Path) -> None:
    text = "integrations:\n  loki: [{url: 'http://l', username: u, password_file: p, headers_file: h}]\n  vault: [{url: 'http://v', token_file: p}]\n"
    integrations = read(path, text).integrations
    (path.parent / "p").write_text("pw\n")
    (path.parent / "h").write_text("X-Scope: a\n")
    assert integrations.loki[0].headers() == {"X-Scope": "a", "Authorization": "Basic dTpwdw=="}
    assert integrations.vault[0].headers(name="X-Vault-Token", prefix="") == {"X-Vault-Token": "pw"}
    for bad, said in (
        ("X: [CANARY", "not YAML in line"),
        ("- CANARY", "a mapping of header names"),
        ("X: 1", "a mapping"),
    ):
        (path.parent / "h").write_text(bad)
        with pytest.raises(SecretUnavailable, match=said) as caught:
            integrations.loki[0].headers()
        assert "CANARY" not in str(caught.value)


def test_every_file_of_a_secret_is_listed_for_the_doctor(path: Path) -> None:
    listed = dict(read(path, EXAMPLE).secret_files())
    assert listed["integrations.grafana[0].token_file"] == path.parent / "secrets/grafana"
    assert listed["catalog[1].backstage.token_file"] == Path("/run/secrets/backstage")


def test_the_environment_overrides_every_kind_of_key(path: Path) -> None:
    config = read(
        path,
        EXAMPLE,
        {
            "SCORECARD__PROBING__TIMEOUT": "2s",
            "scorecard__probing__concurrency": "7",
            "SCORECARD__PROBING__ALLOW": "[192.168.0.0/16]",
            "SCORECARD__GATE__TIER_1__MINIMUM_SCORE": "95",
            "SCORECARD__GATE__TIER_2": "{minimum_score: 60}",
            "SCORECARD__INTEGRATIONS__PROMETHEUS__EU__URL": "http://other:9090",
            "SCORECARD__INTEGRATIONS__KUBERNETES": '[{"name": "prod", "url": "https://k8s.example.org"}]',
            "SCORECARD__INTEGRATIONS__KUBERNETES__PROD__TOKEN": "t",
            "SCORECARD__CATALOG__0__FILES": "other/*.yaml",
            "SCORECARD__METRICS": "services",
            "SCORECARD_CONFIG": "not ours",
        },
    )
    assert config.probing.timeout == timedelta(seconds=2)
    assert config.probing.concurrency == 7
    assert config.probing.allow == (ip_network("192.168.0.0/16"),)
    assert (config.policy("tier-1").minimum_score, config.policy("tier-2").minimum_score) == (95, 60)
    assert config.integrations.prometheus[1].url == "http://other:9090"
    assert config.integrations.kubernetes[0].read_secret("token") is not None
    assert config.catalog[0].files == "other/*.yaml"
    assert config.metrics == "services"
    assert config.locate(("probing", "timeout")) == ("SCORECARD__PROBING__TIMEOUT", 0)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("SCORECARD__PROBIN__TIMEOUT", "5s", "SCORECARD__PROBIN__TIMEOUT: no such setting; did you mean `SCORECARD__PROBING`?"),
        ("SCORECARD__PROBING__TIMEOT", "5s", "did you mean `SCORECARD__PROBING__TIMEOUT`?"),
        ("SCORECARD__PROBING__TIMEOUT", "5x", "SCORECARD__PROBING__TIMEOUT: probing.timeout: '5x' is not a duration"),
        ("SCORECARD__PROBING__ALLOW", "[", "SCORECARD__PROBING__ALLOW: not YAML"),
        ("SCORECARD__PROBING__CONCURRENCY", "x", "SCORECARD__PROBING__CONCURRENCY: probing.concurrency: a number"),
        ("SCORECARD__INTEGRATIONS__GRAFANA__MAIN__TOKEN", "x", "no item `main` in integrations.grafana"),
        ("SCORECARD__", "x", "SCORECARD__: no such setting"),
        ("SCORECARD__STORE__DEEPER", "x", "SCORECARD__STORE__DEEPER: no such setting"),
    ],
)  # fmt: skip
def test_a_bad_variable_is_named_with_the_nearest_one(path: Path, name: str, value: str, said: str) -> None:
    messages = refused(path, "metrics: services\n", {name: value})
    assert any(said in message for message in messages), messages


def test_an_override_of_what_an_alias_shares_changes_one_place_only(path: Path) -> None:
    text = "gate:\n  tier-1: &bar {minimum_score: 90}\n  tier-2: *bar\n"
    config = read(path, text, {"SCORECARD__GATE__TIER_2__MINIMUM_SCORE": "50"})
    assert (config.policy("tier-1").minimum_score, config.policy("tier-2").minimum_score) == (90, 50)


def test_the_schema_is_valid_and_accepts_the_example_and_nothing_unknown() -> None:
    schema = config_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    validator.validate(load(EXAMPLE, name="example").value)
    for bad in (
        {"probbing": {}},
        {"defaults": [{"spec": {"helth": {}}}]},
        {"integrations": {"grafana": [{"token": "x"}]}},
    ):
        assert not validator.is_valid(bad), bad


def test_the_schema_names_no_key_for_an_inline_secret() -> None:
    ours = {name: part for name, part in config_schema()["$defs"].items() if not name.startswith("spec.")}
    keys = {key for part in ours.values() for key in part.get("properties", {})}
    assert {"token_file", "password_file", "client_secret_file", "session_key_file"} <= keys
    assert not keys & {"token", "password", "secret", "client_secret", "session_key", "metrics_token", "installed"}
