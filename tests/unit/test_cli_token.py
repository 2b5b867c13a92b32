"""`doorbell token`: a new token is printed once, its digest kept in tokens.yaml beside what stands there."""

import pytest
from click.testing import CliRunner

from orchestrator.cli.main import main
from orchestrator.console.proving import digest_of
from tests.support.configurations import configuration

ROUND = "# who may ask\n"


@pytest.fixture
def doorbell(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "doorbell.d").mkdir()
    (tmp_path / "doorbell.d" / "sources.yaml").write_text("{}\n")
    (tmp_path / "doorbell.d" / "people.yaml").write_text("alice: {operator: alice}\n")

    def run(*words):
        return CliRunner().invoke(main, ["token", *words])

    return run


def kept(tmp_path):
    return (tmp_path / "doorbell.d" / "tokens.yaml").read_text()


def tokens(tmp_path):
    found = configuration(tokens_yaml=kept(tmp_path), people_yaml="alice: {operator: alice}\n")
    assert found.mistakes == ()
    return found.tokens


def test_a7_a_new_token_is_printed_and_only_its_digest_is_kept(doorbell, tmp_path):
    result = doorbell("new", "laptop")

    made = result.stdout.strip()
    assert made.startswith("dbt_")
    assert made not in kept(tmp_path)
    assert tokens(tmp_path)["laptop"].digest == digest_of(made)
    assert "read" in doorbell("list").stdout


def test_another_one_leaves_what_stands_in_the_file(doorbell, tmp_path):
    path = tmp_path / "doorbell.d" / "tokens.yaml"
    path.write_text(ROUND)
    doorbell("new", "laptop")
    said = ("--scope", "approve", "--person", "alice", "--rule", "triage-*", "--rule", "x: {y")
    doorbell("new", "phone", *said, "--expires", "2027-03-31")

    found = tokens(tmp_path)
    assert kept(tmp_path).startswith(ROUND)
    assert list(found) == ["laptop", "phone"]
    assert (found["phone"].person, str(found["phone"].expires)) == ("alice", "2027-03-31")
    assert found["phone"].rules == ("triage-*", "x: {y")


def test_a_revoked_token_is_gone_and_the_others_stay(doorbell, tmp_path):
    doorbell("new", "laptop")
    doorbell("new", "phone")

    assert doorbell("revoke", "laptop").exit_code == 0
    assert list(tokens(tmp_path)) == ["phone"]
    again = doorbell("revoke", "laptop")
    assert (again.exit_code, "there is no token 'laptop'" in again.stderr) == (2, True)
    assert doorbell("new", "laptop").exit_code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("a b",), "expected a name of letters"),
        (("laptop",), "there is a token 'laptop' already"),
        (("x", "--person", "alise"), "did you mean 'alice'?"),
        (("x", "--scope", "approve"), "a consent is somebody's"),
        (("x", "--expires", "soon"), "expected a day such as"),
    ],
)
def test_what_cant_be_a_token_is_refused_and_nothing_is_kept(doorbell, tmp_path, words, said):
    doorbell("new", "laptop")
    before = kept(tmp_path)
    result = doorbell("new", *words)

    assert (result.exit_code, said in result.stderr) == (2, True)
    assert kept(tmp_path) == before


def test_a_file_with_a_mistake_is_not_added_to(doorbell, tmp_path):
    (tmp_path / "doorbell.d" / "tokens.yaml").write_text("laptop: {\n")

    assert "mend it first" in doorbell("new", "phone").stderr
