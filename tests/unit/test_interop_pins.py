"""What `make interop` installs is pinned by hashes and names no address; the shelf is wide in revisions and origins."""

import json
from pathlib import Path

import pytest

from tests.interop.installing import PINS, PYTHONS, Places
from tests.interop.shelf import shelf

NOWHERE = Path("/nowhere")
ERAS = {"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"}


def servers():
    places = Places(
        node=NOWHERE, modules=NOWHERE, programs=NOWHERE, pythons=dict.fromkeys(PYTHONS, NOWHERE)
    )
    return shelf(places, NOWHERE)


def test_every_npm_package_is_pinned_by_a_hash_and_by_no_address():
    packages = json.loads((PINS / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    installed = {name: one for name, one in packages.items() if name and not one.get("inBundle")}

    assert len(installed) > 300
    assert [name for name, one in installed.items() if "integrity" not in one] == []
    assert [name for name, one in packages.items() if "resolved" in one] == []


@pytest.mark.parametrize("name", PYTHONS)
def test_every_python_package_is_pinned_by_a_hash_and_by_no_address(name):
    text = (PINS / f"{name}.txt").read_text(encoding="utf-8").replace("\\\n", " ")
    wanted = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]

    assert len(wanted) > 20
    assert [line for line in wanted if "==" not in line or "--hash=sha256:" not in line] == []
    assert "://" not in text


def test_the_shelf_holds_servers_of_every_revision_and_of_both_registries():
    found = servers()

    assert len({one.name for one in found}) == len(found) >= 18
    assert {one.era for one in found} == ERAS
    assert {one.package.split()[0] for one in found} == {"npm", "PyPI"}


def test_each_version_on_the_shelf_is_the_one_that_is_pinned():
    packages = json.loads((PINS / "package.json").read_text(encoding="utf-8"))["devDependencies"]
    pinned = {f"{name.rpartition('/')[2]} {version}" for name, version in packages.items()}
    for name in PYTHONS:
        lines = (PINS / f"{name}.txt").read_text(encoding="utf-8").splitlines()
        pinned |= {" ".join(line.split(" ")[0].split("==")) for line in lines if "==" in line}

    told = [one.package.removesuffix(" (Go)").split(maxsplit=1)[1] for one in servers()]
    assert [one for one in told if one.rpartition("/")[2] not in pinned] == []
