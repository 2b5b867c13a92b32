"""What looks alike is alike, and nothing else is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.agent.text.looks import alike, bare
from tests.support.inject_choosing import alike as taken_for


@pytest.mark.parametrize("name", ["repo", "body"])
def test_a7_whatever_somebody_takes_for_a_name_has_its_signs(name: str) -> None:
    assert {bare(one) for one in taken_for(name)} == {name}


def test_other_words_stay_other_words() -> None:
    assert len({bare(one) for one in ("repo", "repos", "owner", "body", "bodies", "number")}) == 6


@given(st.text(alphabet=st.characters(max_codepoint=0x7E, min_codepoint=0x20)))
def test_plain_text_looks_as_it_is(text: str) -> None:
    assert alike(text) == text


@given(st.text())
def test_what_is_bare_is_so_already(text: str) -> None:
    assert bare(bare(text)) == bare(text)
