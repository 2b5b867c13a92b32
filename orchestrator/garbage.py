"""How seldom Python looks for garbage in a process that takes deliveries; it knows nothing of them."""

import gc
from typing import Final

SELDOM: Final = (20_000, 20, 50)
"""Allocations between two collections of each generation; stock is 700, 10, 10."""


def collect_seldom() -> None:
    """From now on look seldom, and never again at what stands now: that costs a tenth of what a delivery may."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*SELDOM)
