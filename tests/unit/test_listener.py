"""The door's socket: bound here, or inherited by systemd's protocol, and refused in words when it isn't one."""

import os
import socket
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.doorbell.listener import (
    BACKLOG,
    HANDED_OVER,
    bound,
    host_of,
    inherited,
    port_of,
    url_of,
)
from orchestrator.errors import OperatorError

OURS = 4711


def said(**more: str) -> Mapping[str, str]:
    return {"LISTEN_PID": str(OURS), **HANDED_OVER, **more}


@pytest.fixture
def given_away() -> int:
    """The descriptor of a socket that listens, whose owner will not close it."""
    listener = socket.create_server(("127.0.0.1", 0))
    return listener.detach()


def test_a_bound_socket_listens_waits_for_nobody_and_is_nothing_a_child_inherits() -> None:
    with bound("127.0.0.1", 0) as listener:
        assert host_of(listener) == "127.0.0.1"
        assert listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        assert listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert listener.gettimeout() == 0
        assert not listener.get_inheritable()
        with socket.create_connection(("127.0.0.1", port_of(listener))):
            pass


def test_a_port_that_is_taken_is_refused_with_what_to_do() -> None:
    with bound("127.0.0.1", 0) as listener:
        port = port_of(listener)
        with pytest.raises(OperatorError, match=rf"port {port} on 127.0.0.1, .*--port N"):
            bound("127.0.0.1", port)


def test_a_port_just_left_with_connections_can_be_had_again_at_once() -> None:
    with bound("127.0.0.1", 0) as listener:
        port = port_of(listener)
        client = socket.create_connection(("127.0.0.1", port))
        listener.settimeout(None)
        accepted, _ = listener.accept()
        accepted.close()
    bound("127.0.0.1", port).close()
    client.close()


def test_the_socket_handed_over_to_this_process_is_taken(given_away: int) -> None:
    listener = inherited(said(), OURS, first=given_away)
    assert listener is not None
    with listener:
        assert listener.fileno() == given_away
        assert listener.gettimeout() == 0
        assert not listener.get_inheritable()


@pytest.mark.parametrize(
    "environment",
    [
        {},
        HANDED_OVER,
        said(LISTEN_PID="4712"),
        said(LISTEN_FDS="0"),
        {"LISTEN_PID": str(OURS)},
    ],
)
def test_what_is_for_nobody_or_another_process_is_left_alone(
    environment: Mapping[str, str],
) -> None:
    assert inherited(environment, OURS) is None


@given(st.dictionaries(st.sampled_from(["LISTEN_FDS", "LISTEN_FDNAMES", "HOME"]), st.text()))
def test_without_our_pid_nothing_is_even_read(environment: Mapping[str, str]) -> None:
    assert inherited(environment, OURS) is None


def test_of_several_sockets_the_one_named_door_is_taken(given_away: int) -> None:
    environment = said(LISTEN_FDS="3", LISTEN_FDNAMES="metrics:door:other")
    listener = inherited(environment, OURS, first=given_away - 1)
    assert listener is not None
    with listener:
        assert listener.fileno() == given_away


def test_one_socket_is_taken_whatever_its_unit_calls_it(given_away: int) -> None:
    listener = inherited(said(LISTEN_FDNAMES="doorbell.socket"), OURS, first=given_away)
    assert listener is not None
    listener.close()


def test_several_sockets_without_that_name_are_refused() -> None:
    with pytest.raises(OperatorError, match=r"2 sockets .*'a:b'.*FileDescriptorName=door"):
        inherited(said(LISTEN_FDS="2", LISTEN_FDNAMES="a:b"), OURS)


@pytest.mark.parametrize("count", ["", "one", "-1", "٣"])
def test_a_count_that_is_no_number_is_refused(count: str) -> None:
    with pytest.raises(OperatorError, match=r"LISTEN_FDS is .*expected how many"):
        inherited(said(LISTEN_FDS=count), OURS)


@pytest.mark.parametrize(
    "made",
    [
        lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
        lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM),
        lambda: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM),
    ],
    ids=["datagrams", "not listening", "not TCP"],
)
def test_a_socket_of_another_kind_is_refused(made: object) -> None:
    descriptor = made().detach()  # type: ignore[operator]
    with pytest.raises(OperatorError, match="expected a TCP socket that listens"):
        inherited(said(), OURS, first=descriptor)


def test_what_is_no_socket_at_all_is_refused() -> None:
    read, write = os.pipe()
    with pytest.raises(OperatorError, match=f"descriptor {read} .* is none"):
        inherited(said(), OURS, first=read)
    os.close(read)
    os.close(write)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8787"),
        ("0.0.0.0", "http://127.0.0.1:8787"),
        ("::", "http://[::1]:8787"),
        ("2001:db8::1", "http://[2001:db8::1]:8787"),
    ],
)
def test_its_url_is_one_this_machine_can_reach(host: str, url: str) -> None:
    assert url_of(host, 8787) == url


def test_the_backlog_holds_what_a_restart_piles_up() -> None:
    """Two seconds at the 2,000 new connections a second that one door accepts."""
    assert BACKLOG >= 4000
