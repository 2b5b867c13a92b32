"""Whatever stands in a file, the loader says what is wrong and never raises."""

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.configuration.files import Files
from orchestrator.configuration.load import configured
from tests.support.configurations import SECRETS, SOUND, no_file

WORDS = st.sampled_from(
    [
        "github",
        "scheme",
        "secrets",
        "env:HOOK",
        "on",
        "when",
        "run",
        "with",
        "key",
        "id",
        "type",
        "keys",
        "{{",
        "event.x",
        "}}",
        "any",
        "not",
        "cel",
        "tools",
        "model",
        "bind",
        "writes",
        "inputs",
        "slug",
        "budget",
        "usd",
        "command",
        "url",
        "https://x",
        "triage",
        "issue.x",
        "*",
        "-",
        ":",
        "{",
        "}",
        "[",
        "]",
        "hmac",
        "sha256",
        "header",
        "trust",
    ]
)
YAML_LIKE = st.lists(
    WORDS | st.sampled_from(["\n", "\n  ", "\n    ", " ", ": ", ", ", "- "]), max_size=40
).map("".join)


@settings(max_examples=200)
@given(name=st.sampled_from(sorted(SOUND)), text=YAML_LIKE | st.text())
def test_no_text_makes_the_loader_raise(name, text):
    whole = f"---\n{text}\n---\nGo." if name.endswith(".md") else text
    files = Files(root=Path("conf"), texts={**SOUND, name: whole})

    configured(files, SECRETS, no_file)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=50)
@given(
    name=st.sampled_from(sorted(SOUND)),
    value=st.dictionaries(WORDS, st.dictionaries(WORDS, VALUES)),
)
def test_no_shape_makes_the_loader_raise(name, value):
    text = yaml_of(value.get("model", value) if name.endswith(".md") else value)
    whole = f"---\n{text}\n---\nGo." if name.endswith(".md") else text

    loaded = configured(Files(root=Path("conf"), texts={**SOUND, name: whole}), SECRETS, no_file)

    assert all(mistake.line >= 1 for mistake in loaded.mistakes)


def yaml_of(value):
    match value:
        case dict():
            return "{" + ", ".join(f'"{key}": {yaml_of(item)}' for key, item in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(yaml_of, value)) + "]"
        case str():
            return f'"{value}"'
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case _:
            return repr(value)
