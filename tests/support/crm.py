"""A CRM with an HTTP API, its description and no MCP server: it remembers what it was asked."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.support.asgi import serving

DESCRIPTION = """\
openapi: 3.0.3
info: {title: The CRM, version: 2020-01-01}
servers: [{url: "http://{host}/v1", variables: {host: {default: crm.example}}}]
paths:
  /contacts:
    get:
      operationId: searchContacts
      summary: Search contacts
      parameters:
        - {name: tag, in: query, schema: {type: array, items: {type: string}}}
        - {name: filter, in: query, style: deepObject, schema: {type: object, properties: {age: {type: integer}}}}
        - {name: limit, in: query, required: true, schema: {type: integer, minimum: 0, exclusiveMinimum: true}}
      responses: {200: {description: found}}
    post:
      operationId: createContact
      summary: Create a contact
      parameters:
        - {name: Idempotency-Key, in: header, schema: {type: string}}
      requestBody:
        required: true
        content:
          application/json; charset=utf-8: {schema: {$ref: "#/components/schemas/NewContact"}}
      responses: {201: {description: created}}
  /contacts/{id}:
    parameters: [{$ref: "#/components/parameters/Id"}]
    get: {operationId: contacts/get, responses: {200: {description: found}}}
    put:
      operationId: replaceContact
      requestBody:
        content: {application/json: {schema: {$ref: "#/components/schemas/Contact"}}}
      responses: {200: {description: replaced}}
    delete: {responses: {204: {description: gone}}}
  /deals:
    post:
      operationId: logDeal
      requestBody:
        required: true
        content:
          application/x-www-form-urlencoded:
            schema: {type: object, required: [title], properties: {title: {type: string}, tags: {type: array}}}
      responses: {200: {description: logged}}
  /files:
    post:
      operationId: upload
      requestBody: {content: {multipart/form-data: {schema: {type: object}}}}
      responses: {200: {description: kept}}
  /broken: {post: {operationId: breakIt, responses: {200: {description: never}}}}
  /moved: {get: {operationId: moved, responses: {200: {description: never}}}}
  /picture: {get: {operationId: picture, responses: {200: {description: a picture}}}}
components:
  parameters:
    Id: {name: id, in: path, required: true, description: Whose, schema: {type: string}}
  schemas:
    NewContact:
      allOf:
        - {$ref: "#/components/schemas/Named"}
        - {type: object, properties: {manager: {$ref: "#/components/schemas/Contact"}}}
    Named:
      type: object
      required: [name, id]
      properties:
        name: {type: string}
        id: {type: string, readOnly: true}
        email: {type: string, nullable: true}
    Contact:
      type: object
      required: [id]
      properties:
        id: {type: string}
        manager: {$ref: "#/components/schemas/Contact"}
"""


@dataclass
class Crm:
    token: str | None = None
    url: str = ""
    asked: list = field(default_factory=list)
    contacts: dict = field(default_factory=dict)
    slow: float = 0.0

    async def answer(self, request):
        body = (await request.body()).decode()
        self.asked.append((request.method, request.url.path, request.url.query, body))
        await asyncio.sleep(self.slow)
        if self.token and request.headers.get("authorization") != f"Bearer {self.token}":
            problem = {"type": "about:blank", "title": "Who are you?", "detail": "no such token"}
            return JSONResponse(problem, 401, media_type="application/problem+json")
        return self._answer(request, body)

    def _answer(self, request, body):
        match request.url.path.split("/")[2:]:
            case ["contacts"] if request.method == "POST":
                self.contacts[str(len(self.contacts) + 1)] = body
                return JSONResponse({"id": str(len(self.contacts)), "told": body}, 201)
            case ["contacts"]:
                return JSONResponse({"found": list(self.contacts)})
            case ["contacts", _] if request.method == "DELETE":
                return Response(status_code=204)
            case ["contacts", "nobody"]:
                return JSONResponse({"error": {"message": "there is no nobody"}}, 404)
            case [one]:
                return _odd(one)
            case _:
                return JSONResponse({"path": request.url.path, "body": body})


def _odd(name):
    match name:
        case "broken":
            return Response("Traceback (most recent call last)", 500)
        case "moved":
            return RedirectResponse("/v1/contacts")
        case _:
            return Response(b"\x89PNG", media_type="image/png")


@asynccontextmanager
async def crm(**changes):
    """The CRM until the block ends; its address is `url`."""
    one = Crm(**changes)
    routes = [Route("/{path:path}", one.answer, methods=["GET", "PUT", "POST", "DELETE", "PATCH"])]
    async with serving(Starlette(routes=routes)) as url:
        one.url = f"{url}/v1"
        yield one
