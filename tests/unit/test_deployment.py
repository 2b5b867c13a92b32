"""Worker Deployments are for clusters: a name without one is refused, and so is what no server would take."""

import pytest
from temporalio.common import VersioningBehavior

from orchestrator.deployment import deployment_of, make_current
from orchestrator.errors import OperatorError


def test_without_a_name_builds_are_not_told_apart():
    assert deployment_of(None, "1.0", embedded=True) is None


def test_a_run_is_pinned_to_the_build_it_began_with():
    made = deployment_of("doorbell", "1.0", embedded=False)

    assert made.use_worker_versioning
    assert made.default_versioning_behavior is VersioningBehavior.PINNED
    assert make_current(made.version).endswith("--deployment-name doorbell --build-id 1.0")


@pytest.mark.parametrize(
    ("name", "build", "embedded", "words"),
    [
        ("doorbell", "1.0", True, "this one is embedded"),
        ("door.bell", "1.0", False, "without a dot"),
        ("", "1.0", False, "expected in DOORBELL_DEPLOYMENT"),
        ("doorbell", "x" * 129, False, "at most 128 characters"),
    ],
)
def test_what_can_not_work_is_refused_with_what_is_expected(name, build, embedded, words):
    with pytest.raises(OperatorError, match=words):
        deployment_of(name, build, embedded=embedded)
