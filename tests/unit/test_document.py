import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.configuration.document import read
from orchestrator.errors import Flaw


def said(text, **options):
    return [str(mistake) for mistake in read("f.yaml", text, **options).mistakes]


def test_values_are_json_and_on_is_a_word():
    document = read(
        "f",
        "on: yes\noff: no\nn: 7\nhex: 0x1F\nf: 1.5\nb: true\nz: ~\nday: 2024-01-01\nt: 12:30\n1: x\n",
    )

    assert document.value == {
        "on": "yes",
        "off": "no",
        "n": 7,
        "hex": 31,
        "f": 1.5,
        "b": True,
        "z": None,
        "day": "2024-01-01",
        "t": "12:30",
        "1": "x",
    }


def test_every_place_is_known():
    document = read("f.yaml", "a:\n  b: [1, x]\n", first_line=2)

    assert str(document.mistake(Flaw(("a", "b", 1), "wrong"))) == "f.yaml:3:10: wrong"
    assert str(document.mistake(Flaw(("a", "b"), "key", key=True))) == "f.yaml:3:3: key"


def test_a_place_that_does_not_exist_is_shown_at_the_nearest_key():
    document = read("f.yaml", "x: 1\na:\n  b: 1\n")

    assert str(document.mistake(Flaw(("a", "c", 3), "missing"))) == "f.yaml:2:1: missing"
    assert str(document.mistake(Flaw(("q",), "missing"))) == "f.yaml:1:1: missing"


def test_all_duplicate_keys_are_mistakes_at_once():
    assert said("a: 1\nb: {c: 1, c: 2}\na: 2\na: 3\n") == [
        "f.yaml:2:11: duplicate key 'c', first on line 2",
        "f.yaml:3:1: duplicate key 'a', first on line 1",
        "f.yaml:4:1: duplicate key 'a', first on line 1",
    ]


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("a: [", "1:5"),
        ("a: 1\nb: *nope\n", "2:4"),
        ("a: 1\n\tb: 2\n", "2:1"),
        ("a: !!int abc\n", "1:4"),
        ("a: .inf\n", "1:4"),
        ("a: !!python/object:os.system x\n", "1:4"),
        ("? [1, 2]\n: 3\n", "1:3"),
        ("a: 1\n---\nb: 2\n", "2:1"),
        ("a\0b", "1:1"),
        ("[" * 3000, "1:1"),
        ("%YAML 9.9\n---\na: 1\n", "1:1"),
    ],
)
def test_what_is_no_plain_yaml_is_a_mistake_with_its_place(text, where):
    assert [line.partition(": ")[0] for line in said(text)] == [f"f.yaml:{where}"]


def test_a_loop_of_aliases_and_an_alias_bomb_end():
    bomb = "".join(
        f"{name}: &{name} [{', '.join([f'*{inner}'] * 10)}]\n"
        for name, inner in zip("bcdefgh", "abcdefg", strict=True)
    )

    assert len(said("&a [*a]")) == 1
    assert len(said("a: &a [" + ", ".join(["x"] * 10) + "]\n" + bomb)) == 1


def test_what_holds_a_mistake_is_not_sound():
    document = read("f", "a: {x: 1, x: 2}\nb: 1\n")

    assert not document.sound(("a",))
    assert document.sound(("b",))


@given(
    st.text(alphabet=st.characters(codec=None))
    | st.text(alphabet="ab:- \n\t[]{}*&!?%'\"|>#0,.~", max_size=60)
)
def test_no_text_makes_it_raise(text):
    document = read("f", text)

    assert all(mistake.line >= 1 and mistake.column >= 1 for mistake in document.mistakes)
