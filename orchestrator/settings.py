"""The process settings: flags, or `DOORBELL_*` in the environment; the only reader of the environment.

Parts receive values, never a Settings object. The model's address and key keep the names their vendor gave
them (`ANTHROPIC_API_KEY`, `ANTHROPIC_BASE_URL`).
"""

import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from orchestrator.configuration import quantities


def kept_for(text: str) -> timedelta | None:
    """How long `audit_keep` says; None for ever. Raises ValueError."""
    return None if text == "forever" else quantities.duration(text)


def _sound(text: str) -> str:
    kept_for(text)
    return text


class Settings(BaseSettings):
    """One frozen tree of values; a flag that was given wins over the environment."""

    model_config = SettingsConfigDict(
        env_prefix="DOORBELL_", env_ignore_empty=True, frozen=True, extra="ignore"
    )

    config: Path = Path("doorbell.d")
    state: Path = Path(".doorbell")
    host: str = "127.0.0.1"
    port: int = Field(default=8787, ge=0, le=65535)
    trusted_proxies: str = ""
    """Addresses and networks, separated by commas, of proxies whose word on who connected is taken; for the log."""
    temporal: str | None = None
    """Address of a Temporal server; None means the embedded one."""
    namespace: str = "default"
    temporal_ui: str | None = None
    """Where people reach the Temporal UI, if it isn't the embedded one."""
    temporal_ui_host: str = "127.0.0.1"
    """Where the embedded Temporal UI listens. It asks nobody who they are: loopback, unless it is fenced in."""
    database: str | None = None
    """A SQLAlchemy URL; None means SQLite files in the state directory."""
    embedded: bool = False
    """True in the children of an `up` that runs Temporal itself: what is gone from that server is gone for good."""
    task_queue: str = "doorbell"
    deployment: str | None = None
    """The Worker Deployment that workers belong to, on a cluster; None means that their builds aren't told apart."""
    build: str | None = None
    """Which build of it a worker is; None means the program's version."""
    anthropic_api_key: SecretStr | None = Field(default=None, validation_alias="ANTHROPIC_API_KEY")
    anthropic_base_url: str | None = Field(default=None, validation_alias="ANTHROPIC_BASE_URL")
    metrics_token: str | None = Field(default=None, repr=False)
    """What a scrape of `/metrics` shows as its bearer token; without one, only loopback is answered."""
    url: str | None = None
    """Where the REST API of an installation elsewhere is; None means the one in the state directory."""
    token: str | None = Field(default=None, repr=False)
    """What the REST API at `url` is shown."""
    audit_keep: Annotated[str, AfterValidator(_sound)] = "400d"
    """How long it is known who made which call, such as 90d, or `forever`."""
    worker_metrics: str | None = None
    """Where a worker shows its own metrics, such as 127.0.0.1:9464; None means nowhere."""
    scripted: bool = False
    """True when the model is the demo's scripted server; only shown to people, never acted on."""


def environment(dotenv: Path | None = None) -> dict[str, str]:
    """The environment, with `NAME=value` lines of a dotenv file beneath it."""
    beneath = _dotenv(dotenv) if dotenv is not None and dotenv.is_file() else {}
    return {**beneath, **os.environ}


def _dotenv(path: Path) -> Mapping[str, str]:
    values = {}
    for raw in path.read_text(encoding="utf-8").splitlines():
        line = raw.strip().removeprefix("export ")
        name, equals, value = line.partition("=")
        if equals and not name.startswith("#"):
            values[name.strip()] = value.strip().strip("\"'")
    return values
