"""The configuration as a whole: what is loaded, what is only a warning, and what stays out."""

import sys
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from orchestrator.configuration.files import Files
from orchestrator.configuration.load import configured, load
from orchestrator.servers import HttpServer, StdioServer
from orchestrator.signatures.declared import DeclaredHmac
from tests.support.configurations import (
    PLAYBOOK,
    RULE,
    SECRETS,
    SOUND,
    SOURCES,
    configuration,
    mistakes,
    no_file,
)
from workflows.flow import Mode
from workflows.own_tools import BUILT_INS
from workflows.playbook import Effect, Stage


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
    count = 41 - len(BUILT_INS)
    names = ", ".join(f"t{number}" for number in range(count))
    text = f"---\nmodel: m\ntools: {{github: [{names}]}}\n---\nGo.\n"

    (found,) = mistakes(playbooks__big_md=text)
    assert f"{count} tools are listed; with the built-in {', '.join(BUILT_INS)} that is 41" in found
    assert "take 1 off" in found
    assert mistakes(playbooks__big_md=text.replace(f", t{count - 1}]", "]")) == []


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
