import sys
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.configuration.files import Files
from orchestrator.configuration.load import configured, load
from orchestrator.rules.rule import Mode
from orchestrator.servers import HttpServer, StdioServer
from orchestrator.signatures.declared import DeclaredHmac
from workflows.playbook import Effect, Stage

SOURCES = "github:\n  scheme: github\n  secrets: [env:HOOK]\n"
SERVERS = "github:\n  command: [python, -m, mcp_servers.github]\n  env: {GITHUB_TOKEN: env:TOKEN, PLAIN: 1}\n"
RULE = """\
triage:
  on: github/issues.opened
  when: {issue.state: open}
  run: triage
  with: {owner: "{{ event.owner }}", number: "{{ event.number }}"}
  key: "issue:{{ event.number }}"
"""
PLAYBOOK = """\
---
model: claude-sonnet-5-5
inputs: {owner: slug, number: integer}
tools: {github: [issue_read, issue_write]}
bind:
  github: {owner: "{{ with.owner }}"}
  github.issue_write: {method: update}
writes: {github.issue_write: {max: 2}}
budget: {usd: 0.50, tokens: 300k, turns: 9, tool_calls: 8}
---
Triage {{ with.owner }} {{ with.number }}.
"""
SOUND = {
    "sources.yaml": SOURCES,
    "servers.yaml": SERVERS,
    "rules/triage.yaml": RULE,
    "playbooks/triage.md": PLAYBOOK,
}
SECRETS = {"HOOK": "s3cret", "TOKEN": "t0ken"}


def no_file(path):
    return None


def configuration(environment=None, **texts):
    given_ = {
        **SOUND,
        **{
            name.replace("__", "/").replace("_yaml", ".yaml").replace("_md", ".md"): text
            for name, text in texts.items()
        },
    }
    files = Files(
        root=Path("conf"), texts={name: text for name, text in given_.items() if text is not None}
    )
    return configured(files, SECRETS if environment is None else environment, no_file)


def mistakes(**texts):
    return [str(mistake) for mistake in configuration(**texts).mistakes]


def warnings(environment=None, **texts):
    return [str(warning) for warning in configuration(environment, **texts).warnings]


def test_a_sound_configuration_loads_whole():
    loaded = configuration()

    assert (loaded.mistakes, loaded.warnings) == ((), ())
    assert loaded.sources["github"].secrets[0].reveal() == "s3cret"
    assert loaded.sources["github"].dedupe_body
    (rule,) = loaded.rules
    assert (rule.id, rule.on, rule.mode, rule.stage) == (
        "triage",
        ("github/issues.opened",),
        Mode.SIGNAL,
        Stage.PREVIEW,
    )
    assert (rule.file, rule.line) == ("conf/rules/triage.yaml", 1)
    playbook = loaded.playbooks["triage"]
    assert playbook.tools == {"github": ("issue_read", "issue_write")}
    assert playbook.writes["github.issue_write"].max == 2
    assert playbook.budget.usd == Decimal("0.5")
    assert (playbook.budget.tokens, playbook.max_tokens) == (300_000, 8192)


def test_python_in_a_command_is_the_one_that_runs_us():
    server = configuration().servers["github"]

    assert isinstance(server, StdioServer)
    assert server.command == (sys.executable, "-m", "mcp_servers.github")
    assert server.env["PLAIN"] == "1"
    assert server.env["GITHUB_TOKEN"].reveal() == "t0ken"


def test_an_http_server_has_its_secrets_and_effects():
    text = (
        "github: {command: [x], directory: work}\n"
        "crm:\n  url: https://crm.example/mcp\n  auth: {bearer: env:TOKEN}\n  headers: {X-Team: a}\n"
        "  tools: {deal: {effect: write-once}}\n"
    )
    loaded = configuration(servers_yaml=text)

    crm = loaded.servers["crm"]
    assert isinstance(crm, HttpServer)
    assert crm.bearer.reveal() == "t0ken"
    assert crm.effects == {"deal": Effect.WRITE_ONCE}
    assert loaded.servers["github"].directory == Path("conf/work")
    assert "t0ken" not in repr(loaded)


DECLARED = """\
github: {scheme: github, secrets: env:HOOK}
billing:
  scheme: {hmac: sha256, header: X-Signature, prefix: "sha256=", signed: "{timestamp}.{body}",
           timestamp: X-Timestamp, tolerance: 5m}
  secrets: [env:HOOK, env:OLD]
  id: "{{ headers['x-delivery'] }}"
  type: "{{ event.event }}"
  actor: "{{ event.account.id }}"
  keys: ["invoice:{{ event.invoice.id }}"]
  own_actors: [7, us]
  max_body: 64KiB
  dedupe: {body: forever}
"""


def test_any_vendor_is_declared_without_code():
    source = configuration(sources_yaml=DECLARED).sources["billing"]

    assert isinstance(source.scheme, DeclaredHmac)
    assert source.scheme.tolerance == timedelta(minutes=5)
    assert source.dialect.publishes == ("invoice",)
    assert (source.max_body, source.dedupe_body) == (65536, True)
    assert source.own_actors == {"7", "us"}
    assert len(source.secrets) == 1


def test_an_unset_secret_is_a_warning_and_the_source_stays_out():
    loaded = configuration(environment={"TOKEN": "t"})

    assert loaded.mistakes == ()
    assert loaded.sources == {}
    assert [str(warning) for warning in loaded.warnings] == [
        "conf/sources.yaml:3:13: env:HOOK is unset: deliveries of 'github' are refused until it is set"
    ]
    assert len(loaded.rules) == 1


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ({"sources_yaml": None}, "conf/sources.yaml:1:1: expected this file"),
        ({"sources_yaml": "- a\n"}, "1:1: expected sources by name, got a list"),
        (
            {"sources_yaml": "github:\n  scheme: githup\n  secrets: [env:X]\n"},
            "2:11: unknown scheme 'githup'; did you mean 'github'?",
        ),
        (
            {"sources_yaml": SOURCES + "  shceme: x\n"},
            "4:3: unknown key 'shceme'; did you mean 'scheme'?",
        ),
        ({"sources_yaml": "github: {scheme: github}\n"}, "1:1: the key 'secrets' is missing"),
        (
            {"sources_yaml": SOURCES + "operator: {scheme: github, secrets: [env:HOOK]}\n"},
            "4:1: 'operator' is built in",
        ),
        (
            {"sources_yaml": SOURCES + '  type: "{{ event.x }}"\n'},
            "4:3: the preset 'github' knows its type already",
        ),
        (
            {
                "sources_yaml": SOURCES
                + "x: {scheme: {hmac: md5, header: A}, type: a, secrets: [env:HOOK]}\n"
            },
            "4:20: expected 'sha256' or 'sha512', got 'md5'",
        ),
        (
            {
                "sources_yaml": SOURCES
                + "x: {scheme: {hmac: sha256, header: A, signed: x}, type: a, secrets: [env:HOOK]}\n"
            },
            "4:13: expected {body} in signed",
        ),
        (
            {
                "sources_yaml": SOURCES
                + "x: {scheme: {hmac: sha256, header: A, tolerance: 5}, type: a, secrets: [env:HOOK]}\n"
            },
            "4:50: expected a duration such as 30s",
        ),
        (
            {
                "sources_yaml": SOURCES
                + "x: {scheme: {hmac: sha256, header: A}, secrets: [env:HOOK]}\n"
            },
            "4:1: a declared scheme needs a `type:`",
        ),
        (
            {
                "sources_yaml": SOURCES
                + "x: {scheme: {hmac: sha256, header: A}, type: '{{ body }}', secrets: [env:HOOK]}\n"
            },
            "4:46: a source's templates know event and headers, got 'body'",
        ),
        (
            {
                "sources_yaml": SOURCES
                + "x: {scheme: {hmac: sha256, header: A}, type: '{{ body', secrets: [env:HOOK]}\n"
            },
            "4:46: syntax error",
        ),
        ({"sources_yaml": SOURCES + "  max_body: 1 MB\n"}, "4:13: expected a size such as 512KiB"),
        ({"sources_yaml": SOURCES + "  own_actors: [[]]\n"}, "4:16"),
        ({"servers_yaml": "github: {}\n"}, "1:1: expected either `url:` or `command:`"),
        ({"servers_yaml": "github: {url: 'ftp://x'}\n"}, "1:15: expected an http or https address"),
        ({"servers_yaml": "github: {url: 'https://u:p@x'}\n"}, "1:15: a password in an address"),
        (
            {"servers_yaml": "github: {url: 'https://x', env: {A: b}}\n"},
            "1:28: 'env' means nothing beside `url:`",
        ),
        ({"servers_yaml": "github: {command: ['']}\n"}, "1:19: expected a program"),
        ({"servers_yaml": "github: {command: npx}\n"}, "1:19: expected a valid list"),
        (
            {"servers_yaml": "github: {command: [x], tools: {a: {effect: wipe}}}\n"},
            "1:44: expected 'read', 'write' or 'write-once', got 'wipe'",
        ),
        ({"servers_yaml": SERVERS + "doorbell: {command: [x]}\n"}, "4:1: 'doorbell' is built in"),
        ({"servers_yaml": SERVERS + "a.b: {command: [x]}\n"}, "4:1: expected a server's name"),
        (
            {"rules__triage_yaml": RULE.replace("github/", "githup/")},
            "2:7: unknown source 'githup'; did you mean 'github'?",
        ),
        (
            {"rules__triage_yaml": RULE.replace("github/issues.opened", "issues.opened")},
            "2:7: expected source/type",
        ),
        (
            {"rules__triage_yaml": RULE.replace("run: triage", "run: triag")},
            "4:8: unknown playbook 'triag'; did you mean 'triage'?",
        ),
        ({"rules__triage_yaml": RULE.replace("open}", "open, x..y: 1}")}, "3:29: expected a path"),
        (
            {"rules__triage_yaml": RULE.replace("event.owner", "evnt.owner")},
            "5:17: unknown name 'evnt'; did you mean 'event'?",
        ),
        (
            {
                "rules__triage_yaml": RULE.replace(
                    '{{ event.number }}"}', '{{ event.number }}", more: 1}'
                )
            },
            "5:68: the playbook 'triage' declares no input 'more'",
        ),
        (
            {"rules__triage_yaml": RULE.replace('owner: "{{ event.owner }}", ', "")},
            "5:9: the playbook 'triage' needs the input 'owner' (slug)",
        ),
        (
            {"rules__triage_yaml": RULE.replace('"{{ event.owner }}"', "a sentence")},
            "5:17: expected a slug",
        ),
        (
            {"rules__triage_yaml": RULE.replace("issue:{{ event.number }}", "7")},
            "6:8: expected a key such as",
        ),
        (
            {"rules__triage_yaml": RULE + "  stage: alive\n"},
            "7:10: expected 'preview' or 'live', got 'alive'",
        ),
        (
            {"rules__triage_yaml": RULE + "  flow: {mode: queue}\n"},
            "7:16: expected 'signal' or 'parallel', got 'queue'",
        ),
        ({"rules__triage_yaml": RULE + "  limits: {concurrent: 5}\n"}, "7:3: unknown key 'limits'"),
        (
            {"rules__triage_yaml": RULE + "  trust: {bot: []}\n"},
            "7:11: unknown key 'bot'; did you mean 'bots'?",
        ),
        ({"rules__triage_yaml": RULE.replace("  on:", "  om:")}, "2:3: unknown key 'om'"),
        (
            {"rules__triage_yaml": RULE + "  run: triage\n"},
            "7:3: duplicate key 'run', first on line 4",
        ),
        (
            {"rules__other_yaml": RULE},
            "conf/rules/other.yaml:1:1: the rule 'triage' is already at conf/rules/triage.yaml:1",
        ),
        (
            {"rules__other_yaml": RULE.replace("triage:", "b:") + "  id: triage\n"},
            "the rule 'triage' is already at",
        ),
        (
            {"playbooks__triage_md": "Do it.\n"},
            "conf/playbooks/triage.md:1:1: expected front matter",
        ),
        (
            {"playbooks__triage_md": PLAYBOOK.replace("model:", "modell:")},
            "2:1: unknown key 'modell'; did you mean 'model'?",
        ),
        (
            {"playbooks__triage_md": PLAYBOOK.replace("{github: [", "{gitlab: [")},
            "4:9: unknown server 'gitlab'; did you mean 'github'?",
        ),
        (
            {"playbooks__triage_md": PLAYBOOK.replace("issue_read,", "'issue_*',")},
            "4:18: expected a tool's own name, got the pattern",
        ),
        (
            {"playbooks__triage_md": PLAYBOOK.replace("issue_read,", "issue_write,")},
            "4:31: the tool 'issue_write' is listed twice",
        ),
        (
            {
                "playbooks__triage_md": PLAYBOOK.replace(
                    "github.issue_write: {method", "github.issue_writ: {method"
                )
            },
            "7:3: the tool 'issue_writ' is not listed under 'github'; did you mean 'issue_write'?",
        ),
        (
            {
                "playbooks__triage_md": PLAYBOOK.replace(
                    "{github.issue_write: {max", "{gitlab.issue_write: {max"
                )
            },
            "8:10: 'gitlab' is not under `tools:`",
        ),
        (
            {"playbooks__triage_md": PLAYBOOK.replace("max: 2", "max: 0")},
            "8:36: expected at least 1, got 0",
        ),
        (
            {
                "playbooks__triage_md": PLAYBOOK.replace(
                    '{owner: "{{ with.owner', '{owner: "{{ with.ownr'
                )
            },
            "6:19: with.ownr is not among the inputs; did you mean 'owner'?",
        ),
        (
            {"playbooks__triage_md": PLAYBOOK.replace("usd: 0.50", "usd: -1")},
            "9:15: expected an amount in US dollars",
        ),
        ({"playbooks__triage_md": PLAYBOOK.replace("300k", "3e5")}, "9:29: expected a count"),
        (
            {"playbooks__triage_md": PLAYBOOK.replace("turns: 9", "open: 14d")},
            "9:35: unknown key 'open'",
        ),
        (
            {"playbooks__triage_md": PLAYBOOK.replace("owner: slug", "owner: text")},
            "11:1: with.owner is text",
        ),
        (
            {"playbooks__triage_md": PLAYBOOK + "\n{{ event.x }}\n"},
            "13:1: only inputs may stand in the prose",
        ),
        (
            {"playbooks__triage_md": PLAYBOOK.replace("owner: slug", "owner: word")},
            "3:17: expected 'slug', 'integer', 'boolean' or 'text', got 'word'",
        ),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_every_mistake_has_its_place_and_says_what_to_do(texts, expected):
    found = mistakes(**texts)

    assert any(expected in mistake for mistake in found), found


def test_all_mistakes_are_found_at_once_and_in_order():
    found = mistakes(
        sources_yaml=SOURCES + "  x: 1\n",
        servers_yaml=SERVERS + "bad: {}\n",
        rules__triage_yaml=RULE.replace("github/", "githup/")
        + "broken: {on: github/x, run: nope}\n",
        playbooks__triage_md=PLAYBOOK + "{{ event.x }}\n",
    )

    assert [mistake.partition(": ")[0] for mistake in found] == [
        "conf/playbooks/triage.md:12:1",
        "conf/rules/triage.yaml:2:7",
        "conf/rules/triage.yaml:7:29",
        "conf/servers.yaml:4:1",
        "conf/sources.yaml:4:3",
    ]


def test_sound_rules_load_beside_broken_ones():
    text = RULE + RULE.replace("triage:", "other:").replace("issues.opened", "") + "third: 3\n"
    loaded = configuration(rules__triage_yaml=text)

    assert [rule.name for rule in loaded.rules] == ["triage"]
    assert len(loaded.mistakes) == 2


def test_a_rule_of_a_broken_playbook_is_not_used_and_not_blamed():
    loaded = configuration(playbooks__triage_md=PLAYBOOK.replace("slug", "word"))

    assert loaded.rules == ()
    assert all("playbooks/triage.md" in mistake.file for mistake in loaded.mistakes)


def test_a_playbook_of_a_broken_server_is_not_used():
    loaded = configuration(servers_yaml="github: {}\n")

    assert (loaded.playbooks, loaded.rules, len(loaded.mistakes)) == ({}, (), 1)


def test_more_than_forty_tools_are_refused_and_nothing_is_cut():
    names = ", ".join(f"t{number}" for number in range(40))
    text = f"---\nmodel: m\ntools: {{github: [{names}]}}\n---\nGo.\n"

    (found,) = mistakes(playbooks__big_md=text)
    assert "40 tools are listed; with doorbell__wait that is 41" in found
    assert "take 1 off" in found
    assert mistakes(playbooks__big_md=text.replace("t39", "").replace(", ]", "]")) == []


@pytest.mark.parametrize(
    "texts",
    [
        {"sources_yaml": "github: {scheme: github, secrets: [hunter2]}\n"},
        {"sources_yaml": "github: {scheme: github, secrets: {a: hunter2}}\n"},
        {"servers_yaml": "github: {url: 'https://x', auth: hunter2}\n"},
        {"servers_yaml": "github: {url: 'https://x', auth: {bearer: hunter2}}\n"},
        {"servers_yaml": "github: {command: [x], env: {A: [hunter2]}}\n"},
        {"servers_yaml": "github: {command: [x], env: {A: 'env:hunter 2'}}\n"},
    ],
    ids=str,
)
def test_a_secret_in_the_wrong_place_is_never_repeated(texts):
    found = mistakes(**texts)

    assert found
    assert not any("hunter" in mistake for mistake in found)


def test_a_key_its_source_does_not_publish_is_a_warning():
    (found,) = warnings(rules__triage_yaml=RULE.replace('"issue:', '"order:'))

    assert found.startswith(
        "conf/rules/triage.yaml:6:8: 'github' publishes no keys of kind 'order'"
    )


def test_a_file_reference_is_read_by_the_one_who_asks():
    files = Files(
        root=Path("conf"),
        texts={**SOUND, "sources.yaml": SOURCES.replace("env:HOOK", "file:/run/hook")},
    )
    loaded = configured(files, {"TOKEN": "t"}, lambda path: f"from {path}\n")

    assert loaded.sources["github"].secrets[0].reveal() == "from /run/hook"


def test_the_digest_names_the_texts_and_nothing_else():
    one = configuration().digest

    assert configuration(environment={}).digest == one
    assert configuration(rules__triage_yaml=RULE.replace("\n", "\r\n")).digest == one
    assert configuration(rules__triage_yaml=RULE + "#\n").digest != one


def write(directory, texts):
    for name, text in texts.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def test_a_directory_is_read_and_what_is_never_read_is_a_warning(tmp_path):
    write(
        tmp_path,
        {
            **SOUND,
            "rules/old.yml": "x",
            "source.yaml": "y",
            "README.md": "z",
            "fixtures/a.http": "w",
        },
    )
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "x.yaml").write_text("x")

    loaded = load(tmp_path, SECRETS, no_file)

    assert loaded.mistakes == ()
    assert [Path(warning.file).name for warning in loaded.warnings] == ["old.yml", "source.yaml"]
    assert loaded.digest == configuration().digest


def test_a_directory_that_is_not_there_is_one_mistake(tmp_path):
    (found,) = load(tmp_path / "nope", SECRETS, no_file).mistakes

    assert "doorbell init" in found.message


def test_bytes_that_are_no_text_are_a_mistake_with_their_line(tmp_path):
    write(tmp_path, SOUND)
    (tmp_path / "rules" / "triage.yaml").write_bytes(b"a: 1\nb: \xff\n")

    (found,) = load(tmp_path, SECRETS, no_file).mistakes

    assert (found.line, found.message) == (2, "expected UTF-8 text, got other bytes")


WORDS = st.sampled_from(
    [
        "github",
        "scheme",
        "secrets",
        "env:HOOK",
        "on",
        "when",
        "run",
        "with",
        "key",
        "id",
        "type",
        "keys",
        "{{",
        "event.x",
        "}}",
        "any",
        "not",
        "cel",
        "tools",
        "model",
        "bind",
        "writes",
        "inputs",
        "slug",
        "budget",
        "usd",
        "command",
        "url",
        "https://x",
        "triage",
        "issue.x",
        "*",
        "-",
        ":",
        "{",
        "}",
        "[",
        "]",
        "hmac",
        "sha256",
        "header",
        "trust",
    ]
)
YAML_LIKE = st.lists(
    WORDS | st.sampled_from(["\n", "\n  ", "\n    ", " ", ": ", ", ", "- "]), max_size=40
).map("".join)


@settings(max_examples=200)
@given(name=st.sampled_from(sorted(SOUND)), text=YAML_LIKE | st.text())
def test_no_text_makes_the_loader_raise(name, text):
    whole = f"---\n{text}\n---\nGo." if name.endswith(".md") else text
    files = Files(root=Path("conf"), texts={**SOUND, name: whole})

    configured(files, SECRETS, no_file)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=50)
@given(
    name=st.sampled_from(sorted(SOUND)),
    value=st.dictionaries(WORDS, st.dictionaries(WORDS, VALUES)),
)
def test_no_shape_makes_the_loader_raise(name, value):
    text = yaml_of(value.get("model", value) if name.endswith(".md") else value)
    whole = f"---\n{text}\n---\nGo." if name.endswith(".md") else text

    loaded = configured(Files(root=Path("conf"), texts={**SOUND, name: whole}), SECRETS, no_file)

    assert all(mistake.line >= 1 for mistake in loaded.mistakes)


def yaml_of(value):
    match value:
        case dict():
            return "{" + ", ".join(f'"{key}": {yaml_of(item)}' for key, item in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(yaml_of, value)) + "]"
        case str():
            return f'"{value}"'
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case _:
            return repr(value)
