"""An OpenAPI description as tools, and a call as a request: every law of the wire without a wire."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from mcp_servers.openapi.answers import answer, unanswered
from mcp_servers.openapi.document import Unusable, address, document
from mcp_servers.openapi.operations import operations
from mcp_servers.openapi.requests import Unsendable, request
from mcp_servers.openapi.server import tool
from orchestrator.agent.hands.schemas import repair
from orchestrator.configuration import openapi as configured
from tests.support.crm import DESCRIPTION

ROOT = document(DESCRIPTION)
KEY = "Idempotency-Key"


def one(name, root=ROOT):
    (found,) = operations(root, [name]).values()
    return found


def sent(name, /, **given_):
    return request(one(name), given_)


def described(operation, **more):
    return {
        "openapi": "3.1.0",
        "paths": {"/a/{id}": {"post": {"operationId": "a", **operation}}},
        **more,
    }


def body_of(schema, media="application/json", **more):
    return {"requestBody": {"content": {media: {"schema": schema}}, **more}}


def test_h3_only_the_operations_that_are_named_are_tools():
    assert list(operations(ROOT, ["searchContacts", "contacts/get"])) == [
        "searchContacts",
        "contacts_get",
    ]


def test_h3_an_operation_without_an_id_is_named_by_method_and_path():
    assert one("DELETE /contacts/{id}").tool == "DELETE_contacts_id"


def test_h3_an_unknown_operation_is_refused_with_the_nearest():
    with pytest.raises(Unusable, match="'createContakt'; did you mean 'createContact'"):
        operations(ROOT, ["createContakt"])


@pytest.mark.parametrize(
    ("name", "hints"),
    [
        ("searchContacts", (True, False, True)),
        ("createContact", (False, True, False)),
        ("replaceContact", (False, True, True)),
        ("DELETE /contacts/{id}", (False, True, True)),
    ],
)
def test_h3_annotations_are_what_http_promises(name, hints):
    told = tool(one(name)).annotations

    assert (told.read_only_hint, told.destructive_hint, told.idempotent_hint) == hints


def test_h3_fields_of_the_body_are_arguments_and_references_stand_alone():
    schema = one("createContact").schema

    assert list(schema["properties"]) == [KEY, "name", "email", "manager"]
    assert schema["required"] == ["name"]
    assert schema["properties"]["email"] == {"type": ["string", "null"]}
    assert schema["properties"]["manager"] == {"$ref": "#/$defs/Contact"}
    assert schema["$defs"]["Contact"]["properties"]["manager"] == {"$ref": "#/$defs/Contact"}
    Draft202012Validator.check_schema(schema)
    assert repair(schema)["properties"].keys() == schema["properties"].keys()


def test_h3_bounds_of_openapi_3_0_become_numbers():
    limit = one("searchContacts").schema["properties"]["limit"]

    assert limit == {"type": "integer", "exclusiveMinimum": 0}


def test_h3_a_body_whose_fields_collide_is_one_argument():
    clash = described(
        {
            "parameters": [
                {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
            ],
            **body_of({"type": "object", "properties": {"id": {"type": "integer"}}}),
        }
    )
    operation = one("a", clash)

    assert list(operation.arguments) == ["id", "body"]
    assert request(operation, {"id": "x", "body": {"id": 7}}).content == b'{"id":7}'


def test_h3_names_that_no_argument_may_have_are_written_otherwise_and_sent_as_they_are():
    names = [{"name": "page[size]", "in": "query", "schema": {"type": "integer"}}]
    root = described(
        {"parameters": names, **body_of({"type": "object", "properties": {"a b": {}}})}
    )
    operation = one("a", root)

    assert list(operation.arguments) == ["page_size", "a_b"]
    made = request(operation, {"page_size": 5, "a_b": 1})
    assert (made.query, made.content) == ("page%5Bsize%5D=5", b'{"a b":1}')


def test_h3_fields_that_would_be_called_alike_are_one_argument():
    root = described(body_of({"type": "object", "properties": {"a b": {}, "a/b": {}}}))

    assert list(one("a", root).arguments) == ["body"]


def test_h3_a_body_of_alternatives_is_one_argument():
    root = described(body_of({"oneOf": [{"type": "string"}, {"type": "integer"}]}, required=True))

    assert one("a", root).schema["required"] == ["body"]


@pytest.mark.parametrize(
    ("operation", "said"),
    [
        (body_of({"type": "object"}, media="multipart/form-data"), "JSON, a form or plain text"),
        ({"parameters": [{"name": "c", "in": "cookie", "required": True}]}, "goes into a cookie"),
        (body_of({"$ref": "other.yaml#/X"}), "bundle the files"),
        (body_of({"$ref": "#/components/schemas/None"}), "leads nowhere"),
        (body_of({"$ref": "#/x-a"}), "circle"),
    ],
)
def test_h3_what_can_not_be_served_is_refused_in_words(operation, said):
    root = described(operation, **{"x-a": {"$ref": "#/x-b"}, "x-b": {"$ref": "#/x-a"}})

    with pytest.raises(Unusable, match=said):
        operations(root, ["a"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("swagger: '2.0'", "swagger: 2.0"),
        ("[]", "no mapping"),
        ("a: [", "expected YAML or JSON"),
        ("{", "expected YAML or JSON"),
        ("a: 1", "openapi: nothing"),
    ],
)
def test_h3_another_text_is_refused_in_words(text, said):
    with pytest.raises(Unusable, match=said.replace("[", r"\[")):
        document(text)


def test_h3_the_address_is_the_first_whole_one_with_its_variables():
    assert address(ROOT) == "http://crm.example/v1"
    assert address({"servers": [{"url": "/v1"}]}) is None


def test_h3_a_query_is_written_as_its_style_says():
    made = sent("searchContacts", tag=["a b", "c&d"], filter={"age": 7}, limit=5)

    assert made.query == "tag=a%20b&tag=c%26d&filter%5Bage%5D=7&limit=5"


def test_h3_a_header_an_object_and_a_form_reach_their_places():
    made = sent("createContact", name="Ü", **{KEY: "k1"})
    form = sent("logDeal", title="a b", tags=["x", "y"])

    assert (made.headers, json.loads(made.content)) == (
        {KEY: "k1", "Content-Type": "application/json"},
        {"name": "Ü"},
    )
    assert form.content == b"title=a+b&tags=x&tags=y"


@given(st.text())
def test_h3_no_value_leaves_its_segment_of_the_path(text):
    try:
        made = sent("contacts/get", id=text)
    except Unsendable:
        assert not text.strip(".")
        return
    assert made.path.startswith("/contacts/")
    assert set("/?#\\ \n") & set(made.path.removeprefix("/contacts/")) == set()
    assert made.path.count("/") == 2


def test_h3_what_utf_8_can_not_hold_is_refused_in_words():
    with pytest.raises(Unsendable, match="UTF-8"):
        sent("createContact", name="\ud800")


@given(st.text())
def test_h3_no_value_adds_a_header(text):
    try:
        made = sent("createContact", name="a", **{KEY: text})
    except Unsendable:
        return
    assert made.headers[KEY].isprintable()


@pytest.mark.parametrize(
    ("status", "headers", "body", "said"),
    [
        (
            422,
            {"content-type": "application/problem+json"},
            b'{"title":"No","detail":"bad name","errors":[{"field":"name"}]}',
            'the API answered 422 (No; bad name; [{"field":"name"}]): nothing was changed; mend the arguments',
        ),
        (404, {}, b'{"error":{"message":"gone"}}', "(gone): there is no such thing; check the ids"),
        (429, {"retry-after": "9"}, b"", "nothing was changed; try again in 9 seconds"),
        (302, {}, b"", "(Found): it is elsewhere now"),
        (503, {}, b"<html>", "(Service Unavailable): whether it happened is unknown; look before"),
        (599, {}, b"", "(no reason given)"),
    ],
)
def test_h3_a_refusal_is_told_in_words(status, headers, body, said):
    result = answer(status, headers, body, "POST")

    assert result.is_error
    assert said in result.content[0].text


def test_h3_what_is_unknown_after_a_failure_depends_on_the_method():
    assert "nothing was changed" in unanswered("x", "GET", sent=True).content[0].text
    assert "the same call may be made" in unanswered("x", "PUT", sent=True).content[0].text
    assert "look before you repeat" in unanswered("x", "POST", sent=True).content[0].text
    assert "nothing was sent" in unanswered("x", "POST", sent=False).content[0].text


def test_h3_answers_keep_what_they_are():
    told = {"content-type": "application/json"}

    assert answer(200, told, b'{ "a": 1 }', "GET").content[0].text == '{"a":1}'
    assert (
        answer(204, {}, b"", "GET").content[0].text == "done: the API answered 204 without a body"
    )
    assert (
        answer(200, {"content-type": "image/png"}, b"\x89", "GET").content[0].mime_type
        == "image/png"
    )
    assert answer(200, {}, b"\xff\xfe", "GET").content[0].text == "2 bytes of unknown content"


def test_h3_the_configuration_and_the_server_name_a_tool_alike():
    found = configured.described(DESCRIPTION)
    kept = [name for name in found.methods if name != "upload"]

    assert [configured.tool_name(name) for name in kept] == list(operations(ROOT, kept))
