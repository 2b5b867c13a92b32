"""Whose address counts: only what our own proxies wrote, read from the right."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.doorbell.clients import HOPS, Trusted, client_of, trusted_of
from orchestrator.errors import OperatorError

PROXIES = trusted_of("127.0.0.1, 10.0.0.0/8, fd00::/8")
PROXY, EDGE, SENDER, LIAR = "127.0.0.1", "10.1.2.3", "203.0.113.9", "198.51.100.66"

ours = st.ip_addresses(network="10.0.0.0/8") | st.ip_addresses(network="fd00::/8")
addresses = st.ip_addresses()
strangers = addresses.filter(lambda address: not any(address in one for one in PROXIES)).filter(
    lambda address: getattr(address, "ipv4_mapped", None) is None
)
junk = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=40)


def xff(*values: str) -> list[tuple[bytes, bytes]]:
    return [(b"x-forwarded-for", value.encode("latin-1")) for value in values]


def forwarded(*values: str) -> list[tuple[bytes, bytes]]:
    return [(b"forwarded", value.encode("latin-1")) for value in values]


@pytest.mark.parametrize(
    ("headers", "client"),
    [
        (xff(SENDER), SENDER),
        (xff(f"{LIAR}, {SENDER}"), SENDER),
        (xff(f"{LIAR}, {SENDER}, {EDGE}"), SENDER),
        (xff(LIAR, f"{SENDER}", EDGE), SENDER),
        (xff(f"{SENDER}:4711"), SENDER),
        (xff("2001:db8::1"), "2001:db8::1"),
        (xff("[2001:db8::1]:4711"), "2001:db8::1"),
        (xff("::ffff:203.0.113.9"), SENDER),
        (xff(EDGE), EDGE),
        (forwarded(f"for={SENDER};proto=https;by={PROXY}"), SENDER),
        (forwarded(f'for={LIAR}, For="{SENDER}:4711";proto=https'), SENDER),
        (forwarded('for="[2001:db8::1]:4711"'), "2001:db8::1"),
    ],
)
def test_the_right_most_address_that_is_no_proxy_of_ours_is_the_client(
    headers: list[tuple[bytes, bytes]], client: str
) -> None:
    assert client_of(PROXY, headers, PROXIES) == client


@pytest.mark.parametrize(
    "headers",
    [
        [],
        xff(""),
        xff("unknown"),
        xff(f"{SENDER}, "),
        xff(f"{SENDER}, nonsense, {EDGE}"),
        xff("203.0.113.9:99999999"),
        xff("[2001:db8::1"),
        xff("010.0.0.1"),
        xff("2001:db8::1]:80"),
        forwarded("for=_hidden"),
        forwarded("proto=https"),
        forwarded(f"for={SENDER};for={LIAR}"),
        [*xff(SENDER), *forwarded(f"for={LIAR}")],
        xff(", ".join([SENDER, *[EDGE] * HOPS])),
    ],
)
def test_where_nothing_sound_is_said_the_peer_is_the_client(
    headers: list[tuple[bytes, bytes]],
) -> None:
    assert client_of(PROXY, headers, PROXIES) == PROXY


@given(strangers, junk)
def test_a_peer_that_is_no_proxy_of_ours_is_the_client_whatever_it_writes(
    peer: object, text: str
) -> None:
    for headers in (xff(text), forwarded(text), xff(SENDER)):
        assert client_of(str(peer), headers, PROXIES) == str(peer)


@given(junk, junk)
def test_when_nobody_is_trusted_the_peer_is_the_client_and_nothing_is_read(
    peer: str, text: str
) -> None:
    unread: Trusted = ()
    assert client_of(peer, xff(text), unread) == peer


@given(junk, strangers, st.lists(ours, max_size=HOPS - 1))
def test_what_stands_left_of_the_first_stranger_never_matters(
    lies: str, sender: object, proxies: list[object]
) -> None:
    chain = ", ".join(map(str, [sender, *proxies]))
    assert client_of(PROXY, xff(chain), PROXIES) == str(sender)
    assert client_of(PROXY, xff(f"{lies}, {chain}"), PROXIES) == str(sender)
    assert client_of(PROXY, xff(lies, chain), PROXIES) == str(sender)


@given(junk, strangers)
def test_both_headers_tell_the_same_and_the_left_of_forwarded_never_matters_either(
    lies: str, sender: object
) -> None:
    node = f'for="[{sender}]"' if ":" in str(sender) else f"for={sender}"
    assert client_of(PROXY, forwarded(lies, f"{node};proto=https"), PROXIES) == str(sender)


@given(junk, st.sampled_from([xff, forwarded]))
def test_whatever_is_written_the_answer_is_the_peer_or_an_address(
    text: str, header: object
) -> None:
    client = client_of(PROXY, header(text), PROXIES)  # type: ignore[operator]
    assert client == PROXY or ip_network(client)


def test_the_list_of_proxies_is_read_and_a_mistake_in_it_is_named() -> None:
    assert trusted_of("") == ()
    assert trusted_of("10.0.0.0/8,::1") == (ip_network("10.0.0.0/8"), ip_network("::1"))
    with pytest.raises(OperatorError, match=r"'10\.0\.0\.1/8'.*host bits"):
        trusted_of("127.0.0.1, 10.0.0.1/8")
    with pytest.raises(OperatorError, match=r"'proxy'.*expected addresses or networks"):
        trusted_of("proxy")
