"""How ssh is called for a clone: to the address that was judged, with no question to anybody.

The operator's own `ssh_config` counts (keys, host aliases, ports), so ssh is asked first what it makes of a name. What
it would resolve and connect to by itself is then given to it as a literal address.
"""

from __future__ import annotations

import shlex
import subprocess
from dataclasses import dataclass

from scorecard.model import Cause
from scorecard.probes.repository.questions import UnreadableError

_PORT = 22
_SECONDS = 10
# No password, no multiplexed connection that somebody opened to elsewhere, nothing forwarded, nothing run here.
_OPTIONS = (
    "-oBatchMode=yes",
    "-oConnectTimeout=10",
    "-oServerAliveInterval=10",
    "-oServerAliveCountMax=3",
    "-oCanonicalizeHostname=no",
    "-oControlPath=none",
    "-oControlMaster=no",
    "-oClearAllForwardings=yes",
    "-oForwardAgent=no",
    "-oPermitLocalCommand=no",
    "-oProxyCommand=none",
)


@dataclass(frozen=True, slots=True)
class SshPlace:
    """Where ssh would go for a name, by its own configuration."""

    host: str
    port: int
    alias: str
    """The name under which `known_hosts` has its key."""

    def command(self, address: str) -> str:
        """The command line that connects to this very address, and expects the key of the name."""
        return shlex.join(["ssh", *_OPTIONS, f"-oHostName={address}", f"-oHostKeyAlias={self.alias}"])


def configured(user: str, host: str, port: int | None) -> SshPlace:
    """Ask ssh what its configuration makes of a name; nothing is resolved or connected to.

    Raises:
        UnreadableError: there is no ssh, or its configuration leads through a proxy, which resolves the name elsewhere.
    """
    command = ["ssh", "-G", "-oBatchMode=yes", "-oCanonicalizeHostname=no", "-l", user]
    try:
        done = subprocess.run(  # noqa: S603 - the host was read by `read_address`, which lets no option through
            [*command, *(["-p", str(port)] if port else []), "--", host],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=True,
            text=True,
        )
    except (OSError, subprocess.SubprocessError, UnicodeError) as error:
        raise UnreadableError(Cause.NOT_CONFIGURED, f"ssh -G {host} fails: {type(error).__name__}") from None
    told: dict[str, str] = {}
    for line in done.stdout.splitlines():
        key, _, value = line.partition(" ")
        told.setdefault(key, value.strip())
    if told.get("proxycommand", "none") != "none" or told.get("proxyjump", "none") != "none":
        words = f"ssh's configuration reaches {host} through a proxy, where no address can be judged"
        raise UnreadableError(Cause.NOT_SUPPORTED, words)
    name, number = told.get("hostname", host), told.get("port", "")
    found = int(number) if number.isdecimal() else port or _PORT
    alias = told.get("hostkeyalias") or (name if found == _PORT else f"[{name}]:{found}")
    return SshPlace(name, found, alias)
