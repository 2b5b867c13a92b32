"""What a person does to the stores themselves, and a delivery that is told and read back."""

from dataclasses import replace
from datetime import timedelta

import pytest

from orchestrator.console.acting import Acting, Namespace
from orchestrator.console.lines import delivered, delivery
from orchestrator.console.questions import AcceptNamespace, Prune
from orchestrator.errors import AskerError, Fault
from tests.support.builders import NOW, comment, configuration, rule, source
from tests.support.installed import Installed

STAR = rule("other", on=("github/star.*",))


@pytest.fixture
def there(tmp_path):
    there = Installed(tmp_path / "state")
    there.kept(comment("evt_1"), STAR)
    return there


def done(there, act, *, keep=timedelta(days=30), server="ns-1", patience=5.0):
    """The act, a year later."""

    async def identity():
        return server

    def acted(stores):
        files = replace(configuration(), sources={"github": replace(source(), keep=keep)})
        acting = Acting(
            stores=stores,
            configuration=lambda: files,
            namespace=Namespace(name="default", identity=identity),
            now=lambda: NOW + timedelta(days=365),
            patience=patience,
        )
        return acting.act(act)

    return there.use(acted)


def test_what_is_forgotten_is_chosen_by_each_sources_own_policy_or_by_what_one_says(there):
    for_ever = done(there, Prune(), keep=None)
    later = done(there, Prune(keep=timedelta(days=900)))
    would = done(there, Prune(dry_run=True))
    did, again = done(there, Prune()), done(there, Prune())

    assert for_ever == {"pruned": [], "dry_run": False}
    counts = [[one["pruned"] for one in told["pruned"]] for told in (later, would, did, again)]
    assert counts == [[0], [1], [1], []]


def test_what_takes_too_long_is_left_off_in_words_that_say_to_go_on(there):
    with pytest.raises(AskerError, match="it takes longer than 0 s: say it again") as caught:
        done(there, Prune(), patience=0)

    assert caught.value.fault is Fault.BUSY
    assert [one["pruned"] for one in done(there, Prune())["pruned"]] == [1]


def test_the_namespace_that_is_looked_at_becomes_the_one_on_which_runs_live(there):
    first, again, other = (done(there, AcceptNamespace(), server=name) for name in ("a", "a", "b"))

    assert [one["before"] for one in (first, again, other)] == [None, "a", "a"]
    assert [one["changed"] for one in (first, again, other)] == [False, False, True]
    assert other["identity"] == "b"


def test_a_delivery_that_was_told_is_the_same_when_it_is_read(there):
    kept = there.use(lambda stores: stores.inbox.entry("evt_1"))
    read = delivered(delivery(kept))

    assert read == replace(kept, position=0, headers=read.headers)
    assert read.headers == dict(kept.headers)
