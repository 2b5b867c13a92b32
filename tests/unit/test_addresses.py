"""Which addresses an event may be sent to: judged against the standard library's own table over all networks."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.rules.addresses import NEVER_4, NEVER_6, PRIVATE_4, PRIVATE_6, refused

V4 = st.ip_addresses(v=4)
V6 = st.ip_addresses(v=6)
METADATA = ["169.254.169.254", "fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.192"]


def special():
    """Addresses in, at the edges of, and just outside every network of the tables."""
    networks = [*NEVER_4, *NEVER_6, *PRIVATE_4, *PRIVATE_6]
    return st.sampled_from(networks).flatmap(_around)


def _around(network):
    kind = IPv4Address if isinstance(network, IPv4Network) else IPv6Address
    highest = 2**network.max_prefixlen - 1
    first, last = int(network[0]), int(network[-1])
    edges = [number for number in (first - 1, first, last, last + 1) if 0 <= number <= highest]
    return st.one_of(st.sampled_from(edges), st.integers(first, last)).map(kind)


def wrapped(address):
    """The ways to write an IPv4 address as an IPv6 one that leads to it."""
    number = int(address)
    return [
        IPv6Address(0xFFFF << 32 | number),
        IPv6Address(int(IPv6Address("64:ff9b::")) | number),
        IPv6Address(0x2002 << 112 | number << 80 | 1),
    ]


@given(st.one_of(V4, V6, special()))
def test_nothing_that_is_not_global_is_ever_reached(address):
    inside = address.is_private or address.is_loopback or address.is_link_local
    elsewhere = address.is_multicast or address.is_unspecified or not address.is_global
    if inside or elsewhere:
        assert refused(str(address), private=False) is not None


@given(st.one_of(V4, V6, special()))
def test_who_is_refused_even_in_private_is_refused_in_public(address):
    if refused(str(address), private=True) is not None:
        assert refused(str(address), private=False) is not None


@given(st.one_of(V4, special().filter(lambda address: address.version == 4)))
def test_an_address_in_disguise_is_judged_as_what_it_is(address):
    bare = refused(str(address), private=False)
    for disguise in wrapped(address):
        said = refused(str(disguise), private=False)
        assert (said is None) is (bare is None)
        if refused(str(address), private=True) is not None:
            assert refused(str(disguise), private=True) is not None


@given(st.sampled_from([*PRIVATE_4, *PRIVATE_6]).flatmap(_around))
def test_private_allows_what_is_somebodys_own_and_nobody_elses(address):
    own = [network for network in (*PRIVATE_4, *PRIVATE_6) if address in network]
    never = [network for network in (*NEVER_4, *NEVER_6) if address in network]
    if own and not never:
        assert refused(str(address), private=True) is None
    if never:
        assert refused(str(address), private=True) is not None


@pytest.mark.parametrize("address", ["1.1.1.1", "140.82.112.3", "2606:4700::1111", "192.0.1.1"])
def test_the_public_internet_is_reached(address):
    assert refused(address, private=False) is None
    assert refused(address, private=True) is None


@pytest.mark.parametrize("address", [*METADATA, "0.0.0.0", "::", "224.0.0.1", "ff02::1", "fe80::1"])
def test_a_clouds_metadata_and_what_is_no_service_is_never_reached(address):
    assert refused(address, private=True) is not None


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "172.31.255.255", "192.168.0.1", "100.64.0.1", "::1", "fd12::1"],
)
def test_the_own_network_is_reached_only_where_that_is_said(address):
    assert refused(address, private=False) is not None
    assert refused(address, private=True) is None


@pytest.mark.parametrize(
    "address", ["2001:0:4136:e378:8000:63bf:3fff:fdd2", "::7f00:1", "5f00::1", "4000::1", "100::1"]
)
def test_tunnels_and_what_is_not_given_out_are_refused(address):
    assert refused(address, private=False) is not None


@given(st.text())
def test_what_is_no_address_is_refused(text):
    try:
        ip_address(text.partition("%")[0])
    except ValueError:
        assert refused(text, private=True) is not None


def test_the_tables_hold_only_whole_networks():
    assert all(isinstance(network, IPv4Network) for network in (*NEVER_4, *PRIVATE_4))
    assert all(isinstance(network, IPv6Network) for network in (*NEVER_6, *PRIVATE_6))
