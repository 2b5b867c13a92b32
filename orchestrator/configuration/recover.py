"""`recover:` of a source: where at GitHub its webhook lives, and with which token to ask; it asks nothing itself."""

import re
from collections.abc import Iterator
from typing import Final

from orchestrator.configuration.document import Place
from orchestrator.configuration.shapes import RecoverShape, SourceShape
from orchestrator.errors import Flaw, OperatorError
from orchestrator.secrets import Secret
from orchestrator.signatures.github import GithubScheme
from orchestrator.signatures.scheme import Scheme
from orchestrator.sources.source import Recover

REPO: Final = re.compile(r"[A-Za-z0-9_.-]{1,100}/[A-Za-z0-9_.-]{1,100}")
ORG: Final = re.compile(r"[A-Za-z0-9_-]{1,100}")
DOTS: Final = frozenset({".", ".."})


def place_of(repo: str | None, org: str | None) -> str:
    """`/repos/OWNER/NAME` or `/orgs/NAME`. Raises `OperatorError` where it is neither, or both."""
    if (repo is None) == (org is None):
        raise OperatorError("expected either a repo as OWNER/NAME or an org as NAME")
    if repo is not None and REPO.fullmatch(repo) and not DOTS & set(repo.split("/")):
        return f"/repos/{repo}"
    if org is not None and ORG.fullmatch(org):
        return f"/orgs/{org}"
    raise OperatorError(f"expected a repo as OWNER/NAME or an org as NAME, got {repo or org!r}")


def recover_wrong(shape: SourceShape, scheme: Scheme, at: Place) -> Iterator[Flaw]:
    """What is said about recovery and doesn't fit together."""
    if shape.recover is None:
        if "catch_up" in shape.model_fields_set:
            said = "`catch_up` limits what `recover` brings in: add `recover`, or remove it"
            yield Flaw((*at, "catch_up"), said, key=True)
        return
    if not isinstance(scheme, GithubScheme):
        said = f"only 'github' lists what it delivered, {scheme.name!r} doesn't: remove `recover`"
        yield Flaw((*at, "recover"), said, key=True)
    try:
        place_of(shape.recover.repo, shape.recover.org)
    except OperatorError as error:
        yield Flaw((*at, "recover"), str(error), key=True)


def recover_of(shape: RecoverShape, token: Secret | None) -> Recover | None:
    """The recovery that a sound shape asks for; None while its token is unset."""
    if token is None:
        return None
    return Recover(
        api=shape.api.rstrip("/"),
        place=place_of(shape.repo, shape.org),
        token=token,
        every=shape.every,
        hook=shape.hook,
    )
