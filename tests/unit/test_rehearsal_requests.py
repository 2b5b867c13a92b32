"""A raw request as a file: what is written is read again, and what is none is refused with its line."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.rehearsal.requests import Request, RequestError, parsed, written

NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,20}", fullmatch=True).filter(
    lambda name: name != "content-length"
)
VALUES = st.from_regex(r"[!-~]([ -~]{0,30}[!-~])?", fullmatch=True)


@given(st.dictionaries(NAMES, VALUES, max_size=5), st.binary(max_size=200))
def test_what_is_written_is_read_as_the_same_request(headers, body):
    read = parsed(written(Request(path="/hooks/github", headers=headers, body=body)))

    assert read.body == body
    assert read.source == "github"
    assert {**read.headers} == {**headers, "content-length": str(len(body))}


@given(st.binary(max_size=60), st.sampled_from([b"\n", b"\r\n"]))
def test_a_line_break_that_an_editor_put_at_the_end_does_not_count(body, end):
    raw = written(Request(path="/hooks/github", headers={}, body=body))

    assert parsed(raw + end).body == body


@given(st.binary(max_size=300))
def test_no_bytes_at_all_end_in_anything_but_a_request_or_a_refusal(raw):
    with suppress(RequestError):
        parsed(raw)


def test_windows_lines_comments_a_query_and_a_whole_url_are_read():
    read = parsed(
        b"# an issue\r\nPOST https://bell.example/hooks/shop?token=x HTTP/1.1\r\nX-A: 1\r\n\r\n{}\r\n"
    )

    assert (read.source, read.query, read.headers, read.body) == (
        "shop",
        "token=x",
        {"x-a": "1"},
        b"{}\r\n",
    )


def test_a_repeated_header_is_joined():
    assert parsed(b"POST / HTTP/1.1\na: 1\nA: 2\n\n").headers == {"a": "1, 2"}


@pytest.mark.parametrize(
    ("raw", "line", "said"),
    [
        (b"", 1, "expected a request line"),
        (b"# only a comment\n", 1, "expected a request line"),
        (b"{}\n", 1, "expected a request line"),
        (b"GET /hooks/github HTTP/1.1\n\n", 1, "expected a POST"),
        (b"POST http://[ HTTP/1.1\n\n", 1, "expected a path or a URL"),
        (b"POST /hooks/github HTTP/1.1\na: 1\nno header\n\n", 3, "expected `name: value`"),
        (b"POST / HTTP/1.1\na: \xff\n\n", 2, "expected a request line and headers as UTF-8"),
    ],
)
def test_what_is_no_request_is_refused_with_its_line(raw, line, said):
    with pytest.raises(RequestError, match=said) as refused:
        parsed(raw)

    assert refused.value.line == line
