"""Which files of a directory are the configuration; it reads them and understands none."""

from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path, PurePath

from orchestrator.errors import Mistake

SOURCES = "sources.yaml"
SERVERS = "servers.yaml"
LIMITS = "limits.yaml"
PEOPLE = "people.yaml"
TOKENS = "tokens.yaml"
LOCK = "tools.lock"
NAMED = (SOURCES, SERVERS, LIMITS, PEOPLE, TOKENS)
MAX_FILE = 1024 * 1024


@dataclass(slots=True, kw_only=True)
class Files:
    """The texts by their path inside the directory, in order; what is unreadable or would never be read."""

    root: Path
    texts: dict[str, str] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)
    warnings: list[Mistake] = field(default_factory=list)

    def named(self, name: str) -> str:
        """The path that a person can open."""
        return str(self.root / name)

    def content(self) -> bytes:
        """All texts as one, whatever their line ends; `kept_files` reads it."""
        said = []
        for name in sorted(self.texts):
            text = _one_line_end(self.texts[name])
            said.append(f"{name}\0{len(text)}\0{text}\0")
        return "".join(said).encode(errors="replace")

    def digest(self) -> str:
        """The name of exactly these texts: the SHA-256 of their `content`."""
        return sha256(self.content()).hexdigest()


def _one_line_end(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def files_of(directory: Path) -> Files:
    """Everything that counts as configuration below a directory."""
    files = Files(root=directory)
    if not directory.is_dir():
        said = f"expected a directory; `doorbell init {directory}` writes a starter"
        files.mistakes.append(_at(str(directory), said))
        return files
    for path in sorted(directory.rglob("*")):
        _sort(files, path, path.relative_to(directory))
    return files


def kept_files(root: Path, content: bytes) -> Files:
    """The files whose `content` was kept."""
    files, rest = Files(root=root), content.decode()
    while rest:
        name, size, rest = rest.split("\0", 2)
        files.texts[name], rest = rest[: int(size)], rest[int(size) + 1 :]
    return files


DESCRIBED = (".openapi.yaml", ".openapi.yml", ".openapi.json")
"""How the descriptions of APIs end, which servers.yaml may name."""


def _sort(files: Files, path: Path, name: PurePath) -> None:
    if not path.is_file() or any(part.startswith(".") for part in name.parts):
        return
    if _counts(name):
        _read(files, path, name.as_posix())
    elif name.suffix in {".yaml", ".yml"} or name.parts[0] == "playbooks":
        known = ", ".join(NAMED)
        said = f"this file is never read; expected {known}, rules/*.yaml or playbooks/*.md"
        files.warnings.append(_at(str(path), said))


def _counts(name: PurePath) -> bool:
    match name.parts:
        case (only,):
            return only in {*NAMED, LOCK} or only.endswith(DESCRIBED)
        case ("rules", _):
            return name.suffix == ".yaml"
        case ("playbooks", _):
            return name.suffix == ".md"
        case _:
            return False


def _read(files: Files, path: Path, name: str) -> None:
    try:
        raw = path.read_bytes()
    except OSError as error:
        files.mistakes.append(_at(str(path), f"can't be read: {error.strerror}"))
        return
    if len(raw) > MAX_FILE:
        files.mistakes.append(_at(str(path), f"expected at most {MAX_FILE} bytes, got {len(raw)}"))
        return
    try:
        files.texts[name] = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        files.mistakes.append(_at(str(path), "expected UTF-8 text, got other bytes", line))


def _at(file: str, message: str, line: int = 1) -> Mistake:
    return Mistake(file=file, line=line, column=1, message=message)
