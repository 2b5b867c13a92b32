"""Has our connector meet servers that aren't ours, and clients that aren't ours meet our servers: `make interop`.

`python -m tests.interop.suite [theirs] [ours] [later]`, or names of servers of `shelf.py`; a table each, and exit code
1 where something didn't hold.
What is tried stands in `shelf.py`; all of it is pinned by hashes and installed beside the virtual environment.
"""

import sys
import tempfile
from pathlib import Path

from tests.interop import later, ours, theirs
from tests.interop.house import House
from tests.interop.installing import installed
from tests.interop.table import shown

PARTS = {
    "theirs": ("Servers from the public registries, by our product", theirs.tried),
    "ours": ("Our servers, called by clients that aren't ours", ours.tried),
    "later": ("Our client, before servers that aren't ours and answer later", later.tried),
}


def main(wanted):
    """Every part that is wanted; the exit code."""
    places = installed()
    failed = 0
    parts = wanted & set(PARTS)
    names = wanted - parts
    if names:
        parts.add("theirs")
    for name, (title, tried) in PARTS.items():
        if parts and name not in parts:
            continue
        with tempfile.TemporaryDirectory(prefix="doorbell-interop-") as directory:
            rows = [_said(row) for row in tried(House(directory=Path(directory)), places, names)]
        sys.stdout.write(f"{shown(title, rows)}\n")
        sys.stdout.flush()
        failed += sum(bool(row.wrong) for row in rows)
    sys.stdout.write(f"\n{failed} failed\n" if failed else "\neverything held\n")
    return 1 if failed else 0


def _said(row):
    """Tell at once, as the whole takes minutes."""
    sys.stderr.write(f"{'failed: ' if row.wrong else ''}{row.who}: {row.what}\n")
    return row


if __name__ == "__main__":
    sys.exit(main(set(sys.argv[1:])))
