"""What the signed body of each GitHub event looks like, held against the header that names the event; pure data.

The names are those that GitHub's own description of its webhooks requires of every body of the event, and that no
recorded delivery lacks, so that a new optional field never turns a genuine delivery away. What tells two events
apart beyond that stands under `never`, and only where one could pass for the other.
https://github.com/github/rest-api-description (x-webhooks)
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a body of one event has, what it never has, and what its action looks like ("" where it has none).

    All of `always` are there; each of `needs` is a choice of places (`alert.rule`), of which one is there, null
    or not. None of `never` is there with a value; of `name?` not even null. `strange` are the names in `never`.
    """

    always: frozenset[str]
    needs: tuple[frozenset[str], ...]
    never: frozenset[str]
    strange: frozenset[str]
    action: re.Pattern[str]

    def fits(self, data: Mapping[str, Any]) -> bool:
        """Whether a body may be one of this event."""
        action = data.get("action") or ""
        # An action that isn't text is refused later on, as what it is.
        acts = not isinstance(action, str) or self.action.fullmatch(action) is not None
        # Nearly all of it is names at the top, and sets of them compare at once.
        names = data.keys()
        has = names >= self.always and all(
            any(_has(data, place) for place in choice) for choice in self.needs
        )
        if names.isdisjoint(self.strange):
            return acts and has
        return acts and has and not any(_there(data, name) for name in self.never)


def _has(data: Mapping[str, Any], place: str) -> bool:
    outer, _, inner = place.partition(".")
    if not inner:
        return outer in data
    inside = data.get(outer)
    return isinstance(inside, dict) and inner in inside


def _there(data: Mapping[str, Any], name: str) -> bool:
    if name.endswith("?"):
        return name.removesuffix("?") in data
    return data.get(name) is not None


_ANY: Final = ".*"
_NONE: Final = ""


def _shape(needs: str, never: str = "", action: str = _ANY) -> Shape:
    choices = [frozenset(choice.split("|")) for choice in needs.split()]
    plain = [choice for choice in choices if len(choice) == 1 and "." not in next(iter(choice))]
    # An action may hold any character: repository_dispatch's is somebody's own text.
    return Shape(
        always=frozenset().union(*plain),
        needs=tuple(choice for choice in choices if choice not in plain),
        never=frozenset(never.split()),
        strange=frozenset(never.replace("?", "").split()),
        action=re.compile(action, re.DOTALL),
    )


_THINGS: Final = (
    "alert blocked_issue build cache_location check_run check_suite client_payload comment commits content_reference "
    "definition deployment deployment_callback_url discussion forkee hook invitation issue key label "
    "marketplace_purchase member membership merge_group milestone new_property_values package pages parent_issue "
    "personal_access_token_request project project_card project_column projects_v2 projects_v2_item "
    "projects_v2_status_update pull_request ref registry_package release repositories_added repository_advisory "
    "repository_ruleset review rule secret_types? security_advisory sha sponsorship starred_at? sub_issue target_type "
    "team thread workflow workflow_job workflow_run zen"
)
"""What other events are about: an event about none of them is known by their absence."""

_PEOPLE: Final = "blocked_user member membership invitation user team"

SHAPES: Final[Mapping[str, Shape]] = {
    "branch_protection_configuration": _shape(
        "repository", f"{_THINGS} {_PEOPLE}", "enabled|disabled"
    ),
    "branch_protection_rule": _shape("rule"),
    "cache_sync": _shape("cache_location ref before after", action=_NONE),
    "check_run": _shape("check_run", "deployment"),
    "check_suite": _shape("check_suite", "check_run"),
    "code_scanning_alert": _shape("alert.rule alert.tool"),
    "commit_comment": _shape("comment", "issue pull_request discussion deployment workflow_run"),
    "content_reference": _shape("content_reference"),
    "create": _shape("ref ref_type master_branch", action=_NONE),
    "custom_property": _shape("definition"),
    "custom_property_values": _shape("new_property_values old_property_values"),
    "delete": _shape("ref ref_type", "master_branch", _NONE),
    "dependabot_alert": _shape("alert.dependency"),
    "deploy_key": _shape("key"),
    "deployment": _shape("deployment", "deployment_status workflow_job deployment_callback_url"),
    "deployment_protection_rule": _shape("deployment_callback_url"),
    "deployment_review": _shape("workflow_run since", "deployment"),
    "deployment_status": _shape("deployment deployment_status"),
    "discussion": _shape("discussion", "comment"),
    "discussion_comment": _shape("discussion comment"),
    "enterprise": _shape(
        "sender", f"installation repository organization {_THINGS} {_PEOPLE}", "(?!revoked).+"
    ),
    "fork": _shape("forkee", action=_NONE),
    "github_app_authorization": _shape(
        "sender", f"repository organization {_THINGS} {_PEOPLE}", "revoked"
    ),
    "gollum": _shape("pages", action=_NONE),
    # Every event of an app names its installation; only these tell all about it.
    "installation": _shape("installation.account", "repositories_added target_type"),
    "installation_repositories": _shape("repositories_added repositories_removed"),
    "installation_target": _shape("account target_type"),
    "issue_comment": _shape("issue comment", "pull_request"),
    "issue_dependencies": _shape("blocked_issue|blocked_issue_id blocking_issue|blocking_issue_id"),
    "issues": _shape("issue", "comment pull_request"),
    "label": _shape("label", "issue pull_request discussion"),
    "marketplace_purchase": _shape("marketplace_purchase"),
    "member": _shape("member", "team"),
    "membership": _shape("member scope team"),
    "merge_group": _shape("merge_group"),
    "meta": _shape("hook hook_id", "zen"),
    "milestone": _shape("milestone", "issue pull_request"),
    "org_block": _shape("blocked_user"),
    "organization": _shape(
        "organization",
        f"repository blocked_user member team {_THINGS}".replace(" invitation", "").replace(
            " membership", ""
        ),
        "(?!revoked).+",
    ),
    "package": _shape("package"),
    "page_build": _shape("build", action=_NONE),
    "personal_access_token_request": _shape("personal_access_token_request"),
    "ping": _shape("zen hook_id"),
    "project": _shape("project"),
    "project_card": _shape("project_card"),
    "project_column": _shape("project_column"),
    "projects_v2": _shape("projects_v2"),
    "projects_v2_item": _shape("projects_v2_item"),
    "projects_v2_status_update": _shape("projects_v2_status_update"),
    "public": _shape("repository", f"changes status {_THINGS} {_PEOPLE}", _NONE),
    "pull_request": _shape("pull_request number", "comment review thread"),
    "pull_request_review": _shape("pull_request review", "comment thread"),
    "pull_request_review_comment": _shape("pull_request comment", "review thread"),
    "pull_request_review_thread": _shape("pull_request thread", "comment review"),
    "push": _shape("ref before after commits", "ref_type", _NONE),
    "registry_package": _shape("registry_package"),
    "release": _shape("release"),
    "repository": _shape(
        "repository", f"{_THINGS} {_PEOPLE}", "(?!started|revoked|enabled|disabled).+"
    ),
    "repository_advisory": _shape("repository_advisory"),
    "repository_dispatch": _shape("branch client_payload"),
    "repository_import": _shape("status repository", f"{_THINGS}", _NONE),
    "repository_ruleset": _shape("repository_ruleset"),
    "repository_vulnerability_alert": _shape("alert.affected_range"),
    "secret_scanning_alert": _shape("alert.secret_type", "location"),
    "secret_scanning_alert_location": _shape("alert location"),
    "secret_scanning_scan": _shape("source started_at completed_at"),
    "security_advisory": _shape("security_advisory", "alert"),
    "security_and_analysis": _shape("changes repository", f"{_THINGS} {_PEOPLE}", _NONE),
    "sponsorship": _shape("sponsorship"),
    "star": _shape("starred_at"),
    "status": _shape("sha state context", action=_NONE),
    "sub_issues": _shape("parent_issue|parent_issue_id|sub_issue|sub_issue_id"),
    "team": _shape("team", "member", ".+"),
    "team_add": _shape("team repository", "member", _NONE),
    "user": _shape("user sender", f"repository organization {_THINGS}", ".+"),
    "watch": _shape("repository", f"{_THINGS} {_PEOPLE}", "started"),
    "workflow_dispatch": _shape("workflow ref inputs", action=_NONE),
    "workflow_job": _shape("workflow_job"),
    "workflow_run": _shape("workflow_run", "deployment since workflow_job"),
}
"""Every event that GitHub documents. The name of one that is newer than this table is taken at its word."""
