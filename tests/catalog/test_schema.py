"""The printed schema, the documentation and the starter files agree with what is read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from scorecard.catalog import load_catalog, service_schema, starter_files
from scorecard.config import config_schema, load_config
from scorecard.json_schema import nodes_at
from scorecard.strict_yaml import load_all

NOW = datetime(2026, 11, 24, tzinfo=UTC)
ROOT = Path(__file__).parents[2]
VALIDATOR = jsonschema.Draft202012Validator(service_schema())


def test_the_schema_is_valid_itself() -> None:
    jsonschema.Draft202012Validator.check_schema(service_schema())


def test_our_own_registration_is_valid_and_loads(tmp_path: Path) -> None:
    text = (ROOT / "services/readiness-scorecard.yaml").read_text()
    for document in load_all(text, name="own"):
        VALIDATOR.validate(document.value)
    (tmp_path / "services").mkdir()
    (tmp_path / "services/readiness-scorecard.yaml").write_text(text)
    catalog = load_catalog(load_config(None, {}, directory=tmp_path), now=NOW)
    assert catalog.problems == ()
    (service,) = catalog.services
    assert (service.name, service.team, service.spec.health.readiness) == (
        "readiness-scorecard",
        "scorecard",
        "/readyz",
    )
    assert service.spec.repositories[0].url == str(tmp_path)


@pytest.mark.parametrize(
    "bad",
    [
        {},
        {"metadata": {}},
        {"metadata": {"name": "A"}},
        {"metadata": {"name": "a", "x": 1}},
        {"metadata": {"name": "a"}, "spec": {"helth": {}}},
        {"metadata": {"name": "a"}, "environments": {"production": {}}},
        {"metadata": {"name": "a"}, "environments": {"staging": {"helth": {}}}},
        {"metadata": {"name": "a", "type": "wbe"}},
        {"metadata": {"name": "a"}, "kind": "Servce"},
        {"metadata": {"name": "a", "tier": "x"}, "kind": "Team"},
        {"metadata": {"name": "a"}, "kind": "Team", "spec": {}},
    ],
)
def test_the_schema_refuses_what_the_reader_refuses(tmp_path: Path, bad: dict[str, Any]) -> None:
    assert not VALIDATOR.is_valid(bad)
    (tmp_path / "services").mkdir()
    # Every JSON document is a YAML document.
    (tmp_path / "services/a.yaml").write_text(str(bad).replace("'", '"') or "{}")
    assert load_catalog(load_config(None, {}, directory=tmp_path), now=NOW).problems


def test_the_schema_accepts_null_where_a_layer_takes_something_away() -> None:
    VALIDATOR.validate({"metadata": {"name": "a"}, "spec": {"aws": None, "health": {"liveness": None}}})
    VALIDATOR.validate({"metadata": {"name": "a"}, "spec": {"kubernetes": {"cluster": "main"}}})


def test_the_starter_files_are_valid_and_load_as_they_are(tmp_path: Path) -> None:
    for name, text in starter_files("payments").items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    config = load_config(tmp_path / "scorecard.yaml", {})
    catalog = load_catalog(config, now=NOW)
    assert catalog.problems == ()
    assert catalog.services[0].spec.health.liveness == "/livez"
    jsonschema.validate(load_all((tmp_path / "scorecard.yaml").read_text(), name="x")[0].value, config_schema())


def test_the_starter_files_are_valid_with_every_comment_taken_away(tmp_path: Path) -> None:
    for name, text in starter_files("payments").items():
        lines = [re.sub(r"^(\s*)# (?=\s*[a-z]+: )", r"\1", line) for line in text.splitlines()]
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("\n".join(lines))
    catalog = load_catalog(load_config(tmp_path / "scorecard.yaml", {}), now=NOW)
    assert catalog.problems == ()
    assert catalog.services[0].spec.backups


def test_no_service_may_be_started_under_a_bad_name() -> None:
    with pytest.raises(ValueError, match="is not a name"):
        starter_files("../etc/passwd")


@pytest.mark.parametrize("schema", [config_schema(), service_schema()], ids=["configuration", "catalogue"])
def test_every_default_in_a_schema_is_valid_by_it(schema: dict[str, Any]) -> None:
    whole = jsonschema.Draft202012Validator(schema)
    checked = 0
    for definition in schema["$defs"].values():
        for part in definition.get("properties", {}).values():
            if "default" in part:
                whole.evolve(schema=part).validate(part["default"])
                checked += 1
    assert checked > 20


def rows(schema: dict[str, Any], path: tuple[str | int, ...] = ()) -> Iterator[tuple[str, str]]:
    """Every key that a schema names, in dots, items of lists as `[]`, and its row in the reference."""
    seen: set[str] = set()
    for node in nodes_at(schema, path):
        for key, part in node.get("properties", {}).items():
            if key not in seen:
                seen.add(key)
                name = ".".join(map(str, (*path, key))).replace(".0", "[]")
                default = part.get("default")
                # pydantic says a description once: at the key, or at the section where both would say the same.
                said = part.get("description") or nodes_at(schema, (*path, key))[0]["description"]
                shown = "" if default in (None, "", [], {}) or isinstance(default, dict | list) else f"`{default}`"
                yield (
                    name,
                    f"| `{name}` | {shown} | {said} |".replace("True", "true").replace("False", "false"),
                )
                yield from rows(schema, (*path, key))
        if node.get("type") == "array":
            yield from rows(schema, (*path, 0))
        elif isinstance(node.get("additionalProperties"), dict) and node["additionalProperties"].get("$ref"):
            yield from rows(schema, (*path, "NAME"))


def documented(page: str) -> list[str]:
    """The rows of every table of keys in a page of the reference."""
    text = (ROOT / "docs/reference" / page).read_text()
    return [line for line in text.splitlines() if line.startswith("| `")]


def configuration_rows() -> list[str]:
    return [row for name, row in rows(config_schema()) if not name.startswith("defaults[].spec.")]


def catalogue_rows() -> list[str]:
    definitions = service_schema()["$defs"]
    service, team = ({"$defs": definitions, "$ref": f"#/$defs/{kind}"} for kind in ("Service", "Team"))
    found = [row for name, row in rows(service) if not name.startswith("environments.")]
    return found + [row for name, row in rows(team) if name.startswith("metadata.")]


def test_the_reference_has_the_row_of_every_key_of_the_configuration() -> None:
    assert len(configuration_rows()) > 150
    assert documented("configuration.md") == configuration_rows()


def test_the_reference_has_the_row_of_every_key_of_the_catalogue() -> None:
    assert len(catalogue_rows()) > 70
    assert documented("catalogue.md") == catalogue_rows()
