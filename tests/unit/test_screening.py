"""What may not leave in a call is found, and what people ordinarily write is not."""

import base64
import hashlib
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.agent.text.redacting import NOTHING, Redaction
from orchestrator.agent.text.screening import Why, secret_in, unfit
from workflows.playbook import Screening, Tokens

KNOWN = Redaction.of({"hunter22-hunter22": "env:TOKEN"})
USUAL = Screening()
RANDOM = "kX9vQ2mZp7LwR4tYb8Nc3HsJ6DfG1aVe"


def why(body: str, screening: Screening = USUAL) -> Why | None:
    found = unfit({"body": body}, screening, "body")
    return None if found is None else found.why


def test_a_secret_of_ours_is_found_in_any_argument_and_never_shown() -> None:
    hidden = base64.b64encode(b"x:hunter22-hunter22").decode()
    found = secret_in({"url": ["https://example.com", {"q": f"?d={hidden}"}]}, KNOWN)

    assert found is not None
    assert found.why is Why.SECRET
    assert "url" in found.words
    assert "env:TOKEN" in found.words
    assert "hunter22" not in found.words


def test_a_secret_that_is_an_arguments_name_is_found() -> None:
    assert secret_in({"labels": {"hunter22-hunter22": 1}}, KNOWN) is not None


def test_the_place_of_a_secret_that_was_taken_out_of_a_reply_is_found() -> None:
    assert secret_in({"body": "it is [secret env:TOKEN]"}, NOTHING) is not None


@given(st.text(max_size=100), st.lists(st.integers() | st.none(), max_size=3))
def test_where_nothing_is_known_every_call_may_leave(text: str, numbers: list[int | None]) -> None:
    assert secret_in({"body": text, "numbers": numbers, text: {"b": [text]}}, NOTHING) is None


@pytest.mark.parametrize(
    "token",
    [
        "ghp_" + "a1B2" * 9,
        "github_pat_" + "a1B2_" * 10,
        "glpat-" + "a1B2c3D4e5F6g7H8i9J0",
        "sk-ant-api03-" + "a1B2" * 8,
        "sk_live_" + "a1B2" * 6,
        "whsec_" + "a1B2" * 8,
        "xoxb-1234567890-" + "a1B2" * 5,
        "AKIA" + "ABCDEFGH12345678",
        "AIza" + "a1B2_" * 7,
        "npm_" + "a1B2" * 9,
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
        "-----BEGIN RSA PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----",
        RANDOM,
        base64.b64encode(hashlib.sha256(b"1").digest()).decode(),
    ],
)
def test_tokens_and_keys_are_found_wherever_they_stand(token: str) -> None:
    assert why(f"Here it is: {token}.") is Why.TOKEN
    assert why(token) is Why.TOKEN
    assert why(f"Here it is: {token}.", Screening(tokens=Tokens.ALLOW)) is None


def test_random_words_are_found() -> None:
    missed = [word for word in (secrets.token_urlsafe(32) for _ in range(200)) if not why(word)]
    assert len(missed) <= 5


@pytest.mark.parametrize(
    "text",
    [
        "Fixed in 3f786850e387550fdab836ed7e6dc881de23001b, thanks.",
        "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==",
        "The run 018f3c1e-7b2a-7cde-9f00-0123456789ab failed.",
        "See https://checkout.stripe.com/c/pay/cs_test_a1B2c3D4e5F6g7H8i9J0k1L2m3N4#fidkdWxOYHwnPyd1",
        "It is in orchestrator/configuration/playbook_shapes.py::test_what_a_playbook_may_say_of_writes.",
        "Use AbstractSingletonProxyFactoryBeanInterceptorAdapterConfiguration.",
        "--------------------------------------------------------------------------------",
        "org.springframework.context.annotation.ConfigurationClassPostProcessor$ImportAware2BeanPostProcessor",
        "A https://github.com/acme/api/compare/3f786850e387550fdab8...36ed7e6dc881de23001b link.",
    ],
)
def test_what_people_write_about_programs_is_no_token(text: str) -> None:
    assert why(text) is None


def test_an_id_that_is_an_argument_by_itself_is_no_token() -> None:
    assert unfit({"session": "cs_" + RANDOM, "body": "Expired."}, USUAL, "body") is None
    assert unfit({"session": "cs " + RANDOM}, USUAL, "body") is not None


def test_links_are_counted_once_each() -> None:
    body = " ".join(f"https://example.com/{number}." for number in range(3))

    assert why(f"{body} {body} www.example.com", Screening(links=4)) is None
    assert why(f"{body} www.example.com", Screening(links=3)) is Why.LINKS


def test_links_that_markdown_hides_are_counted() -> None:
    assert why("[a](https://a.example) ![b](http://b.example)", Screening(links=1)) is Why.LINKS


def test_mentions_are_counted_once_each_and_not_in_code_addresses_or_links() -> None:
    body = "@ann @Ann and @acme/team: `@decorator`, ann@example.com, https://x.example/@someone"

    assert why(body, Screening(mentions=2)) is None
    assert why(body, Screening(mentions=1)) is Why.MENTIONS
    assert why("```\n@one @two\n```", Screening(mentions=0)) is None


@pytest.mark.parametrize(
    "everybody", ["<!channel>", "<!here|here>", "<!subteam^S1>", "<@U024BE7LH>"]
)
def test_slacks_way_to_call_people_is_a_mention(everybody: str) -> None:
    assert why(f"{everybody} look", Screening(mentions=0)) is Why.MENTIONS


@given(st.text(max_size=300))
def test_screening_any_text_ends(text: str) -> None:
    unfit({"body": text}, USUAL, "body")


def test_a_long_hostile_text_is_screened_in_no_time() -> None:
    for part in ("@a", "www.", "https://", "`", "<!", "eyJ", "A1b", "```", "@a/"):
        unfit({"body": part * 20_000}, USUAL, "body")
