"""The actions of each GitHub event, as GitHub documents them; pure data.

An event that stands here with none comes without an action. A `repository_dispatch` names its own, so it isn't here.
https://github.com/github/rest-api-description (x-webhooks), of github.com, its Enterprise Cloud and Server
"""

from collections.abc import Mapping
from typing import Final


def _actions(words: str = "") -> frozenset[str]:
    return frozenset(words.split())


ACTIONS: Final[Mapping[str, frozenset[str]]] = {
    "branch_protection_configuration": _actions("disabled enabled"),
    "branch_protection_rule": _actions("created deleted edited"),
    "cache_sync": _actions(),
    "check_run": _actions("completed created requested_action rerequested"),
    "check_suite": _actions("completed requested rerequested"),
    "code_scanning_alert": _actions(
        "appeared_in_branch closed_by_user created fixed reopened reopened_by_user"
    ),
    "commit_comment": _actions("created"),
    "create": _actions(),
    "custom_property": _actions("created deleted promote_to_enterprise updated"),
    "custom_property_values": _actions("updated"),
    "delete": _actions(),
    "dependabot_alert": _actions(
        "auto_dismissed auto_reopened created dismissed fixed reintroduced reopened"
    ),
    "deploy_key": _actions("created deleted"),
    "deployment": _actions("created"),
    "deployment_protection_rule": _actions("requested"),
    "deployment_review": _actions("approved rejected requested"),
    "deployment_status": _actions("created"),
    "discussion": _actions(
        "answered category_changed closed created deleted edited labeled locked pinned "
        "reopened transferred unanswered unlabeled unlocked unpinned"
    ),
    "discussion_comment": _actions("created deleted edited"),
    "dismissal_request_code_scanning": _actions("created response_submitted"),
    "dismissal_request_secret_scanning": _actions(
        "cancelled completed created response_dismissed response_submitted"
    ),
    "enterprise": _actions("anonymous_access_disabled anonymous_access_enabled"),
    "exemption_request_push_ruleset": _actions(
        "cancelled completed created response_dismissed response_submitted"
    ),
    "exemption_request_secret_scanning": _actions(
        "cancelled completed created response_dismissed response_submitted"
    ),
    "fork": _actions(),
    "github_app_authorization": _actions("revoked"),
    "gollum": _actions(),
    "installation": _actions("created deleted new_permissions_accepted suspend unsuspend"),
    "installation_repositories": _actions("added removed"),
    "installation_target": _actions("renamed"),
    "issue_comment": _actions("created deleted edited"),
    "issue_dependencies": _actions(
        "blocked_by_added blocked_by_removed blocking_added blocking_removed"
    ),
    "issues": _actions(
        "assigned closed deleted demilestoned edited labeled locked milestoned opened pinned "
        "reopened transferred typed unassigned unlabeled unlocked unpinned untyped"
    ),
    "label": _actions("created deleted edited"),
    "marketplace_purchase": _actions(
        "cancelled changed pending_change pending_change_cancelled purchased"
    ),
    "member": _actions("added edited removed"),
    "membership": _actions("added removed"),
    "merge_group": _actions("checks_requested destroyed"),
    "meta": _actions("deleted"),
    "milestone": _actions("closed created deleted edited opened"),
    "org_block": _actions("blocked unblocked"),
    "organization": _actions("deleted member_added member_invited member_removed renamed"),
    "organization_custom_property": _actions("created deleted updated"),
    "organization_custom_property_values": _actions("updated"),
    "package": _actions("published updated"),
    "page_build": _actions(),
    "personal_access_token_request": _actions("approved cancelled created denied"),
    "ping": _actions(),
    "project": _actions("closed created deleted edited reopened"),
    "project_card": _actions("converted created deleted edited moved"),
    "project_column": _actions("created deleted edited moved"),
    "projects_v2": _actions("closed created deleted edited reopened"),
    "projects_v2_item": _actions("archived converted created deleted edited reordered restored"),
    "projects_v2_status_update": _actions("created deleted edited"),
    "public": _actions(),
    "pull_request": _actions(
        "assigned auto_merge_disabled auto_merge_enabled closed converted_to_draft "
        "demilestoned dequeued edited enqueued labeled locked milestoned opened "
        "ready_for_review reopened review_request_removed review_requested synchronize "
        "unassigned unlabeled unlocked"
    ),
    "pull_request_review": _actions("dismissed edited submitted"),
    "pull_request_review_comment": _actions("created deleted edited"),
    "pull_request_review_thread": _actions("resolved unresolved"),
    "push": _actions(),
    "registry_package": _actions("published updated"),
    "release": _actions("created deleted edited prereleased published released unpublished"),
    "repository": _actions(
        "anonymous_access_disabled anonymous_access_enabled archived created deleted edited "
        "privatized publicized renamed transferred unarchived"
    ),
    "repository_advisory": _actions("published reported"),
    "repository_import": _actions(),
    "repository_ruleset": _actions("created deleted edited"),
    "repository_vulnerability_alert": _actions("create dismiss reopen resolve"),
    "secret_scanning_alert": _actions(
        "assigned created publicly_leaked reopened resolved unassigned validated"
    ),
    "secret_scanning_alert_location": _actions("created"),
    "secret_scanning_scan": _actions("completed"),
    "security_advisory": _actions("published updated withdrawn"),
    "security_and_analysis": _actions(),
    "sponsorship": _actions(
        "cancelled created edited pending_cancellation pending_tier_change tier_changed"
    ),
    "star": _actions("created deleted"),
    "status": _actions(),
    "sub_issues": _actions(
        "parent_issue_added parent_issue_removed sub_issue_added sub_issue_removed"
    ),
    "team": _actions("added_to_repository created deleted edited removed_from_repository"),
    "team_add": _actions(),
    "user": _actions("created deleted"),
    "watch": _actions("started"),
    "workflow_dispatch": _actions(),
    "workflow_job": _actions("completed in_progress queued waiting"),
    "workflow_run": _actions("completed in_progress requested"),
}
