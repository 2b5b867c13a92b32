"""The JSON Schemas that editors use say what the shapes say: what is documented fits them, and unknown keys don't."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from jsonschema import Draft7Validator

from orchestrator.cli.init import write_starter
from orchestrator.cli.main import main
from orchestrator.configuration.document import read
from orchestrator.configuration.schemas import FILES, schema_of
from orchestrator.configuration.shaping import shaped
from orchestrator.playbooks import split
from orchestrator.rules.rule import Operator
from orchestrator.sources.presets import PRESETS
from tests.support.configurations import PLAYBOOK, SERVERS, SOURCES
from tests.support.rehearsing import RULE, TESTED

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SECTION = re.compile(
    r"^### `(?P<file>[^`]+)`[^\n]*\n+```\w+\n(?P<text>.*?)^```", re.MULTILINE | re.DOTALL
)
KIND = {
    "sources.yaml": "sources",
    "servers.yaml": "servers",
    "rules/*.yaml": "rules",
    "playbooks/*.md": "playbook",
    "limits.yaml": "limits",
    "people.yaml": "people",
}
DOCUMENTED = [
    (KIND[found["file"]], found["text"])
    for found in SECTION.finditer(README)
    if found["file"] in KIND
]
OURS = [
    ("sources", SOURCES),
    ("servers", SERVERS),
    ("rules", RULE + TESTED),
    ("playbook", PLAYBOOK),
]


def value_of(kind, text):
    matter = split(text).matter if kind == "playbook" else text
    return read("file", matter or "").value


def complaints(kind, value):
    return [
        f"{list(found.absolute_path)}: {found.message}"
        for found in Draft7Validator(schema_of(kind)).iter_errors(value)
    ]


def named(kind, entry):
    return entry if kind in {"playbook", "limits"} else {"name": entry}


@pytest.mark.parametrize("kind", FILES)
def test_every_schema_is_one(kind):
    Draft7Validator.check_schema(schema_of(kind))


@pytest.mark.parametrize(("kind", "text"), [*DOCUMENTED, *OURS])
def test_everything_that_is_documented_fits_its_schema(kind, text):
    assert value_of(kind, text)
    assert complaints(kind, value_of(kind, text)) == []


def test_the_documentation_has_an_example_of_every_common_file():
    assert {kind for kind, _ in DOCUMENTED} >= {"sources", "servers", "rules", "playbook"}


@pytest.mark.parametrize(
    ("kind", "entry"),
    [
        ("sources", {"scheme": "github", "secretz": "env:X"}),
        ("sources", {"scheme": "githup"}),
        ("sources", {"scheme": {"hmac": "md5", "header": "x"}}),
        ("sources", {"scheme": "github", "secrets": "the secret itself"}),
        ("sources", {"scheme": "github", "keep": "5 minutes"}),
        ("sources", {"scheme": "github", "expect": "6h"}),
        ("servers", {"url": "https://x", "command": "x"}),
        ("rules", {"on": "a/b", "when": {"x": {"equals": 1}}}),
        ("rules", {"on": "a/b", "flow": {"mode": "sideways"}}),
        ("rules", {"on": "a/b", "tests": [{"event": "x.http"}]}),
        ("rules", {"on": []}),
        ("rules", {"run": "x"}),
        ("rules", {"run": "x", "backstop": False}),
        ("rules", {"on": "a/b", "limits": {"per_actor": "5 an hour"}}),
        ("rules", {"on": "a/b", "dedupe": {"key": "{{ id }}"}}),
        ("playbook", {"model": "m", "budget": {"usd": -1}}),
        ("playbook", {"model": "m", "budget": {"turns": 0}}),
        ("playbook", {"model": "m", "budgt": {}}),
        ("limits", {"usd_per_dya": 1}),
    ],
)
def test_what_the_configuration_would_refuse_an_editor_refuses_too(kind, entry):
    assert complaints(kind, named(kind, entry))


@pytest.mark.parametrize(
    ("kind", "entry"),
    [
        ("sources", {"scheme": "stripe", "secrets": ["env:A", "file:/b"], "keep": "forever"}),
        (
            "sources",
            {"scheme": "github", "expect": "every 6h", "max_body": "1MiB", "own_actors": [1]},
        ),
        ("sources", {"scheme": {"ed25519": "hex", "header": "x"}, "type": "{{ event.t }}"}),
        ("rules", {"backstop": True, "run": "x", "limits": {"concurrent": 5, "per_actor": "5/h"}}),
        ("rules", {"on": "a/b", "limits": {"per_key": "3/30m", "cooldown": "10m"}}),
        ("rules", {"on": "a/b", "dedupe": {"key": "{{ id }}", "window": "24h"}}),
        ("rules", {"on": ["a/b", "c/*"], "when": {"x[*].y": ["a", 1], "not": [{"a": None}]}}),
        ("rules", {"on": "a/b", "when": {"any": [{"cel": "true"}, {"all": [{"x": {"gt": 1}}]}]}}),
        ("playbook", {"model": "m", "budget": {"usd": "0.5", "tokens": "300k", "turns": 3}}),
        (
            "playbook",
            {"model": "m", "approve": "write-once", "writes": {"a.b": {"approve": "never"}}},
        ),
        (
            "playbook",
            {
                "model": "m",
                "approve": {
                    "by": "role:x",
                    "ttl": "3d",
                    "when": "args.n > 5",
                    "on_timeout": "park",
                },
            },
        ),
    ],
)
def test_every_way_to_write_a_value_fits(kind, entry):
    shape, flaws = shaped(FILES[kind], entry, ())
    assert (shape is None, flaws) == (False, [])
    assert complaints(kind, named(kind, entry)) == []


def test_every_operator_and_every_scheme_is_offered():
    rules, sources = schema_of("rules"), schema_of("sources")

    offered = rules["definitions"]["leaf"]["anyOf"][2]["properties"]
    schemes = sources["definitions"]["entry"]["properties"]["scheme"]["anyOf"][0]["enum"]
    assert set(offered) == set(Operator)
    assert set(schemes) == set(PRESETS)


def test_the_command_prints_one(tmp_path):
    result = CliRunner().invoke(main, ["schema", "rules"])

    assert json.loads(result.stdout) == schema_of("rules")


def test_the_starter_names_its_schemas_and_they_are_there_and_fit(tmp_path):
    write_starter(tmp_path)

    texts = [path for path in tmp_path.rglob("*.yaml") if path.parent.name != ".schemas"]
    assert texts
    for path in texts:
        line = path.read_text().partition("\n")[0]
        schema = path.parent / line.partition("$schema=")[2]
        assert Draft7Validator(json.loads(schema.read_text())).is_valid(
            read(str(path), path.read_text()).value
        )


def test_they_can_be_written_anew_after_an_upgrade(tmp_path):
    (tmp_path / "conf").mkdir()

    result = CliRunner().invoke(main, ["schema", "--write", "--config", str(tmp_path / "conf")])

    assert result.exit_code == 0
    written = sorted(path.name for path in (tmp_path / "conf" / ".schemas").iterdir())
    assert written == sorted(f"{kind}.json" for kind in FILES)


@pytest.mark.parametrize("words", [[], ["rules", "--write"], ["persons"]])
def test_neither_or_both_or_a_strange_kind_is_exit_two(words):
    assert CliRunner().invoke(main, ["schema", *words]).exit_code == 2


def test_without_a_configuration_nothing_is_written(tmp_path):
    result = CliRunner().invoke(main, ["schema", "--write", "--config", str(tmp_path / "no")])

    assert result.exit_code == 2
    assert not (tmp_path / "no").exists()
