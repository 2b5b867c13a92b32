"""Everything the service is made of, made once, as one value; it makes none of it."""

from dataclasses import dataclass

from structlog.typing import FilteringBoundLogger
from temporalio.client import Client

from orchestrator.configuration.reloading import Reloading
from orchestrator.dispatch.destinations import Destinations
from orchestrator.dispatch.dispatcher import Dispatcher
from orchestrator.doorbell.telling import Telling
from orchestrator.recovery.hearing import Hearing
from orchestrator.settings import Settings
from orchestrator.state import StateDirectory
from orchestrator.stores import Stores
from orchestrator.telemetry.instruments import DispatchInstruments, DoorInstruments
from orchestrator.telemetry.registry import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Where the service counts: all of it in one registry."""

    registry: Registry
    door: DoorInstruments
    dispatch: DispatchInstruments


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The service."""

    settings: Settings
    state: StateDirectory
    stores: Stores
    reloading: Reloading
    client: Client
    dispatcher: Dispatcher
    forwards: Destinations
    hearing: Hearing
    telling: Telling
    counts: Counts
    log: FilteringBoundLogger
