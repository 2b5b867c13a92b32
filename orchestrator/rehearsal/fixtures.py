"""Files that rules' tests name, read from below the configuration directory and from nowhere else."""

from pathlib import Path
from typing import Final

from orchestrator.errors import OperatorError

MAX_FIXTURE: Final = 32 * 1024 * 1024


def fixture_in(directory: Path, name: str) -> bytes:
    """The bytes of a fixture. Raises `OperatorError` where it isn't there, is too large or stands elsewhere."""
    root = directory.resolve()
    path = (root / name).resolve()
    if not path.is_relative_to(root):
        raise OperatorError(f"{name}: expected a file within {str(directory)!r}, it leads out")
    try:
        if path.stat().st_size > MAX_FIXTURE:
            raise OperatorError(f"{name}: expected at most {MAX_FIXTURE} bytes")
        return path.read_bytes()
    except OSError as error:
        raise OperatorError(f"{name}: can't be read: {error.strerror}") from None
