"""The event names that Jenkins' webhook plugins know; what others mean to them is theirs to say."""

from __future__ import annotations


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


GITHUB_EVENTS = _names("""
    branch_protection_rule check_run check_suite code_scanning_alert commit_comment create delete
    deploy_key deployment deployment_review deployment_status discussion discussion_comment fork
    github_app_authorization gollum installation installation_repositories issue_comment issues
    label marketplace_purchase member membership merge_group meta milestone organization org_block
    package page_build ping project project_card project_column public pull_request
    pull_request_review pull_request_review_comment pull_request_review_thread push release
    repository_dispatch repository repository_import repository_vulnerability_alert
    security_advisory sponsorship star status team team_add watch workflow_dispatch workflow_job
    workflow_run
""")
"""As the ``GHEvent`` enum in the github plugin: ``dependabot_alert``, ``secret_scanning_alert``,
``projects_v2`` and other newer names are not in it."""

GITLAB_JOB_EVENTS = frozenset(
    f"{kind} Hook" for kind in ("Merge Request", "Push", "Tag Push", "Note", "Pipeline", "System")
)
"""gitlab-plugin's, as ``X-Gitlab-Event`` names them."""

GITLAB_SOURCE_EVENTS = GITLAB_JOB_EVENTS | {
    f"{kind} Hook" for kind in ("Issue", "Job", "Build", "Wiki Page", "Deployment", "Release")
}
"""Those of the GitLab branch source."""

BITBUCKET_CLOUD_EVENTS = _names("""
    repo:push pullrequest:created pullrequest:updated pullrequest:fulfilled pullrequest:rejected
""")
"""Those the Bitbucket branch source takes from Bitbucket Cloud."""

BITBUCKET_SERVER_EVENTS = _names("""
    repo:refs_changed mirror:repo_synchronized pr:opened pr:merged pr:declined pr:deleted
    pr:modified pr:from_ref_updated diagnostics:ping
""")
"""Those it takes from Bitbucket Data Center."""

GITEA_EVENTS = _names("push pull_request repository create delete release")
"""The gitea plugin's."""
