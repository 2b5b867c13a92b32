"""Which caps a run's next turn is held against, as the files say them at this moment; pure, it knows no ledger row.

found = in_force(configuration, payer, now)
found.left(standings)           # what is not gone yet under all of them together
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from pydantic import TypeAdapter

from orchestrator.configuration.configuration import Configuration
from orchestrator.ledger.caps import Account, Scope, Standing, dollars, nano
from orchestrator.ledger.shortfalls import Payer
from orchestrator.ledger.turns import Charge
from orchestrator.rules import days
from orchestrator.rules.caps import Allowance, Cap, Caps
from orchestrator.rules.rule import Rule

BROKEN: Final = "limits.yaml has a mistake, so nobody knows what may be spent: run `doorbell check`"

BEYOND: Final = "; no new day lets it go on, for that turn alone needs {needed} at least: raise the cap of {whose}"

TENTH: Final = Decimal("0.10")

Standings = Mapping[Account, Standing]

_JSON: TypeAdapter[Caps] = TypeAdapter(Caps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What is left, in USD and tokens; None where nothing limits it."""

    usd: Decimal | None = None
    tokens: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limited:
    """One cap with its account; `whose` says in words whose it is."""

    account: Account
    cap: Cap
    whose: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Purse:
    """All caps of one run, the narrowest first. `since` is when the day began."""

    limited: tuple[Limited, ...]
    caps: Caps
    allowance: Allowance
    day: str
    since: float

    @property
    def in_dollars(self) -> bool:
        """Whether any cap counts dollars, so that a price must be known."""
        return any(limited.cap.usd is not None for limited in self.limited)

    def left(self, standings: Standings) -> Room:
        """What is neither settled nor assumed under any cap; what others have reserved may come back."""
        usd = [
            dollars(nano(one.cap.usd) - standings[one.account].usd_spent)
            for one in self.limited
            if one.cap.usd is not None
        ]
        tokens = [
            one.cap.tokens - standings[one.account].tokens_spent
            for one in self.limited
            if one.cap.tokens is not None
        ]
        return Room(usd=min(usd, default=None), tokens=min(tokens, default=None))

    def short(self, standings: Standings, least: Charge, most: Charge) -> str | None:
        """The first cap under which even `least` doesn't fit, in words that say how much the turn could use."""
        for one in self.limited:
            standing, cap = standings[one.account], one.cap
            usd = Decimal(0) if least.usd is None else least.usd
            if cap.usd is not None and standing.usd_spent + nano(usd) > nano(cap.usd):
                return _spent_dollars(one, cap.usd, standing, most.usd or Decimal(0))
            needed = least.input_tokens + least.output_tokens
            if cap.tokens is not None and standing.tokens_spent + needed > cap.tokens:
                up_to = most.input_tokens + most.output_tokens
                return _spent_tokens(one, cap.tokens, standing, up_to)
        return None

    def beyond(self, least: Charge) -> str:
        """That no new day has room for it, where a whole cap is less than even `least`; empty where none is."""
        tokens = least.input_tokens + least.output_tokens
        for one in self.limited:
            cap = one.cap
            if cap.usd is not None and least.usd is not None and nano(least.usd) > nano(cap.usd):
                return BEYOND.format(needed=f"{usd(least.usd)} USD", whose=one.whose)
            if cap.tokens is not None and tokens > cap.tokens:
                return BEYOND.format(needed=f"{tokens} tokens", whose=one.whose)
        return ""


def in_force(configuration: Configuration, payer: Payer, now: float) -> Purse:
    """The caps of a run now. A rule that has left the files, or is broken there, keeps the caps it had."""
    allowance = configuration.allowance
    day = days.day_of(now, allowance.zone)
    rule = next((one for one in configuration.rules if one.id == payer.rule), None)
    caps = _JSON.validate_json(payer.caps) if rule is None else rule.caps
    return Purse(
        limited=_limited(payer, rule, caps, allowance, day),
        caps=caps,
        allowance=allowance,
        day=day,
        since=days.begins(day, allowance.zone),
    )


def dumped(caps: Caps) -> str:
    """A rule's caps as JSON, as a payer keeps them."""
    return _JSON.dump_json(caps).decode()


def usd(amount: Decimal) -> str:
    """Dollars as people read them: cents, and more places where cents would say nothing."""
    return f"{amount:.2f}" if amount >= TENTH or amount == round(amount, 2) else f"{amount:.4f}"


def _limited(
    payer: Payer, rule: Rule | None, caps: Caps, allowance: Allowance, day: str
) -> tuple[Limited, ...]:
    name = f"rule {payer.rule if rule is None else rule.name}"
    actor = f"actor {payer.named}"
    table = (
        (Scope.RULE_ACTOR, payer.rule, payer.actor, caps.actor_day, f"{name}, {actor}"),
        (Scope.RULE, payer.rule, "", caps.day, name),
        (Scope.ACTOR, "", payer.actor, allowance.actor_day, actor),
        (Scope.INSTALLATION, "", "", allowance.day, "the whole installation"),
    )
    return tuple(
        Limited(
            account=Account(scope=scope, rule=of, actor=by, day=day, zone=allowance.zone),
            cap=cap,
            whose=whose,
        )
        for scope, of, by, cap, whose in table
    )


def _spent_dollars(one: Limited, cap: Decimal, standing: Standing, up_to: Decimal) -> str:
    gone = f"{usd(dollars(standing.usd_settled))} settled"
    if standing.usd_assumed:
        gone += f", {usd(dollars(standing.usd_assumed))} assumed"
    return f"{one.whose}: {usd(cap)} USD per day is spent ({gone}, next turn up to {usd(up_to)})"


def _spent_tokens(one: Limited, cap: int, standing: Standing, up_to: int) -> str:
    gone = f"{standing.tokens_settled} settled"
    if standing.tokens_assumed:
        gone += f", {standing.tokens_assumed} assumed"
    return f"{one.whose}: {cap} tokens per day are spent ({gone}, next turn up to {up_to})"
