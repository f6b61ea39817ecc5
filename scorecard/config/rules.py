"""What must hold in a configuration beyond the type of each key; every broken rule with the path it is broken at."""

from __future__ import annotations

import ipaddress
import re
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from scorecard.problems import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scorecard.config.schema import Config, KeyPath

Broken = tuple["KeyPath", str]

_PERCENT = 100
_PORTS = 65_535
_STORES = ("sqlite", "postgresql", "postgresql+psycopg")
PLACEHOLDER = re.compile(r"(?<!\$)\{([a-z_]+)\}")
"""A word in braces; Grafana's `${variable}` is not ours, nor is `{app="x"}`."""
SERVICE_PLACEHOLDERS = ("name", "team", "tier", "type", "environment")


def broken_rules(config: Config) -> Iterator[Broken]:
    """Every rule that the configuration breaks."""
    for rule in (_sources, _durations, _instances, _policies, _auth, _notify, _store, _placeholders):
        yield from rule(config)


def _sources(config: Config) -> Iterator[Broken]:
    for index, entry in enumerate(config.catalog):
        given = [name for name in ("files", "backstage") if getattr(entry, name) is not None] + list(entry.installed)
        if len(given) != 1:
            yield ("catalog", index), f"one source is expected (files or backstage), not {len(given)}"


def _durations(config: Config) -> Iterator[Broken]:
    for section in ("cadence", "probing", "retention"):
        model = getattr(config, section)
        for key in type(model).model_fields:
            value = getattr(model, key)
            if isinstance(value, timedelta) and value <= timedelta():
                yield (section, key), "longer than nothing is expected"
    for index, drill in enumerate(config.drills):
        if drill.every < timedelta(hours=1):
            yield ("drills", index, "every"), "an hour or more: a drill restores a whole backup"
        if drill.spec in {other.spec for other in config.drills[:index]}:
            yield ("drills", index, "spec"), "stands here twice; one drill of a spec is enough"
    if config.probing.timeout > timedelta(minutes=1):
        yield ("probing", "timeout"), "at most 1m: a probe that may take longer than its cadence never ends"


def _instances(config: Config) -> Iterator[Broken]:
    for kind in type(config.integrations).model_fields:
        seen: dict[str, int] = {}
        for index, instance in enumerate(getattr(config.integrations, kind)):
            path: KeyPath = ("integrations", kind, index)
            if instance.name in seen:
                yield (*path, "name"), f"`{instance.name}` is the name of {kind}[{seen[instance.name]}] already"
            seen.setdefault(instance.name, index)
            yield from _credentials(path, instance)


def _credentials(path: KeyPath, instance: object) -> Iterator[Broken]:
    if getattr(instance, "password_file", None) is not None and getattr(instance, "username", None) is None:
        yield (*path, "password_file"), "username is missing"
    timeout = getattr(instance, "timeout", None)
    if isinstance(timeout, timedelta) and timeout <= timedelta():
        yield (*path, "timeout"), "longer than nothing is expected"


def _policies(config: Config) -> Iterator[Broken]:
    for tier, policy in config.gate.items():
        path: KeyPath = ("gate", tier)
        for key in ("minimum_score", "minimum_coverage"):
            value = getattr(policy, key)
            if not 0 <= value <= _PERCENT:
                yield (*path, key), f"{value:g} is not a percentage from 0 to 100"
        for key in ("maximum_waivers", "maximum_exempt_rows"):
            value = getattr(policy, key)
            if value < 0:
                yield (*path, key), f"{value} is under 0"
        if policy.measured_within <= timedelta():
            yield (*path, "measured_within"), "longer than nothing is expected"


def _auth(config: Config) -> Iterator[Broken]:
    mode = config.auth.mode
    if mode in {"oidc", "proxy"} and getattr(config.auth, mode) is None:
        yield ("auth", "mode"), f"mode {mode} needs auth.{mode}"
    host, _, port = config.server.listen.rpartition(":")
    if not host or not port.isdecimal() or not int(port) <= _PORTS:
        yield (
            ("server", "listen"),
            f"an address and a port such as 127.0.0.1:8080 are expected, not {config.server.listen}",
        )
    elif mode == "none" and not _is_loopback(host):
        yield ("server", "listen"), f"{host} is not loopback, and auth.mode none lets everybody in; choose another mode"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _notify(config: Config) -> Iterator[Broken]:
    for index, entry in enumerate(config.notify):
        if (entry.webhook is None) == (entry.webhook_file is None):
            yield ("notify", index), "either webhook or webhook_file is expected"


def _store(config: Config) -> Iterator[Broken]:
    scheme = config.store.partition(":")[0]
    if scheme not in _STORES or "://" not in config.store:
        near = nearest(scheme, _STORES)
        yield (
            ("store",),
            "sqlite:///PATH or postgresql:// is expected" + (f"; did you mean `{near}://`?" if near else ""),
        )
    elif not _is_address(config.store):
        yield ("store",), f"{scheme}://USER@HOST:PORT/DATABASE is expected, an IPv6 address within [ ]"


def _is_address(text: str) -> bool:
    try:
        return urlsplit(text).port != 0
    except ValueError:
        return False


def _placeholders(config: Config) -> Iterator[Broken]:
    for index, entry in enumerate(config.defaults):
        yield from _unknown_placeholders(entry.spec, ("defaults", index, "spec"))


def _unknown_placeholders(value: object, path: KeyPath) -> Iterator[Broken]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _unknown_placeholders(item, (*path, key))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _unknown_placeholders(item, (*path, index))
    elif isinstance(value, str):
        for word in PLACEHOLDER.findall(value):
            if word not in SERVICE_PLACEHOLDERS:
                near = nearest(word, SERVICE_PLACEHOLDERS)
                hint = f"; did you mean {{{near}}}?" if near else f"; known: {', '.join(SERVICE_PLACEHOLDERS)}"
                yield path, f"nothing fills in {{{word}}}{hint}"
