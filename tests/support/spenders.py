"""A process that spends as workers do, until it is killed: reserve, perhaps settle, again with the next turn.

    python -m tests.support.spenders URL NAME SEED

It says a line for every turn, so that whoever kills it knows that it is at work.
"""

import random
import sys
import time
from decimal import Decimal

from orchestrator.database import Database, _repeated
from orchestrator.ledger import migrations as ledger_migrations
from orchestrator.ledger import reservations
from orchestrator.rules.caps import Cap
from tests.support.purses import HOUSE, RULE, cost, wish

DOLLAR = Cap(usd=Decimal(1))
CAPPED = ((RULE, DOLLAR), (HOUSE, DOLLAR))


def main(url: str, name: str, seed: str) -> None:
    """Take ten turns of at most 4 cents each in every run, and begin the next run."""
    dice = random.Random(int(seed))
    engine = Database.open(url, ledger_migrations.MIGRATIONS).engine
    for number in range(1_000_000):
        run_id, turn = f"{name}.{number // 10}", number % 10 + 1
        wished = wish(run_id, cost("0.04"), *CAPPED, turn=turn)
        attempt = _repeated(engine, reservations.begin, wished, 0.0)
        print(attempt, flush=True)  # noqa: T201 - a process speaks by printing
        if attempt is None:
            time.sleep(0.01)
        elif dice.random() < 0.9:
            used = cost(f"{dice.uniform(0, 0.01):.6f}")
            _repeated(engine, reservations.settle, run_id, turn, attempt, used, "settled")


if __name__ == "__main__":
    main(*sys.argv[1:])
