"""A7: a secret we hold comes back from no server, whoever's it is: not in answers, errors, progress or on stderr."""

import base64
import sys
from pathlib import Path

from orchestrator.agent.hands.definitions import NotSent
from orchestrator.agent.text.redacting import Redact, Redaction
from orchestrator.configuration.configuration import Configuration
from orchestrator.known_secrets import held_by, redact_of
from orchestrator.secrets import Secret
from orchestrator.servers import HttpServer, StdioServer
from orchestrator.settings import Settings
from tests.support.lab import ask, lab, log, old, reaching, text

__all__ = ["lab", "log", "old"]  # fixtures, by being here

OTHER = "other-servers-token"
SHOWN = "[secret env:OTHER]"


def other() -> Redact:
    known = Redaction.of({OTHER: "env:OTHER"})
    return lambda: known


async def test_a7_one_server_does_not_tell_the_secret_of_another(lab: StdioServer) -> None:
    encoded = base64.b64encode(f"user:{OTHER}".encode()).decode()
    async with reaching(lab, redact=other()) as hands:
        said = await ask(hands, "lab", "echo", text=f"{OTHER} {encoded}")

    assert OTHER not in text(said)
    assert text(said).count(SHOWN) == 2
    assert OTHER.encode() not in said.full


async def test_a7_what_is_kept_is_what_is_named_by_its_digest(lab: StdioServer) -> None:
    async with reaching(lab, redact=other(), result_limit=200) as hands:
        said = await ask(hands, "lab", "echo", text=OTHER + "x" * 1_000)

    assert SHOWN.encode() in said.full
    assert said.truncated


async def test_a7_an_error_of_a_server_tells_no_secret(lab: StdioServer) -> None:
    async with reaching(lab, redact=other()) as hands:
        said = await ask(hands, "lab", f"no_such_tool_{OTHER}")

    assert OTHER not in str(said)


async def test_a7_what_a_child_says_on_stderr_is_kept_without_secrets(tmp_path: Path) -> None:
    script = f"import sys; print('it is {OTHER}', file=sys.stderr); sys.exit(4)"
    server = StdioServer(name="broken", command=(sys.executable, "-c", script))
    async with reaching(server, stderr=tmp_path, redact=other()) as hands:
        outcome = await ask(hands, "broken", "x")

    assert isinstance(outcome, NotSent)
    assert (tmp_path / "broken.log").read_text() == f"it is {SHOWN}\n"


def configured(*secrets: Secret) -> Configuration:
    servers = {
        secret.reference: HttpServer(name="s", url="http://x", bearer=secret) for secret in secrets
    }
    return Configuration(digest="d", sources={}, servers=servers, playbooks={}, rules=())


def test_a7_a_secret_that_was_replaced_is_still_looked_for() -> None:
    now = [configured(Secret("env:OLD", "old-old-old"))]
    redact = redact_of({"held-by-us": "ANTHROPIC_API_KEY"}, lambda: now[0])
    assert redact() is redact()
    before = redact()
    now[0] = configured(Secret("env:NEW", "new-new-new"))

    assert before.text("new-new-new") == "new-new-new"
    told = redact().text("held-by-us old-old-old new-new-new")
    assert told == "[secret ANTHROPIC_API_KEY] [secret env:OLD] [secret env:NEW]"


def test_a7_the_keys_a_process_holds_are_looked_for(tmp_path: Path) -> None:
    (tmp_path / "operator.secret").write_text("whsec_operator\n")
    settings = Settings(
        ANTHROPIC_API_KEY="sk-ant-thing",  # type: ignore[call-arg]  # its alias
        metrics_token="metrics-token",
        database="postgresql://ann:pass%2Fword@host/db",
        state=tmp_path,
    )

    assert held_by(settings) == {
        "sk-ant-thing": "ANTHROPIC_API_KEY",
        "metrics-token": "METRICS_TOKEN",
        "pass/word": "DATABASE_PASSWORD",
        "whsec_operator": "OPERATOR_SECRET",
    }


def test_a_process_that_holds_nothing_looks_for_nothing(tmp_path: Path) -> None:
    settings = Settings(
        ANTHROPIC_API_KEY="scripted",  # type: ignore[call-arg]  # its alias
        state=tmp_path,
        database="postgresql://[nonsense",
    )

    assert held_by(settings) == {}
