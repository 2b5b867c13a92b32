"""`doorbell events show ID --raw`: the stored delivery as a raw request that rules' tests and `send` read."""

import pytest

from orchestrator.rehearsal.requests import parsed
from tests.support.builders import comment
from tests.support.installed import Installed


@pytest.fixture
def there(tmp_path):
    return Installed(tmp_path / "state")


def test_the_stored_delivery_is_printed_with_its_very_bytes(there):
    arrival = comment("evt_1")
    there.only_kept(arrival)

    read = parsed(there.doorbell("events", "show", "evt_1", "--raw").stdout_bytes)

    assert (read.source, read.body) == ("github", arrival.body)
    assert {**read.headers}.items() >= {**arrival.headers}.items()


def test_raw_is_no_json(there):
    there.only_kept(comment("evt_1"))

    assert there.doorbell("events", "show", "evt_1", "--raw", "--json").exit_code == 2
