"""One table of what was tried, for people, and whether all of it held; it runs nothing."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Row:
    """One thing that was tried between two parties, and what came; `wrong` says what should have."""

    who: str
    what: str
    came: str
    wrong: str = ""


def shown(title, rows):
    """The table as lines."""
    lines = [f"\n{title}"]
    widths = [max(len(cell) for cell in column) for column in zip(*map(_cells, rows), strict=True)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(_cells(row), widths, strict=True)]
        lines.append("  ".join(cells).rstrip())
    lines += [f"  {row.who}: {row.wrong}" for row in rows if row.wrong]
    return "\n".join(lines)


def _cells(row):
    return ("✗" if row.wrong else "✓", row.who, row.what, row.came)


def short(text, most=70):
    """One line of it."""
    line = " ".join(str(text).split())
    return line if len(line) <= most else f"{line[: most - 1]}…"
