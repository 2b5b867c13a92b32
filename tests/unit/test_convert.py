"""Results and names, from MCP to the Messages API."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.agent.hands.convert import (
    ATTACHMENTS,
    LIMIT,
    MAX_DESCRIPTION,
    alias,
    answered,
    artifact_id,
    described,
    failed,
)
from tests.support.drawn import EXTENDED, GIF, JPEG, PNG, coded, png

PDF = b"%PDF-1.7\n"


def shown(*content: dict[str, Any], **rest: Any) -> tuple[dict[str, Any], ...]:
    return answered({"content": list(content), **rest}).content


def said(*content: dict[str, Any], **rest: Any) -> list[str]:
    return [block["text"] for block in shown(*content, **rest)]


def test_text_stays_text():
    assert shown({"type": "text", "text": "hello"}) == ({"type": "text", "text": "hello"},)


def test_an_error_stays_an_error():
    assert answered({"content": [{"type": "text", "text": "no"}], "isError": True}).is_error


def test_words_of_our_own_are_an_error_the_model_can_read():
    outcome = failed("nobody home")
    assert (outcome.is_error, outcome.full) == (True, b"nobody home")


@pytest.mark.parametrize(
    ("raw", "media_type"),
    [(PNG, "image/png"), (JPEG, "image/jpeg"), (GIF, "image/gif"), (EXTENDED, "image/webp")],
)
def test_an_image_is_shown_as_what_its_bytes_are(raw, media_type):
    [block] = shown({"type": "image", "data": coded(raw), "mimeType": "image/png"})
    assert block["source"] == {"type": "base64", "media_type": media_type, "data": coded(raw)}


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ({"type": "image", "data": coded(b"<svg/>"), "mimeType": "image/svg+xml"}, "[image/svg+xml, 6 bytes omitted]"),
        ({"type": "image", "data": "%%%", "mimeType": "image/png"}, "[image/png omitted: it is not valid base64]"),
        ({"type": "audio", "data": coded(b"RIFFxxxxWAVE"), "mimeType": "audio/wav"}, "[audio/wav, 12 bytes omitted]"),
        ({"type": "hologram"}, "[content of type 'hologram' omitted: it can't be shown here]"),
        ({"type": "resource_link", "uri": "file:///a", "name": "a", "mimeType": "text/x"}, "a — file:///a (text/x)"),
        ({"type": "resource_link", "uri": "x:y"}, "resource — x:y"),
    ],
)  # fmt: skip
def test_what_the_model_cannot_see_is_a_note(item, words):
    assert said(item) == [words]


@pytest.mark.parametrize(
    ("resource", "words"),
    [
        ({"uri": "u", "text": "body", "mimeType": "application/json"}, "[resource u]\nbody"),
        ({"uri": "u", "blob": coded(b"a: 1"), "mimeType": "application/yaml"}, "a: 1"),
        ({"uri": "u", "blob": coded(b"\0\1"), "mimeType": "application/zip"}, "[application/zip, 2 bytes omitted]"),
        ({"uri": "u", "blob": coded(b"{}"), "mimeType": "application/ld+json; charset=x"}, "{}"),
        ({"uri": "u", "blob": coded(b"\0\1")}, "[application/octet-stream, 2 bytes omitted]"),
        ({"uri": "u"}, "[resource u without content]"),
    ],
)  # fmt: skip
def test_an_embedded_resource_is_its_text_or_a_note(resource, words):
    assert said({"type": "resource", "resource": resource}) == [words]


def test_a_pdf_is_a_document():
    resource = {"uri": "u", "blob": coded(PDF), "mimeType": "application/pdf"}
    [block] = shown({"type": "resource", "resource": resource})
    assert (block["type"], block["source"]["media_type"]) == ("document", "application/pdf")


def test_an_error_holds_nothing_but_text_because_the_api_refuses_it():
    picture = {"type": "image", "data": coded(PNG), "mimeType": "image/png"}
    assert said(picture, isError=True) == ["[image/png, 24 bytes omitted]"]


def test_pictures_beyond_the_cap_become_notes():
    large = coded(PNG + bytes(ATTACHMENTS // 2))
    picture = {"type": "image", "data": large, "mimeType": "image/png"}
    assert [block["type"] for block in shown(picture, picture)] == ["image", "text"]


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (PNG[:16], "[image/png, 16 bytes omitted: its size can't be read]"),
        (b"\xff\xd8\xff" + bytes(9), "[image/jpeg, 12 bytes omitted: its size can't be read]"),
        (png(0, 800), "[image/png, 24 bytes omitted: its size can't be read]"),
        (
            png(100, 8001),
            "[image/png, 24 bytes omitted: 100x8001 pixels, more than 8000 a side]",
        ),
    ],
)
def test_a_picture_for_which_the_api_would_refuse_the_whole_request_is_named_in_words(raw, words):
    assert said({"type": "image", "data": coded(raw), "mimeType": "image/png"}) == [words]


def test_structured_content_counts_only_where_there_is_no_other():
    assert said(structuredContent={"n": 1}) == ['{"n": 1}']
    assert said({"type": "text", "text": "one"}, structuredContent={"n": 1}) == ["one"]


def test_structured_content_beside_a_picture_is_told_in_words():
    picture = {"type": "image", "data": coded(PNG), "mimeType": "image/png"}
    words, shown_ = shown(picture, structuredContent={"n": 1})
    assert (words["text"], shown_["type"]) == ('{"n": 1}', "image")


def test_a_hundred_thousand_little_answers_are_one():
    outcome = answered({"content": [{"type": "text", "text": str(n)} for n in range(100_000)]})
    [block] = outcome.content
    assert outcome.truncated
    assert block["text"].startswith("0\n1\n2\n")
    assert len(outcome.full) > LIMIT


def test_no_more_pictures_than_anybody_looks_at():
    picture = {"type": "image", "data": coded(PNG), "mimeType": "image/png"}
    blocks = shown(*[picture] * 60, {"type": "text", "text": "sixty"})
    assert [block["type"] for block in blocks] == ["text", *["image"] * 50, "text"]
    assert blocks[-1]["text"] == "[10 more pictures or documents omitted]"


def test_nothing_is_said_to_be_nothing():
    assert said() == ["(no output)"]
    assert said({"type": "text", "text": " \n"}) == ["(no output)"]


def test_a_long_result_keeps_its_head_and_tail_and_names_the_artifact():
    text = "H" * LIMIT + "T" * LIMIT
    outcome = answered({"content": [{"type": "text", "text": text}]})
    [block] = outcome.content
    assert outcome.truncated
    assert outcome.full == text.encode()
    assert block["text"].count("H") >= LIMIT * 2 // 5
    assert block["text"].endswith("T" * (LIMIT * 3 // 5))
    assert artifact_id(outcome.full) in block["text"]
    assert f"{LIMIT} characters cut" in block["text"]


def test_a_cut_result_keeps_its_pictures():
    picture = {"type": "image", "data": coded(PNG), "mimeType": "image/png"}
    outcome = answered({"content": [{"type": "text", "text": "x" * 99}, picture]}, limit=50)
    assert [block["type"] for block in outcome.content] == ["text", "image"]


def test_a_result_at_the_limit_is_whole():
    assert not answered({"content": [{"type": "text", "text": "x" * 50}]}, limit=50).truncated


def test_mixed_content_is_kept_whole_as_json():
    outcome = answered({"content": [{"type": "hologram", "n": 1}], "structuredContent": {"a": 1}})
    assert outcome.full_media_type == "application/json"
    assert json.loads(outcome.full)["structuredContent"] == {"a": 1}


def test_what_cannot_be_stored_is_replaced():
    assert said({"type": "text", "text": "a\0b\ud800"}) == ["a\ufffdb?"]


def test_an_alias_is_the_servers_name_and_the_tools():
    assert alias("github", "issue_read") == "github__issue_read"
    assert alias("a", "b__c") == "a__b__c"


def test_an_alias_has_only_the_signs_that_the_api_allows():
    assert re.fullmatch("github__issues_read_all_[0-9a-f]{8}", alias("github", "issues.read/all"))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("s", "a.b"), ("s", "a_b")),
        (("s", "a.b"), ("s", "a/b")),
        (("a__b", "c"), ("a", "b__c")),
        (("a_", "b"), ("a", "_b")),
    ],
)
def test_h1_no_two_tools_have_one_alias(one, other):
    assert alias(*one) != alias(*other)


def test_a_long_alias_is_cut_and_told_apart_by_its_digest():
    one, other = alias("s", "t" * 80 + "1"), alias("s", "t" * 80 + "2")
    assert len(one) == 64
    assert one[:55] == other[:55]
    assert one != other


@given(st.text(min_size=1), st.text())
def test_every_alias_is_allowed(server, tool):
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", alias(server, tool))


@given(st.lists(st.dictionaries(st.sampled_from(["type", "text", "data", "mimeType"]), st.text())))
def test_no_content_of_a_stranger_gives_an_empty_or_wordless_block(content):
    blocks = answered({"content": [item for item in content if item.get("type") != "text"]}).content
    assert blocks
    assert all(block["text"].strip() for block in blocks if block["type"] == "text")


def test_a_description_falls_back_to_the_title_and_is_capped():
    assert described("Title", None) == "Title"
    assert described(None, None) == ""
    assert len(described(None, "x" * 5000)) == MAX_DESCRIPTION
