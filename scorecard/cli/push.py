"""`scorecard push` and `scorecard token`: what a pipeline hands to the running server, and with what it may."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scorecard.cli.output import LIST_FORMATS, say, write
from scorecard.cli.problems import Refused

if TYPE_CHECKING:
    from scorecard.cli.client import Client

KINDS = ("drill", "test-report", "attestation")
LOCAL = "http://127.0.0.1:8080"
TOKEN_VARIABLE = "SCORECARD_TOKEN"  # noqa: S105 - the variable's name
_LARGEST = 256 * 1024
_COLUMNS = ("id", "name", "service", "kinds", "active", "expires_at", "revoked_at", "last_used_at", "created_at")

server_option = click.option(
    "--server", metavar="URL", default=LOCAL, envvar="SCORECARD_SERVER", show_default=True, help="The running server."
)


@click.command(short_help="Hand evidence from a pipeline to the server.")
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--service", metavar="NAME", help="The service; the one that a drill report names unless given.")
@click.option("--environment", metavar="E", help="The environment; production unless given.")
@server_option
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help=f"A file with the token; the variable {TOKEN_VARIABLE} unless given.",
)
@click.option("--wait", is_flag=True, help="Wait until the row that rests on it was judged.")
def push(
    kind: str,
    file: Path,
    service: str | None,
    environment: str | None,
    server: str,
    token_file: Path | None,
    wait: bool,  # noqa: FBT001 - click hands flags over by name
) -> int:
    """Push FILE, JSON or YAML, as evidence about a service; `-` reads standard input.

    A drill is judged at once, as reported by a pipeline. Test reports and attestations are kept and shown. What cannot
    be true is refused, with the place of everything that is wrong with it.
    """
    from scorecard.cli.client import Client, part

    document = _document(kind, file)
    name = service or _named(document)
    client = Client(server, token=_token(token_file))
    body = {"kind": kind, "document": document}
    done = client.send("POST", f"/services/{part(name)}/evidence", body, environment=environment)
    say(f"push {done['id']}: {kind} of {name}, as {done['pushed_by']}")
    if wait and done["run"] is not None:
        client.run_to_end(client.get(f"/runs/{done['run']}"))
        say(f"judged by run {done['run']}; scorecard show {name} --server {server}")
    return 0


def _document(kind: str, file: Path) -> Any:  # noqa: ANN401 - any JSON
    from scorecard.strict_yaml import YamlError, load

    try:
        data = sys.stdin.buffer.read(_LARGEST + 1) if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise Refused(f"{file}: {error.strerror}") from error
    if len(data) > _LARGEST:
        raise Refused(f"{file}: more than 256 KiB")
    try:
        found = load(data, name=str(file)).value
    except YamlError as error:
        # A test report may be of any format, such as JUnit's XML.
        if kind != "test-report":
            raise Refused(str(error)) from error
        return data.decode("utf-8", "replace")
    return found if isinstance(found, dict) or kind != "test-report" else data.decode("utf-8", "replace")


def _named(document: Any) -> str:  # noqa: ANN401 - any JSON
    name = document.get("service") if isinstance(document, dict) else None
    if not isinstance(name, str) or not name:
        raise Refused("--service: name the service; the file does not")
    return name


def _token(file: Path | None) -> str:
    if file is not None:
        return file.read_text(encoding="utf-8").strip()
    token = os.environ.get(TOKEN_VARIABLE, "").strip()
    if not token:
        raise Refused(f"a token is needed: set {TOKEN_VARIABLE} or --token-file; scorecard token create makes one")
    return token


@click.group()
def token() -> None:
    """Tokens with which pipelines push evidence about one service. The running server makes and keeps them."""


@token.command()
@click.option("--service", required=True, metavar="NAME", help="The service that it is for, in every environment.")
@click.option("--name", default="", metavar="NAME", help="What its pushes are shown under; SERVICE-push unless given.")
@click.option("--for", "kinds", type=click.Choice(KINDS), multiple=True, help="What it may push; drill unless given.")
@click.option("--expires", default="30d", metavar="TIME", show_default=True, help="How long it lives, at most 90d.")
@server_option
def create(service: str, name: str, kinds: tuple[str, ...], expires: str, server: str) -> int:
    """Make a token and print it, once. It is kept nowhere: put it where the pipeline's secrets are."""
    from scorecard.cli.client import Client

    asked = {"service": service, "name": name, "kinds": list(kinds or ("drill",)), "expires": expires}
    made = Client(server).send("POST", "/tokens", asked)
    say(f"token {made['id']} of {made['service']} pushes {', '.join(made['kinds'])} until {made['expires_at']}")
    say("It is not shown again; scorecard token revoke ends it.")
    write(f"{made['token']}\n")
    return 0


@token.command()
@click.argument("token_id", metavar="ID")
@server_option
def revoke(token_id: str, server: str) -> int:
    """Let a token open nothing more, at once."""
    from scorecard.cli.client import Client, part

    ended = Client(server).send("DELETE", f"/tokens/{part(token_id)}")
    say(f"token {ended['id']} of {ended['service']} is revoked since {ended['revoked_at']}")
    return 0


@token.command("list")
@click.option("--service", metavar="NAME", help="Those of one service only.")
@click.option("--format", "-o", "form", type=click.Choice(LIST_FORMATS), default="table", help="Output.")
@server_option
def list_tokens(service: str | None, form: str, server: str) -> int:
    """List the tokens: of whom, until when, when last used. Never the tokens themselves."""
    from scorecard.cli.client import Client
    from scorecard.cli.formats.listing import listing

    client: Client = Client(server)
    found = client.get("/tokens", service=service)["items"]
    rows = [{**one, "kinds": ", ".join(one["kinds"]), "active": "yes" if one["active"] else "no"} for one in found]
    write(listing(form, _COLUMNS, found if form in {"json", "ndjson"} else rows))
    return 0
