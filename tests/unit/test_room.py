"""Whether tools fit into what a playbook may offer, and the fewest to drop."""

from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.agent.conversation import weighing
from orchestrator.agent.conversation.frozen import definitions
from orchestrator.agent.hands.definitions import Discovered, ToolDefinition
from orchestrator.agent.tools.builtins import BUILT_INS
from orchestrator.agent.tools.room import built_in_tokens, excess, tokens
from orchestrator.agent.tools.toolset import curate
from tests.support.builders import frozen
from workflows.playbook import MAX_TOOL_TOKENS, MAX_TOOLS, Callback, Playbook

ROOM = MAX_TOOLS - len(BUILT_INS)
LEFT = MAX_TOOL_TOKENS - built_in_tokens()


def fits(prices):
    return len(prices) <= ROOM and sum(prices.values()) <= LEFT


def test_the_price_is_estimated_from_the_json():
    assert tokens({"a": "x" * 30}) == 13


SIGNS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), SIGNS, max_size=6))
def test_h1_a_definition_is_measured_as_the_request_is_that_carries_it(definition):
    assert tokens(definition) == weighing.tokens(definition)


def test_h1_the_word_on_the_event_that_answers_a_call_is_paid_for_too():
    waits = {"github.deploy": Callback(events=("github/status.*",), key="k", timeout=1.0)}
    deploy = ToolDefinition(server="github", name="deploy", input_schema={"type": "object"})
    offered = {"github": Discovered(server="github", protocol="p", identity="i", tools=(deploy,))}
    wanted = {"digest": "d", "model": "m", "max_tokens": 1, "tools": {"github": ("deploy",)}}
    plain, later = (
        curate(Playbook(name="p", inputs={}, waits=asked, **wanted), offered, {}, {})[0]
        for asked in ({}, waits)
    )
    (sent,) = definitions(frozen(later, waits=waits, built_ins=()))
    del sent["cache_control"]

    assert plain.tokens < later.tokens == tokens(sent)


def test_h1_what_fits_to_the_last_token_is_no_excess():
    assert excess({"a": LEFT - 1, "b": 1}) is None
    assert excess({f"t{number}": 1 for number in range(ROOM)}) is None


def test_h1_the_one_tool_that_is_just_enough_is_dropped_and_not_the_dearest():
    found = excess({"dear": LEFT - 100, "middle": 200, "cheap": 20})
    assert found is not None
    assert found.drop == ("middle",)
    [words] = found.words
    assert words.startswith("expected at most 16000 tokens of definitions, got about 16120, ")


def test_h1_of_too_many_tools_the_dearest_are_dropped():
    prices = {f"t{number:02}": number for number in range(ROOM + 2)}
    found = excess(prices)
    assert found is not None
    assert found.drop == (f"t{ROOM + 1:02}", f"t{ROOM:02}")
    assert f"got {MAX_TOOLS + 2}" in found.words[0]


@settings(max_examples=60)
@given(st.lists(st.integers(1, LEFT), min_size=1, max_size=7))
def test_h1_the_rest_fits_and_no_smaller_set_would_do(sizes):
    prices = {f"t{number}": size for number, size in enumerate(sizes)}
    found = excess(prices)
    dropped = () if found is None else found.drop
    assert (found is None) == fits(prices)
    assert fits({name: price for name, price in prices.items() if name not in dropped})
    for fewer in combinations(prices, max(len(dropped) - 1, 0)):
        if found is not None:
            assert not fits({name: one for name, one in prices.items() if name not in fewer})
