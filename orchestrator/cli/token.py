"""`doorbell token`: tokens of the REST API; it prints a new one once, and keeps only its digest, in tokens.yaml."""

import json
import os
import secrets
from datetime import date
from pathlib import Path
from typing import Any

import click

from orchestrator.cli.options import (
    DOTENV,
    config_option,
    console,
    json_option,
    print_json,
    settings_from,
)
from orchestrator.configuration import document
from orchestrator.configuration.configuration import Configuration
from orchestrator.configuration.files import TOKENS
from orchestrator.configuration.load import load
from orchestrator.configuration.shaping import NAME
from orchestrator.configuration.tokens import Scope, Token
from orchestrator.console.proving import ENTROPY, PREFIX, digest_of
from orchestrator.errors import OperatorError
from orchestrator.rules.load import closest
from orchestrator.settings import environment
from orchestrator.stores import read_secret_file
from orchestrator.tell import table

HEAD = "# Who may use the REST API: digests of tokens. `doorbell token new NAME` adds one and prints the token, once.\n"


@click.group("token")
def token() -> None:
    """Tokens of the REST API: who may ask over HTTP, and say what."""


@token.command("new")
@config_option
@json_option
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice([str(one) for one in Scope]),
    multiple=True,
    help="What it is for; repeatable [read].",
)
@click.option(
    "--person", help="Whose it is: a name of people.yaml. `approve` needs one, or `operate`."
)
@click.option(
    "--rule",
    "rules",
    metavar="GLOB",
    multiple=True,
    help="Only runs, approvals and rules of such rules; repeatable [all, and everything else].",
)
@click.option("--expires", metavar="YYYY-MM-DD", help="The last day it proves anything [never].")
def new(
    *,
    name: str,
    scopes: tuple[str, ...],
    person: str | None,
    rules: tuple[str, ...],
    expires: str | None,
    as_json: bool,
    **flags: Any,
) -> None:
    """Make a token and print it, once; tokens.yaml keeps its digest."""
    directory, configuration = _configuration(flags)
    _check(name, scopes, person, expires, configuration)
    made = PREFIX + secrets.token_urlsafe(ENTROPY)
    line = _line(name, made, scopes or (Scope.READ,), person, rules, expires)
    _append(directory / TOKENS, line)
    if as_json:
        print_json({"name": name, "token": made})
    else:
        click.echo(made)
        click.echo(f"{directory / TOKENS} has its digest; this is shown only once", err=True)


@token.command("list")
@config_option
@json_option
def list_(*, as_json: bool, **flags: Any) -> None:
    """List tokens: what each is for, and until when."""
    _, configuration = _configuration(flags)
    found = [_shown(one) for one in configuration.tokens.values()]
    if as_json:
        print_json(found)
        return
    rows = [
        (
            one["name"],
            " ".join(one["scopes"]),
            one["person"] or "-",
            " ".join(one["rules"]) or "all",
            one["expires"] or "never",
        )
        for one in found
    ]
    console().print(table(("token", "for", "person", "rules", "expires"), rows, whole={"token"}))


@token.command("revoke")
@config_option
@click.argument("name")
def revoke(*, name: str, **flags: Any) -> None:
    """Take a token out of tokens.yaml: seconds later it proves nothing."""
    directory, configuration = _configuration(flags)
    path = directory / TOKENS
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    known = document.read(str(path), text).value or {}
    if name not in known:
        raise OperatorError(f"there is no token {name!r}{closest(name, configuration.tokens)}")
    _replace(path, _without(text, name))
    click.echo(f"{name} is revoked")


def _configuration(flags: dict[str, Any]) -> tuple[Path, Configuration]:
    directory = settings_from(**flags).config
    if not directory.is_dir():
        raise OperatorError(f"no configuration in {str(directory)!r}: give --config DIR")
    return directory, load(directory, environment(DOTENV), read_secret_file)


def _check(
    name: str,
    scopes: tuple[str, ...],
    person: str | None,
    expires: str | None,
    configuration: Configuration,
) -> None:
    if NAME.fullmatch(name) is None:
        raise OperatorError(f"expected a name of letters, digits, `-` and `_`, got {name!r}")
    there = configuration.documents[TOKENS].value or {}
    if name in there:
        raise OperatorError(f"there is a token {name!r} already: revoke it, or choose another name")
    if person is not None and person not in configuration.people:
        hint = closest(person, configuration.people)
        raise OperatorError(f"expected a person of people.yaml, got {person!r}{hint}")
    if Scope.APPROVE in scopes and Scope.OPERATE not in scopes and person is None:
        raise OperatorError(
            "a consent is somebody's: say --person NAME, or --scope operate as well"
        )
    if expires is not None:
        _check_day(expires)


def _check_day(text: str) -> None:
    try:
        date.fromisoformat(text)
    except ValueError:
        raise OperatorError(f"expected a day such as 2027-03-31, got {text!r}") from None


def _line(
    name: str,
    made: str,
    scopes: tuple[str, ...],
    person: str | None,
    rules: tuple[str, ...],
    expires: str | None,
) -> str:
    said: dict[str, Any] = {"sha256": digest_of(made), "scopes": list(dict.fromkeys(scopes))}
    said |= {} if person is None else {"person": person}
    said |= {"rules": list(rules)} if rules else {}
    said |= {} if expires is None else {"expires": expires}
    # JSON is YAML too, and quotes whatever somebody typed.
    return f"{name}: {json.dumps(said, ensure_ascii=False)}\n"


def _append(path: Path, line: str) -> None:
    text = path.read_text(encoding="utf-8") if path.is_file() else HEAD
    value = document.read(str(path), text)
    if value.mistakes or not isinstance(value.value or {}, dict):
        raise OperatorError(f"{path} has a mistake: mend it first (`doorbell check` says where)")
    # An empty mapping is no beginning for another line.
    kept = "" if text.strip() == "{}" else text
    _replace(path, f"{kept.rstrip()}\n{line}" if kept.strip() else line)


def _without(text: str, name: str) -> str:
    """The text without the key of that name and all that stands under it."""
    kept, inside = [], False
    for line in text.splitlines(keepends=True):
        if line[:1].strip() and line[0] != "#":
            inside = line.partition(":")[0].strip("\"' ") == name
        if not inside or line.startswith("#"):
            kept.append(line)
    return "".join(kept)


def _replace(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


def _shown(one: Token) -> dict[str, Any]:
    return {
        "name": one.name,
        "scopes": sorted(str(scope) for scope in one.scopes),
        "person": one.person,
        "rules": list(one.rules),
        "expires": None if one.expires is None else one.expires.isoformat(),
    }
