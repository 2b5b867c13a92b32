"""GitHub's published OpenAPI description as a judge of both sides; cut to the few paths that we speak.

`python tests/support/github_openapi.py api.github.com.json` cuts the slice again from `@octokit/openapi`
(`generated/api.github.com.json`); its version and licence stand in the slice's `info`.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from openapi_core import OpenAPI
from openapi_core.testing import MockRequest, MockResponse
from werkzeug.datastructures import ImmutableMultiDict

SLICE = Path(__file__).with_name("github_openapi.json")
OPERATIONS = {
    "/user": ("get",),
    "/search/issues": ("get",),
    "/repos/{owner}/{repo}/issues": ("post",),
    "/repos/{owner}/{repo}/issues/{issue_number}": ("get", "patch"),
    "/repos/{owner}/{repo}/issues/{issue_number}/comments": ("get", "post"),
    "/repos/{owner}/{repo}/issues/{issue_number}/labels": ("post",),
    "/repos/{owner}/{repo}/labels": ("get",),
    "/repos/{owner}/{repo}/deployments": ("post",),
    "/repos/{owner}/{repo}/hooks": ("get", "post"),
    "/repos/{owner}/{repo}/hooks/{hook_id}": ("delete",),
    "/repos/{owner}/{repo}/hooks/{hook_id}/deliveries": ("get",),
    "/repos/{owner}/{repo}/hooks/{hook_id}/deliveries/{delivery_id}": ("get",),
    "/repos/{owner}/{repo}/hooks/{hook_id}/deliveries/{delivery_id}/attempts": ("post",),
    "/orgs/{org}/hooks": ("get", "post"),
    "/orgs/{org}/hooks/{hook_id}": ("delete",),
    "/orgs/{org}/hooks/{hook_id}/deliveries": ("get",),
    "/orgs/{org}/hooks/{hook_id}/deliveries/{delivery_id}": ("get",),
    "/orgs/{org}/hooks/{hook_id}/deliveries/{delivery_id}/attempts": ("post",),
}
_EXAMPLES = frozenset({"example", "examples", "externalDocs", "x-github", "x-octokit"})


def cut(whole: dict[str, Any]) -> dict[str, Any]:
    """The operations we speak and everything they refer to, without the examples."""
    paths = {
        path: _plain({method: whole["paths"][path][method] for method in methods})
        for path, methods in OPERATIONS.items()
    }
    kept: dict[str, Any] = {
        "openapi": whole["openapi"],
        "info": whole["info"],
        "servers": whole["servers"],
        "paths": paths,
        "components": {},
    }
    waiting = list(_references(paths))
    while waiting:
        _, _, group, name = waiting.pop().split("/")
        found = kept["components"].setdefault(group, {})
        if name not in found:
            found[name] = _plain(whole["components"][group][name])
            waiting += _references(found[name])
    return kept


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        node = dict(enumerate(node))
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for child in node.values():
            yield from _references(child)


def _plain(node: Any, *, named: bool = False) -> Any:
    """The node without its examples; below `properties` a key is a field's own name."""
    if isinstance(node, list):
        return [_plain(child) for child in node]
    if not isinstance(node, dict):
        return node
    plain = {
        key: _plain(child, named=key == "properties" and not named)
        for key, child in node.items()
        if named or key not in _EXAMPLES
    }
    # OpenAPI 3.0 wants null among the values of a nullable enum; GitHub answers null and forgets to list it.
    if plain.get("nullable") is True and None not in plain.get("enum", [None]):
        plain["enum"].append(None)
    return plain


class Recorded:
    """An ASGI app that passes everything on and remembers each request with its answer."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.exchanges: list[tuple[MockRequest, MockResponse]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        asked, answered = [], []

        async def hear() -> Any:
            asked.append(await receive())
            return asked[-1]

        async def say(message: Any) -> None:
            answered.append(message)
            if message["type"] == "http.response.body":
                self.exchanges.append((_request(scope, asked), _response(answered)))
            await send(message)

        await self.app(scope, hear, say)


class Judge:
    """GitHub's description, loaded once."""

    def __init__(self) -> None:
        self.api = OpenAPI.from_dict(json.loads(SLICE.read_text(encoding="utf-8")))

    def check_request(self, request: MockRequest) -> None:
        """Raises when GitHub would not know the request."""
        self.api.validate_request(request)

    def check_response(self, request: MockRequest, response: MockResponse) -> None:
        """Raises when GitHub would not answer so."""
        self.api.validate_response(request, response)


def _headers(scope_or_start: Any) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in scope_or_start["headers"]}


def _request(scope: Any, asked: list[Any]) -> MockRequest:
    headers = _headers(scope)
    request = MockRequest(
        "https://api.github.com",
        scope["method"],
        scope["path"],
        headers=headers,
        data=b"".join(message.get("body", b"") for message in asked) or None,
        content_type=headers.get("content-type", ""),
    )
    request.parameters.query = ImmutableMultiDict(parse_qsl(scope["query_string"].decode()))
    return request


def _response(answered: list[Any]) -> MockResponse:
    start, *bodies = answered
    headers = _headers(start)
    return MockResponse(
        b"".join(message["body"] for message in bodies),
        start["status"],
        headers=headers,
        content_type=headers["content-type"],
    )


if __name__ == "__main__":
    with Path(sys.argv[1]).open(encoding="utf-8") as published:
        SLICE.write_text(json.dumps(cut(json.load(published)), indent=1) + "\n", encoding="utf-8")
