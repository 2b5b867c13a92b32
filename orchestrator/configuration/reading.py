"""A configuration with all it was made of, so that a change of any of it is seen; it decides nothing.

That is the files of the directory, the files of `file:` secrets, and the environment.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path, PurePath
from typing import Any

from orchestrator.configuration.configuration import Configuration
from orchestrator.configuration.files import files_of
from orchestrator.configuration.load import configured
from orchestrator.configuration.watching import Stamp, Stamps
from orchestrator.secrets import ReadFile, Unread

PLACES = ("", "rules", "playbooks")
"""The directories below the configuration's in which a file counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One pass over everything; `content` is what is kept of it, `texts` are by the path that a person can open.

    Two readings of equal `made_of` mean the same. `beside` are the files outside of the directory.
    """

    configuration: Configuration
    content: bytes
    texts: Mapping[str, str]
    beside: frozenset[Path]
    made_of: Any = field(repr=False)


def read(directory: Path, environment: Mapping[str, str], read_file: ReadFile) -> Reading:
    """Read a directory as it is now; the mistakes are in the configuration, not raised."""
    files, beside = files_of(directory), dict[PurePath, str]()

    def noting(path: PurePath) -> str | Unread | None:
        found = read_file(path)
        text = found.why if isinstance(found, Unread) else found or ""
        beside[path] = sha256(text.encode(errors="replace")).hexdigest()
        return found

    configuration = configured(files, environment, noting)
    seen = (configuration.digest, tuple(files.mistakes), beside, dict(environment))
    return Reading(
        configuration=configuration,
        content=files.content(),
        texts=configuration.texts,
        beside=frozenset(map(Path, beside)),
        made_of=seen,
    )


def stamps_of(directory: Path, beside: Iterable[Path]) -> Stamps:
    """How everything that a reading is made of stands now; of what isn't there nothing is said."""
    below = (entry for place in PLACES for entry in _listed(directory / place))
    return tuple(sorted(filter(None, map(_stamp, (*below, *map(str, beside))))))


def _listed(directory: Path) -> Iterator[str]:
    try:
        with os.scandir(directory) as entries:
            yield from [entry.path for entry in entries if not entry.name.startswith(".")]
    except OSError:
        return


def _stamp(path: str) -> Stamp | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - five hundred of them every half second
    except OSError:
        return None
    return (path, found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino)
