"""`doorbell demo`: the main job on a recorded delivery, with everything real but GitHub and, without a key, Claude."""

import asyncio
import json
import signal
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from orchestrator.cli import samples
from orchestrator.cli.options import DOTENV, json_option, print_json
from orchestrator.demo.story import Delivery, Story
from orchestrator.demo.watch import Watch
from orchestrator.demo.world import Model, world
from orchestrator.errors import OperatorError
from orchestrator.settings import environment

MODEL = "claude-sonnet-5-5"


@click.command("demo")
@click.option(
    "--event",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Another payload: NAME.ACTION.json.",
)
@click.option("--name", help="GitHub's event name [the file's name up to the first dot].")
@click.option("--stay", is_flag=True, help="Keep serving afterwards, until Ctrl-C.")
@click.option("--model", default=MODEL, show_default=True, help="The model, when there is a key.")
@json_option
def demo(*, event: Path | None, name: str | None, stay: bool, model: str, as_json: bool) -> None:
    """Tell the whole story: a webhook becomes a durable agent run. Exits 0 only if every step was observed."""
    path = event or deliveries() / "issues.opened.json"
    delivery = read(path, name)
    stranger = read(deliveries() / "star.created.json", None)
    told = environment(DOTENV)
    chosen = Model(
        name=model,
        key=told.get("ANTHROPIC_API_KEY") or None,
        base_url=told.get("ANTHROPIC_BASE_URL") or None,
    )
    # For programs the story goes to stderr, and what was observed comes at its end.
    told_to = Told(console=Console(stderr=as_json), stay=stay, as_json=as_json)
    sys.exit(asyncio.run(_interruptible(delivery, stranger, chosen, told_to)))


def deliveries() -> Path:
    """The recorded deliveries: beside this package when installed, under tests/ in a checkout."""
    return samples.deliveries() / "github"


def read(path: Path, name: str | None) -> Delivery:
    """A recorded payload; the event's name stands in the file's name. Raises OperatorError."""
    try:
        payload: Any = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise OperatorError(f"{path} is not JSON: {error}") from error
    if not isinstance(payload, dict):
        raise OperatorError(f"{path} is not the payload of a webhook: expected an object")
    return Delivery(name=name or path.name.split(".")[0], payload=payload)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """To whom the story is told, and how."""

    console: Console
    stay: bool
    as_json: bool


async def _interruptible(
    delivery: Delivery, stranger: Delivery, model: Model, told_to: Told
) -> int:
    """Stopped from outside, everything that was started is still ended in order."""
    telling = asyncio.create_task(_told(delivery, stranger, model, told_to))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, telling.cancel)
    try:
        return await telling
    except asyncio.CancelledError:
        return 130


async def _told(delivery: Delivery, stranger: Delivery, model: Model, told_to: Told) -> int:
    console = told_to.console
    console.print(_first_line(model), style="bold", soft_wrap=True)
    with tempfile.TemporaryDirectory(
        prefix="doorbell-demo-", ignore_cleanup_errors=True
    ) as directory:
        console.print(f"state, logs and configuration: {directory}", style="dim", soft_wrap=True)
        async with world(Path(directory), delivery.payload, model, "live") as made:
            watch = Watch(
                stores=made.stores,
                console=console,
                temporal_ui=made.temporal_ui,
                namespace=made.namespace,
            )
            watch.say("🚀", f"doorbell up: door {made.url}, Temporal UI {made.temporal_ui}")
            story = Story(world=made, watch=watch, delivery=delivery, stranger=stranger)
            well = await story.tell()
            await story.ended()
            if told_to.as_json:
                print_json(_observed(story, model))
            if told_to.stay:
                await _stay(console, made.url, made.temporal_ui)
    console.print(
        "every step was observed" if well else "NOT every step was observed",
        style="bold green" if well else "bold red",
    )
    return 0 if well else 1


def _observed(story: Story, model: Model) -> dict[str, Any]:
    steps = [{"step": step, "observed": held} for step, held in story.steps]
    writes = story.world.github.writes if story.world.github else ()
    return {
        "observed": all(step["observed"] for step in steps),
        "scripted": model.scripted,
        "steps": steps,
        "writes": [f"{write.method} {write.path}" for write in writes],
    }


def _first_line(model: Model) -> str:
    if model.scripted:
        return (
            "The model is SCRIPTED: no ANTHROPIC_API_KEY, so a script answers the real SDK over real HTTP. "
            "GitHub is a stand-in. Everything else is real."
        )
    return f"The model is {model.name}. GitHub is a stand-in. Everything else is real."


async def _stay(console: Console, url: str, ui: str) -> None:
    console.print(
        f"still serving: door {url}, Temporal UI {ui}; Ctrl-C ends it", style="bold", soft_wrap=True
    )
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.remove_signal_handler(number)
        loop.add_signal_handler(number, stop.set)
    await stop.wait()
