"""A secret in pieces is given away from half of it on, whatever stands between them and whenever they were said."""

from orchestrator.agent.text.pieces import PIECE, given_away

SECRET = "zq8vt1mk9wlr2xybn4pd7hs3"
FORMS = (
    (SECRET, "env:SECRET"),
    ("short8it", "env:SHORT"),
    ("onlylettersandmoreofthem", "env:WORD"),
)
HALF = len(SECRET) // 2


def test_a7_half_of_it_is_too_much_and_less_is_not() -> None:
    assert given_away(FORMS, [f"begin{SECRET[:HALF]}end"]) == "env:SECRET"
    assert given_away(FORMS, [f"begin{SECRET[: HALF - 1]}end"]) is None


def test_a7_pieces_of_several_texts_count_together_in_any_order() -> None:
    pieces = [SECRET[at : at + PIECE] for at in range(0, len(SECRET), PIECE)]

    assert given_away(FORMS, [f"{pieces[2]}and{pieces[0]}"]) == "env:SECRET"
    assert given_away(FORMS, [pieces[1]], [pieces[2]]) == "env:SECRET"


def test_who_adds_nothing_to_what_was_said_before_gives_nothing_away() -> None:
    assert given_away(FORMS, ["hello"], [SECRET]) is None


def test_the_same_piece_twice_is_one_piece() -> None:
    piece = SECRET[:PIECE]

    assert given_away(FORMS, [piece, piece], [piece]) is None


def test_words_and_short_secrets_are_not_looked_for_in_pieces() -> None:
    assert given_away(FORMS, ["onlylettersandmoreofthem", "short8it"]) is None
