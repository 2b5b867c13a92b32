"""What stands in deploy/ is true, checked without Docker or systemd."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from orchestrator.doorbell import listener, listening

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
STARTER = ROOT / "orchestrator" / "configuration" / "starter"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
SOCKETS = sorted((DEPLOY / "systemd").glob("*.socket"))
INSTRUCTIONS = frozenset(
    {
        "FROM", "WORKDIR", "ENV", "COPY", "RUN", "USER", "VOLUME",
        "EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT", "CMD",
    }
)  # fmt: skip


def instructions() -> list[tuple[str, str]]:
    text = re.sub(r"\\\n", " ", (DEPLOY / "Dockerfile").read_text())
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines)]


def only(word: str) -> str:
    found = [rest for name, rest in instructions() if name == word]
    assert len(found) == 1, word
    return found[0]


def unit(path: Path) -> ConfigParser:
    parser = ConfigParser(
        strict=False, interpolation=None, delimiters=["="], comment_prefixes=["#"]
    )
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(path.read_text())
    return parser


def test_the_dockerfile_speaks_only_instructions_we_mean() -> None:
    assert {word for word, _ in instructions()} <= INSTRUCTIONS


def test_everything_the_image_copies_exists_and_is_let_in() -> None:
    let_in = set((DEPLOY / "Dockerfile.dockerignore").read_text().splitlines())
    for word, rest in instructions():
        if word == "COPY" and not rest.startswith("--from"):
            for source in rest.split()[:-1]:
                assert (ROOT / source).exists(), source
                assert f"!{source}" in let_in, source


def test_what_runs_is_locked_by_hash_and_not_root() -> None:
    installs = [
        line for _, rest in instructions() for line in rest.split("&&") if "pip install" in line
    ]
    assert installs
    assert all("--require-hashes" in line or "--no-index" in line for line in installs)
    assert only("USER") == "doorbell"
    last_stage = [word for word, _ in instructions()][-(len(INSTRUCTIONS)) :]
    assert last_stage.index("USER") < last_stage.index("ENTRYPOINT")


def test_the_state_outlives_the_container_and_health_means_ready() -> None:
    assert only("VOLUME") == "/var/lib/doorbell"
    assert "DOORBELL_STATE=/var/lib/doorbell" in " ".join(
        rest for word, rest in instructions() if word == "ENV"
    )
    probe = json.loads(only("HEALTHCHECK").partition("CMD ")[2])
    assert f":{only('EXPOSE')}/ready" in probe[-1]
    compile(probe[-1], "healthcheck", "exec")


def test_the_image_starts_a_command_line_our_program_understands() -> None:
    line = [*json.loads(only("ENTRYPOINT")), *json.loads(only("CMD"))]
    assert line[0] == "doorbell"
    assert understood(line[1:])


COMPOSE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["services", "volumes"],
    "properties": {
        "volumes": {"type": "object"},
        "services": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "image": {"type": "string"},
                    "build": {
                        "type": "object",
                        "additionalProperties": False,
                        "required": ["context", "dockerfile"],
                        "properties": {
                            "context": {"type": "string"},
                            "dockerfile": {"type": "string"},
                        },
                    },
                    "init": {"type": "boolean"},
                    "restart": {"enum": ["no", "always", "on-failure", "unless-stopped"]},
                    "env_file": {"type": "array", "items": {"type": "string"}},
                    "environment": {"type": "object", "additionalProperties": {"type": "string"}},
                    "ports": {
                        "type": "array",
                        "items": {"type": "string", "pattern": r"^([0-9.]+:)?[0-9]+:[0-9]+$"},
                    },
                    "volumes": {
                        "type": "array",
                        "items": {"type": "string", "pattern": r"^[^:]+:/[^:]+(:ro)?$"},
                    },
                    "stop_grace_period": {"type": "string", "pattern": "^[0-9]+s$"},
                    "security_opt": {"type": "array", "items": {"type": "string"}},
                    "cap_drop": {"type": "array", "items": {"type": "string"}},
                },
            },
        },
    },
}


def compose() -> dict[str, Any]:
    parsed: dict[str, Any] = YAML(typ="safe").load((DEPLOY / "compose.yaml").read_text())
    return parsed


def test_the_compose_file_holds_to_the_schema_of_the_keys_it_uses() -> None:
    Draft202012Validator(COMPOSE).validate(compose())


def test_the_compose_file_builds_from_files_that_exist_and_keeps_the_state() -> None:
    service = compose()["services"]["doorbell"]
    context = (DEPLOY / service["build"]["context"]).resolve()
    assert (context / service["build"]["dockerfile"]).is_file()
    mounts = dict(volume.split(":")[:2] for volume in service["volumes"])
    assert mounts["state"] == only("VOLUME")
    assert (DEPLOY / "config").is_dir()
    assert mounts["./config"] == "/etc/doorbell"
    assert "state" in compose()["volumes"]


def test_the_temporal_ui_is_published_on_loopback_only() -> None:
    door, ui = compose()["services"]["doorbell"]["ports"]
    assert door == f"{only('EXPOSE')}:{only('EXPOSE')}"
    assert ui == f"127.0.0.1:{int(only('EXPOSE')) + 2}:{int(only('EXPOSE')) + 2}"


def test_nobody_is_killed_while_draining() -> None:
    from_up = 15 + 35 + 10
    assert int(compose()["services"]["doorbell"]["stop_grace_period"].removesuffix("s")) > from_up
    assert int(unit(DEPLOY / "systemd" / "doorbell.service")["Service"]["TimeoutStopSec"]) > from_up


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_a_unit_has_its_sections_and_its_own_state_directory(path: Path) -> None:
    parsed = unit(path)
    assert parsed.sections() == ["Unit", "Service", "Install"]
    assert parsed["Service"]["StateDirectory"] == "doorbell"
    assert "DOORBELL_STATE=%S/doorbell" in path.read_text()
    assert all(
        re.fullmatch(r"[A-Z][A-Za-z]*", key)
        for section in parsed.sections()
        for key in parsed[section]
    )


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_a_unit_starts_a_command_line_our_program_understands(path: Path) -> None:
    line = shlex.split(unit(path)["Service"]["ExecStart"])
    assert Path(line[0]).name == "doorbell"
    assert understood(line[1:])


@pytest.mark.parametrize("path", SOCKETS, ids=lambda path: path.stem)
def test_s2_a_socket_unit_holds_the_port_for_the_service_of_its_name(path: Path) -> None:
    held = unit(path)
    assert held.sections() == ["Unit", "Socket", "Install"]
    assert held["Socket"]["ListenStream"] == f"127.0.0.1:{only('EXPOSE')}"
    assert held["Socket"]["FileDescriptorName"] == listener.NAME
    assert held["Socket"]["Backlog"] == str(listener.BACKLOG)
    assert "Accept" not in held["Socket"]
    served = unit(path.with_suffix(".service"))
    assert served["Unit"]["Requires"] == path.name
    assert served["Install"]["Also"] == path.name


def test_s2_every_unit_with_a_door_has_a_socket_and_the_door_drains_in_time() -> None:
    assert [path.stem for path in SOCKETS] == ["doorbell-serve", "doorbell"]
    serve = unit(DEPLOY / "systemd" / "doorbell-serve.service")["Service"]
    assert int(serve["TimeoutStopSec"]) > 2 * (listening.LINGER + listening.DRAIN)


def test_a_reload_reads_the_configuration_again_and_restarts_nothing() -> None:
    reload = unit(DEPLOY / "systemd" / "doorbell.service")["Service"]["ExecReload"]
    assert shlex.split(reload) == ["/bin/kill", "-HUP", "$MAINPID"]


def test_systemd_itself_finds_nothing_wrong_with_the_units(tmp_path: Path) -> None:
    """Where systemd is installed; elsewhere the tests above have looked at their structure."""
    verifier = shutil.which("systemd-analyze")
    program = Path(sys.executable).parent / "doorbell"
    for path in [*UNITS, *SOCKETS]:
        text = path.read_text().replace("/opt/doorbell/bin/doorbell", str(program))
        (tmp_path / path.name).write_text(text)
    units = [str(tmp_path / path.name) for path in [*UNITS, *SOCKETS]]
    if verifier is not None:
        done = subprocess.run(
            [verifier, "verify", "--man=no", *units], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")


def test_the_units_are_the_three_ways_to_run_it() -> None:
    verbs = {shlex.split(unit(path)["Service"]["ExecStart"])[1] for path in UNITS}
    assert verbs == {"up", "serve", "work"}


def test_the_example_configuration_is_the_starter_of_init() -> None:
    def files(root: Path) -> dict[str, bytes]:
        return {
            str(path.relative_to(root)): path.read_bytes()
            for path in root.rglob("*")
            if path.is_file()
        }

    assert files(DEPLOY / "config") == files(STARTER)


def understood(arguments: list[str]) -> bool:
    """Whether the command line parses: with --help at its end nothing runs, but every option before it is read."""
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator", *arguments, "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode == 0 and "Usage" in done.stdout
