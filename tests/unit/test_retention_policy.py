"""What `keep:` and `backlog:` of a source mean for pruning and for the door."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

from click.testing import CliRunner

from orchestrator.cli.prune import prune
from orchestrator.configuration.load import load
from orchestrator.inbox.inbox import Action
from orchestrator.state import StateDirectory
from orchestrator.stores import Stores
from tests.conformance.inboxes import decided, decision

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def configured(tmp_path, line):
    (tmp_path / "conf").mkdir()
    text = f"github:\n  scheme: github\n  secrets: [env:S]\n{line}"
    (tmp_path / "conf" / "sources.yaml").write_text(text)
    return load(tmp_path / "conf", {"S": "secret"}, lambda _path: None)


def test_a_source_says_how_long_it_is_kept_and_how_much_may_wait(tmp_path):
    found = configured(tmp_path, "  keep: 90d\n  backlog: 10000\n").sources["github"]

    assert (found.keep, found.backlog) == (timedelta(days=90), 10_000)


def test_a_source_that_says_nothing_is_kept_for_thirty_days_and_defers_nothing(tmp_path):
    found = configured(tmp_path, "").sources["github"]

    assert (found.keep, found.backlog) == (timedelta(days=30), None)


def test_a_source_may_be_kept_for_ever(tmp_path):
    assert configured(tmp_path, "  keep: forever\n").sources["github"].keep is None


def test_what_cannot_be_read_as_a_time_is_a_mistake_with_its_line(tmp_path):
    [mistake] = configured(tmp_path, "  keep: a while\n").mistakes

    assert (mistake.line, mistake.column) == (4, 9)


def kept(tmp_path):
    stores = Stores.open(StateDirectory(tmp_path / "state"), None)
    ignored = decision("c-e1", "e1", action=Action.IGNORE, lane=None)
    asyncio.run(
        decided(stores.inbox, ignored, event_id="e1", source="github", received_at=LONG_AGO)
    )
    stores.close()


def told(tmp_path, *words):
    return CliRunner().invoke(
        prune, ["--state", str(tmp_path / "state"), "--json", *words], env={"S": "secret"}
    )


def test_pruning_by_hand_keeps_what_its_source_keeps_for_ever(tmp_path):
    kept(tmp_path)
    configured(tmp_path, "  keep: forever\n")

    done = told(tmp_path, "--config", str(tmp_path / "conf"))

    assert (done.exit_code, json.loads(done.output)) == (0, [])


def test_pruning_without_a_configuration_is_refused_unless_all_is_said(tmp_path):
    kept(tmp_path)

    refused = told(tmp_path, "--config", str(tmp_path / "nowhere"))
    [done] = json.loads(told(tmp_path, "--keep", "30d").output)

    assert "give --config DIR" in str(refused.exception)
    assert done["pruned"] == 1
