"""Which build of which Worker Deployment a worker is, on a cluster that keeps several; it starts no worker.

A run stays on the build it began with until it continues as new; then it goes on with the build that is current. On
the embedded server an upgrade takes the old build away, so runs pinned to it would hang: there is no deployment there.
"""

from typing import Any, Final

from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.worker import (
    ContinueAsNewInput,
    Interceptor,
    WorkerDeploymentConfig,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)
from temporalio.workflow import ContinueAsNewVersioningBehavior
from typing_extensions import override

from orchestrator.errors import OperatorError

LONGEST: Final = 128
"""Characters of a name or a build; the server's canonical form joins them with a dot."""


def deployment_of(name: str | None, build: str, *, embedded: bool) -> WorkerDeploymentConfig | None:
    """The deployment of these settings; None without a name. Raises `OperatorError`."""
    if name is None:
        return None
    if embedded:
        raise OperatorError(
            f"DOORBELL_DEPLOYMENT={name!r} is for workers of a Temporal cluster, and this one is embedded: runs that "
            f"are pinned to a build would hang after an upgrade; unset it, or give --temporal ADDRESS"
        )
    if "." in name or not 0 < len(name) <= LONGEST or not 0 < len(build) <= LONGEST:
        raise OperatorError(
            f"expected in DOORBELL_DEPLOYMENT a name without a dot and in DOORBELL_BUILD a build, each of at most "
            f"{LONGEST} characters; {name!r} and {build!r} came"
        )
    return WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(deployment_name=name, build_id=build),
        use_worker_versioning=True,
        default_versioning_behavior=VersioningBehavior.PINNED,
    )


def make_current(version: WorkerDeploymentVersion) -> str:
    """The command that sends work to this build: before it, a versioned worker gets none."""
    return (
        f"temporal worker deployment set-current-version --deployment-name {version.deployment_name}"
        f" --build-id {version.build_id}"
    )


class Upgrading(Interceptor):
    """Lets every run that continues as new do so on the current build."""

    @override
    def workflow_interceptor_class(
        self, input: WorkflowInterceptorClassInput
    ) -> type[WorkflowInboundInterceptor]:
        return _Inbound


class _Inbound(WorkflowInboundInterceptor):
    @override
    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        super().init(_Outbound(outbound))


class _Outbound(WorkflowOutboundInterceptor):
    @override
    def continue_as_new(self, input: ContinueAsNewInput) -> Any:
        input.initial_versioning_behavior = ContinueAsNewVersioningBehavior.AUTO_UPGRADE
        self.next.continue_as_new(input)
