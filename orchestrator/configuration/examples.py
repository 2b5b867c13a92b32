"""`tests:` of a rule as examples; it knows where a fixture may stand, and opens none."""

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Final

from orchestrator.configuration.document import Document, Place
from orchestrator.configuration.shapes import ExampleShape, ExpectShape
from orchestrator.errors import Flaw
from orchestrator.rules.rule import Example, Expected

SUFFIX: Final = ".http"
OF_A_MATCH: Final = ("key", "action", "with")


def examples_of(
    shapes: Sequence[ExampleShape], at: Place, document: Document
) -> tuple[Example, ...]:
    """The examples that sound shapes mean, each with its place in the file."""
    return tuple(_example(shape, (*at, index), document) for index, shape in enumerate(shapes))


def example_flaws(shapes: Sequence[ExampleShape], at: Place) -> Iterator[Flaw]:
    """Everything wrong with them that the shape doesn't say."""
    for index, shape in enumerate(shapes):
        yield from _path_flaws(shape.event, (*at, index, "event"))
        yield from _expect_flaws(shape.expect, (*at, index, "expect"))


def _example(shape: ExampleShape, at: Place, document: Document) -> Example:
    line, column = document.values.get(at, (1, 1))
    expect = shape.expect
    return Example(
        event=shape.event,
        expected=Expected(
            match=expect.match,
            key=expect.key,
            action=expect.action,
            with_=expect.with_,
            failed=expect.failed,
        ),
        line=line,
        column=column,
    )


def _path_flaws(path: str, at: Place) -> Iterator[Flaw]:
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or "\\" in path or "\0" in path:
        said = "expected a path within the configuration directory, such as fixtures/opened.http"
        yield Flaw(at, f"{said}, got {path!r}")
    elif pure.suffix != SUFFIX:
        said = "expected a raw request, as `doorbell events show ID --raw` prints it, in a file"
        yield Flaw(at, f"{said} *{SUFFIX}, got {path!r}")


def _expect_flaws(expect: ExpectShape, at: Place) -> Iterator[Flaw]:
    given = {"with" if key == "with_" else key for key in expect.model_fields_set}
    if expect.match and "failed" in given:
        yield Flaw((*at, "failed"), "what matches fails nowhere: remove it", key=True)
    for key in OF_A_MATCH:
        if not expect.match and key in given:
            said = f"{key!r} is of an event that matches, and none is expected to: remove it"
            yield Flaw((*at, key), said, key=True)
