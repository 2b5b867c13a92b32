"""tokens.yaml: digests of tokens, what each is for, whose it is and until when; what is unsound proves nothing."""

from datetime import date

import pytest

from orchestrator.configuration.tokens import Scope, Token
from orchestrator.console.proving import allow, digest_of, proved
from orchestrator.errors import AskerError, Fault
from tests.support.configurations import configuration, mistakes

DIGEST = "a" * 64
PEOPLE = "alice: {github: 1}\n"
TODAY = date(2026, 11, 21)


def test_a_token_has_a_digest_scopes_a_person_and_a_last_day():
    text = f"phone: {{sha256: {DIGEST}, scopes: [approve], person: alice, rules: triage-*, expires: 2027-03-31}}\n"
    found = configuration(tokens_yaml=text, people_yaml=PEOPLE)

    assert found.mistakes == ()
    assert found.tokens == {
        "phone": Token(
            name="phone",
            digest=DIGEST,
            scopes=frozenset({Scope.APPROVE}),
            person="alice",
            rules=("triage-*",),
            expires=date(2027, 3, 31),
        )
    }
    assert DIGEST not in repr(found.tokens)


@pytest.mark.parametrize("text", [None, "", "# nobody\n", "{}\n"])
def test_without_the_file_nobody_is_answered(text):
    found = configuration(tokens_yaml=text)

    assert (found.tokens, found.mistakes) == ({}, ())


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{scopes: [read]}", "the key 'sha256' is missing"),
        (f"{{sha256: {DIGEST}}}", "the key 'scopes' is missing"),
        (f"{{sha256: {DIGEST}, scopes: []}}", "at least 1 item"),
        (f"{{sha256: {DIGEST}, scopes: [reed]}}", "got 'reed'"),
        (f"{{sha256: {DIGEST[1:]}, scopes: [read]}}", "match pattern"),
        (f"{{sha256: {DIGEST.upper()}, scopes: [read]}}", "match pattern"),
        (f"{{sha256: {DIGEST}, scopes: [read], rules: []}}", "at least 1 item"),
        (f"{{sha256: {DIGEST}, scopes: [read], rule: [a]}}", "unknown key 'rule'"),
        (f"{{sha256: {DIGEST}, scopes: [read], person: alise}}", "did you mean 'alice'?"),
        (f"{{sha256: {DIGEST}, scopes: [approve]}}", "expected `person: NAME` as well"),
        (f"{{sha256: {DIGEST}, scopes: [read], expires: soon}}", "expected a day such as"),
        ("[]", "expected a mapping"),
    ],
)
def test_what_is_wrong_with_a_token_is_said_and_it_proves_nothing(line, said):
    files = {"tokens_yaml": f"phone: {line}\n", "people_yaml": PEOPLE}

    assert said in str(mistakes(**files))
    assert configuration(**files).tokens == {}


def test_two_names_for_one_token_are_a_mistake():
    text = "".join(f"{name}: {{sha256: {DIGEST}, scopes: read}}\n" for name in ("one", "two"))

    assert "this is the token 'one' already" in str(mistakes(tokens_yaml=text))


def token(name="reader", shown="dbt_x", **changes):
    return Token(name=name, digest=digest_of(shown), scopes=frozenset({Scope.READ}), **changes)


@pytest.mark.parametrize("header", ["Bearer dbt_x", "bearer dbt_x", "BEARER  dbt_x "])
def test_a_token_is_proved_by_the_header_that_shows_it(header):
    assert proved([token("other", "dbt_y"), token()], header, TODAY).name == "reader"


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic dbt_x", "dbt_x", "Bearer dbt_X"]
)
def test_any_other_header_proves_nothing(header):
    with pytest.raises(AskerError) as refused:
        proved([token()], header, TODAY)
    assert refused.value.fault is Fault.UNPROVED


def test_a_token_proves_something_until_its_last_day_is_over():
    lasting = token(expires=TODAY)

    assert proved([lasting], "Bearer dbt_x", TODAY) is lasting
    with pytest.raises(AskerError):
        proved([lasting], "Bearer dbt_x", date(2026, 11, 22))


def test_a_token_is_for_its_scopes_and_for_reading():
    worker = Token(name="w", digest=DIGEST, scopes=frozenset({Scope.OPERATE}))

    allow(worker, Scope.READ)
    allow(worker, Scope.OPERATE)
    with pytest.raises(AskerError) as refused:
        allow(worker, Scope.APPROVE)
    assert refused.value.fault is Fault.NOT_ALLOWED
