"""JSON Schemas of our files, for editors; made from the shapes themselves, so that they can't say anything else.

They know where each key may stand and how its value is written; whether the parts fit together, `check` knows.
"""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import PydanticOmit, core_schema
from typing_extensions import override

from orchestrator.configuration.people import PersonShape
from orchestrator.configuration.playbook_shapes import PlaybookShape
from orchestrator.configuration.quantities import Dollars, Duration
from orchestrator.configuration.server_shapes import ServerShape
from orchestrator.configuration.shapes import (
    HmacShape,
    KeyShape,
    LimitsFileShape,
    RuleShape,
    SourceShape,
    TokenShape,
)
from orchestrator.configuration.shaping import NAME
from orchestrator.configuration.tokens import ApiTokenShape
from orchestrator.rules.load import MAX_NESTING
from orchestrator.rules.rule import Operator
from orchestrator.sources.presets import PRESETS

DIALECT: Final = "http://json-schema.org/draft-07/schema#"
"""What editors understand best."""

FILES: Final[Mapping[str, type[BaseModel]]] = {
    "sources": SourceShape,
    "servers": ServerShape,
    "rules": RuleShape,
    "playbook": PlaybookShape,
    "limits": LimitsFileShape,
    "people": PersonShape,
    "tokens": ApiTokenShape,
}
"""The kinds of files, and the shape of each entry, or of the whole where nothing has a name."""

WHOLE: Final = frozenset({"playbook", "limits"})
SCALAR: Final[JsonSchemaValue] = {"type": ["string", "number", "boolean", "null"]}


def schema_of(kind: str) -> dict[str, Any]:
    """The schema of one kind of file. Raises `KeyError`."""
    entry = FILES[kind].model_json_schema(
        schema_generator=_Schemas, ref_template="#/definitions/{model}"
    )
    definitions = entry.pop("$defs", {})
    _spell(kind, entry, definitions)
    if kind in WHOLE:
        return {"$schema": DIALECT, "definitions": definitions, **entry}
    return {
        "$schema": DIALECT,
        "title": f"{kind}, by name",
        "type": "object",
        "propertyNames": {"pattern": f"^(?:{NAME.pattern})$"},
        "additionalProperties": {"$ref": "#/definitions/entry"},
        "definitions": {**definitions, "entry": entry},
    }


class _Schemas(GenerateJsonSchema):
    """Values as they are written in our files, before their validators make something of them."""

    @override
    def timedelta_schema(self, schema: core_schema.TimedeltaSchema) -> JsonSchemaValue:
        return _written(Duration)

    @override
    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        return _written(Dollars)

    @override
    def is_instance_schema(self, schema: core_schema.IsInstanceSchema) -> JsonSchemaValue:
        return {"type": "string"}

    @override
    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        # A default is a value of ours, which nobody could write like that; what the key means is said elsewhere.
        return self.generate_inner(schema["schema"])

    @override
    def function_before_schema(
        self, schema: core_schema.BeforeValidatorFunctionSchema
    ) -> JsonSchemaValue:
        made = super().function_before_schema(schema)
        instead = _of_a_text(schema)
        if made.get("type") == "array" and isinstance(instead, list):
            return {"anyOf": [made["items"], made]}
        return {"anyOf": [{"type": "string"}, made]} if isinstance(instead, dict) else made

    @override
    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        # A key with nothing behind it means nothing: an editor had better say that something is missing.
        return self.generate_inner(schema["schema"])


def _of_a_text(schema: core_schema.BeforeValidatorFunctionSchema) -> Any:
    """What the validator makes of a single text, perhaps a list or a mapping: it is asked itself."""
    validate: Any = schema["function"]["function"]
    try:
        return validate("x")
    except (TypeError, ValueError, PydanticOmit):
        return None


def _written(annotation: Any) -> JsonSchemaValue:
    made = TypeAdapter(annotation).json_schema()
    made.pop("$defs", None)
    return made


def _spell(kind: str, entry: dict[str, Any], definitions: dict[str, Any]) -> None:
    """Put in what shapes leave to readers of their own: schemes and conditions."""
    match kind:
        case "sources":
            definitions |= {f"scheme_{name}": one for name, one in _schemes().items()}
            entry["properties"]["scheme"] = {
                "anyOf": [
                    {"enum": list(PRESETS)},
                    *({"$ref": f"#/definitions/scheme_{name}"} for name in _schemes()),
                ]
            }
            entry["oneOf"] = [{"required": ["scheme"]}, {"required": ["mcp"]}]
        case "rules":
            definitions |= _conditions()
            entry["properties"]["when"] = {"$ref": "#/definitions/condition"}
            # Only a backstop may be without: it takes what is left.
            last = {"required": ["backstop"], "properties": {"backstop": {"const": True}}}
            entry["anyOf"] = [{"required": ["on"]}, last]
        case _:
            pass


def _schemes() -> dict[str, JsonSchemaValue]:
    shapes: dict[str, type[BaseModel]] = {
        "hmac": HmacShape,
        "key": KeyShape,
        "token": TokenShape,
    }
    return {
        name: shape.model_json_schema(schema_generator=_Schemas) for name, shape in shapes.items()
    }


def _conditions() -> dict[str, JsonSchemaValue]:
    several = {"type": "array", "minItems": 1, "items": {"$ref": "#/definitions/condition"}}
    operators: dict[str, JsonSchemaValue] = {str(operator): {} for operator in Operator}
    return {
        "condition": {
            "type": "object",
            "description": f"paths into the payload, all of which must hold; at most {MAX_NESTING} levels",
            "properties": {
                "any": several,
                "all": several,
                "not": {"anyOf": [{"$ref": "#/definitions/condition"}, several]},
                "cel": {"type": "string"},
            },
            "additionalProperties": {"$ref": "#/definitions/leaf"},
        },
        "leaf": {
            "anyOf": [
                SCALAR,
                {"type": "array", "minItems": 1, "items": SCALAR},
                {
                    "type": "object",
                    "minProperties": 1,
                    "properties": operators,
                    "additionalProperties": False,
                },
            ]
        },
    }
