"""The list of hostile deliveries, each with the test that holds its answer: none is only written down (D7)."""

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
PROOFS, BODIES, REQUESTS = "test_hostile_proofs", "test_hostile_bodies", "test_hostile_requests"
REFUSED = f"{PROOFS}::test_d1_a_hostile_proof_is_refused_with_its_own_answer"
KEPT = f"{PROOFS}::test_d1_what_only_looks_odd_is_kept"
NEVER_JSON = f"{BODIES}::test_d7_what_is_no_json_is_malformed_for_every_sender"
ODD_JSON = f"{BODIES}::test_d7_json_that_nobody_sends_is_read_or_refused_and_nothing_else"
HUGE = f"{BODIES}::test_d7_a_sound_event_with_monstrous_parts_is_kept_or_malformed"
BROKEN = f"{REQUESTS}::test_d7_a_request_that_could_be_read_two_ways_ends_its_connection"
HELD = f"{REQUESTS}::test_d7_nobody_can_hold_a_connection_by_saying_nothing_more"

LIST = {
    "no header, empty, prefix only": REFUSED,
    "a good signature with junk characters": REFUSED,
    "truncated hex": REFUSED,
    "uppercase hex": KEPT,
    "1,000 signatures in a list": REFUSED,
    "a sha1 downgrade": REFUSED,
    "v0 alone for Stripe": REFUSED,
    "an empty secret configured": "test_secrets::test_what_is_unset_or_empty_is_no_secret",
    "a secret with a line end behind it": (
        "test_secrets::test_a_variable_or_a_file_is_read_without_white_space_around_it"
    ),
    "signed for another source": REFUSED,
    "the old secret after the rotation": "test_signatures::test_d1_while_secrets_rotate_either_one_fits",
    "Svix headers on a standard source": REFUSED,
    "re-serialised JSON": REFUSED,
    "one byte appended": REFUSED,
    "line ends changed": REFUSED,
    "form and JSON swapped": REFUSED,
    "an empty body": NEVER_JSON,
    "a scalar, null or list": ODD_JSON,
    "depth of 100,000": NEVER_JSON,
    "very many keys": ODD_JSON,
    "a very long string": HUGE,
    "a number of 10,000 digits": ODD_JSON,
    "NaN, Infinity, 1e400": NEVER_JSON,
    "a lone surrogate": NEVER_JSON,
    "bidirectional marks and homoglyphs": ODD_JSON,
    "a byte order mark": NEVER_JSON,
    "two documents, trailing bytes": NEVER_JSON,
    "__proto__, __class__, constructor": ODD_JSON,
    "items, keys, get": "test_dialects::test_names_that_mean_something_elsewhere_are_only_data",
    "template syntax in data": ODD_JSON,
    "a prompt injection in a body": "test_prompt::test_a7_nothing_in_an_event_closes_its_block",
    "tool results of somebody's own in a body": "test_prompt::test_a7_nothing_in_an_event_closes_its_block",
    "a body of megabytes before the prompt's budget": (
        "test_prompt::test_a7_a_payload_that_is_too_long_is_cut_in_words_inside_its_block"
    ),
    "metacharacters of globs and expressions in data": "test_operators::test_a_hostile_text_costs_linear_time",
    "sent again after a crash between commit and answer": (
        "test_door_killed::test_d3_what_is_sent_again_after_a_crash_is_named_a_duplicate"
    ),
    "a callback before its wait": "test_dispatcher::test_a5_an_event_that_came_before_its_wait_is_found_exactly_once",
    "a callback for a run that has ended": (
        "test_r2_once::test_r2_a_word_about_another_conversation_is_late_and_does_nothing"
    ),
    "our own comment comes back": "test_dispatcher::test_r4_our_own_comment_is_skipped_on_the_record",
    "a stale clock": REFUSED,
    "a clock of the future": REFUSED,
    "a header clock beside the signed one": REFUSED,
    "the same id and body a hundred times at once": (
        "test_door::test_d3_two_hundred_at_once_are_one_delivery_and_named_duplicates"
    ),
    "a new id over the same body": (
        "test_door::test_d3_the_same_bytes_under_an_unsigned_new_id_are_a_duplicate"
    ),
    "other bytes under a known id": "test_door::test_d3_other_bytes_under_a_known_id_are_quarantined",
    "GET, PUT, HEAD, TRACE": f"{REQUESTS}::test_d5_nothing_but_post_rings",
    "an unsigned greeting": REFUSED,
    "a GET challenge with another word, a script in it": (
        f"{PROOFS}::test_d5_a_get_challenge_is_plain_text_and_only_for_our_word"
    ),
    "OPTIONS where nobody allowed it": (
        f"{PROOFS}::test_d5_an_options_question_is_answered_to_a_listed_origin_only"
    ),
    "a certificate from elsewhere": (
        f"{PROOFS}::test_d7_a_certificate_from_anywhere_else_is_not_looked_at"
    ),
    "a gzip bomb, gzip twice": BROKEN,
    "100 GB announced": BROKEN,
    "a length too short or too long": (
        "test_hostile_anything::"
        "test_d7_whatever_is_said_is_answered_or_cut_off_in_time_and_is_no_fault_of_ours"
    ),
    "slow headers": f"{REQUESTS}::test_d7_a_header_an_hour_does_not_hold_a_connection",
    "a slow body, silence": HELD,
    "5,000 headers": BROKEN,
    "a folded header, a space before the colon, NUL": BROKEN,
    "two lengths, chunked and a length": BROKEN,
    "Host and X-Forwarded-Host where the URL is signed": REFUSED,
    "X-Forwarded-For before an unsigned source": REFUSED,
    "a secret in the query": f"{PROOFS}::test_a7_a_secret_in_the_query_is_in_no_line_of_the_log",
    "a multipart body": NEVER_JSON,
    "a disk that is full, a database that is down": (
        "test_door::test_d5_what_cannot_be_kept_is_deferred_and_never_answered_2xx"
    ),
    "an unknown source beside a wrong secret": (
        f"{PROOFS}::test_d5_an_unknown_source_and_a_wrong_secret_are_answered_in_the_same_shape"
    ),
}


def names_in(stem):
    [file] = TESTS.rglob(f"{stem}.py")
    tree = ast.parse(file.read_text(encoding="utf-8"))
    found = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in tree.body if isinstance(node, found)}


@pytest.mark.parametrize("case", LIST)
def test_d7_every_hostile_delivery_of_the_list_has_its_test(case):
    file, _, name = LIST[case].partition("::")

    assert name in names_in(file)
