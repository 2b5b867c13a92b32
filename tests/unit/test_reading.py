"""A reading holds all it was made of, and the stamps see every way in which files change."""

import os
from pathlib import Path, PurePath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.configuration.files import Files, files_of, kept_files
from orchestrator.configuration.former import former_of
from orchestrator.configuration.reading import read, stamps_of
from orchestrator.secrets import Unread
from orchestrator.stores import read_secret_file

GITHUB = "github:\n  scheme: github\n  secrets: [file:SECRET]\n"
STRIPE = "stripe:\n  scheme: stripe\n  secrets: [env:STRIPE]\n"


def written(directory: Path, text: str = GITHUB) -> Path:
    (directory / "doorbell.d").mkdir(exist_ok=True)
    secret = directory / "secret"
    if not secret.exists():
        secret.write_text("one")
    (directory / "doorbell.d" / "sources.yaml").write_text(text.replace("SECRET", str(secret)))
    return directory / "doorbell.d"


def test_equal_files_mean_the_same_and_a_rotated_secret_does_not(tmp_path: Path) -> None:
    at = written(tmp_path)
    first, same = (read(at, {"A": "1"}, read_secret_file) for _ in range(2))
    (tmp_path / "secret").write_text("two")
    rotated, env = (read(at, {"A": word}, read_secret_file) for word in "12")

    assert first.made_of == same.made_of
    assert first.configuration.digest == rotated.configuration.digest
    assert first.made_of != rotated.made_of != env.made_of
    assert first.beside == {tmp_path / "secret"}
    assert "two" not in repr(rotated)
    (secret,) = rotated.configuration.sources["github"].secrets
    assert secret.reveal() == "two"


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        (None, "can't be read (No such file or directory)"),
        (b"", "is empty"),
        (b"hunter2\xff", "can't be read (it is no text in UTF-8)"),
    ],
)
def test_d1_a_secret_that_cannot_be_had_of_its_file_says_why_and_nothing_of_it(
    tmp_path: Path, kept: bytes | None, said: str
) -> None:
    at, secret = written(tmp_path), tmp_path / "secret"
    secret.unlink()
    if kept is not None:
        secret.write_bytes(kept)

    (warning,) = read(at, {}, read_secret_file).configuration.warnings
    refused = "deliveries of 'github' are refused until it is set"
    assert warning.message == f"file:{secret} {said}: {refused}"


def test_a_directory_in_place_of_a_secret_is_told_as_one(tmp_path: Path) -> None:
    assert read_secret_file(tmp_path) == Unread("Is a directory")
    assert read_secret_file(PurePath("a\0b")) == Unread("embedded null byte")


def test_every_change_of_a_file_is_seen(tmp_path: Path) -> None:
    at, beside = written(tmp_path), [tmp_path / "secret"]
    seen = [stamps_of(at, beside)]

    def changed() -> bool:
        seen.append(stamps_of(at, beside))
        return seen[-1] != seen[-2]

    assert not changed()
    (at / "rules").mkdir()
    assert changed()
    (at / "rules" / "a.yaml").write_text("a: 1")
    assert changed()
    (at / "rules" / "a.yaml").write_text("a: 12")
    assert changed()
    (tmp_path / "other").write_text("a: 34")
    os.utime(tmp_path / "other", ns=(0, (at / "rules" / "a.yaml").stat().st_mtime_ns))
    (tmp_path / "other").replace(at / "rules" / "a.yaml")
    assert changed()
    (tmp_path / "secret").write_text("three")
    assert changed()
    (tmp_path / "secret").unlink()
    assert changed()
    (at / "rules" / "a.yaml").unlink()
    assert changed()


def test_a_swapped_link_is_seen_as_kubernetes_swaps_its_config_maps(tmp_path: Path) -> None:
    at = tmp_path / "mounted"
    for version, text in (("..1", GITHUB), ("..2", STRIPE)):
        (at / version).mkdir(parents=True)
        (at / version / "sources.yaml").write_text(text)
    (at / "..data").symlink_to("..1")
    (at / "sources.yaml").symlink_to("..data/sources.yaml")
    before = stamps_of(at, ())
    assert list(files_of(at).texts.values()) == [GITHUB]

    (at / "..new").symlink_to("..2")
    (at / "..new").replace(at / "..data")

    assert stamps_of(at, ()) != before
    assert list(files_of(at).texts.values()) == [STRIPE]


def test_a_directory_that_is_not_there_stands_still(tmp_path: Path) -> None:
    assert stamps_of(tmp_path / "nowhere", [tmp_path / "nothing"]) == ()


@given(
    texts=st.dictionaries(
        st.from_regex(r"(rules|playbooks)/[a-z]{1,5}\.(yaml|md)", fullmatch=True),
        st.text(st.characters(exclude_categories=["Cs"])),
    )
)
def test_what_is_kept_of_files_hashes_to_their_digest_and_reads_as_them(
    texts: dict[str, str],
) -> None:
    files = Files(root=Path("d"), texts=dict(texts))

    again = kept_files(Path("d"), files.content())

    assert again.digest() == files.digest()
    assert again.texts == {
        name: text.replace("\r\n", "\n").replace("\r", "\n") for name, text in sorted(texts.items())
    }


def test_a_source_that_is_gone_is_known_as_it_last_was() -> None:
    older, newer = (
        Files(root=Path(), texts={"sources.yaml": text}).content()
        for text in (GITHUB + STRIPE, STRIPE.replace("scheme: stripe", "scheme: github"))
    )

    former = former_of([newer, older, older], ["github"])

    assert list(former) == ["stripe"]
    assert former["stripe"].dialect.publishes == former_of([newer], [])["stripe"].dialect.publishes
    assert former_of([newer, older], ["github", "stripe"]) == {}
    assert not former["stripe"].secrets
