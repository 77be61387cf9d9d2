"""A template that is spoilt on purpose, deployed: the check of the spoilt line has to fail."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from aws.bed import checks
from aws.bed.deployed import TEMPLATE, Deployed
from spigot.practice.pages import Phase

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from aws.bed.emulator import Emulator
    from spigot.practice import PracticeJenkins


class Mutation(NamedTuple):
    """What is spoilt, how, and what has to notice."""

    name: str
    was: str
    becomes: str
    noticed_by: Callable[[Deployed, PracticeJenkins], None]


MEND = """.replaceAll("\\\\'","'")"""

MUTATIONS = (
    Mutation("the template reads another stage variable", "$stageVariables.spigot_state",
             "$stageVariables.state", checks.queues),
    Mutation("the error pattern misses errors", r"(\n|.)+", ".*Error.*", checks.refuses),
    Mutation("there is no error pattern", "            SelectionPattern: (\\n|.)+\n", "",
             checks.refuses),
    Mutation("the default answers 500", "- StatusCode: '200'\n          - StatusCode: '500'\n",
             "- StatusCode: '500'\n          - StatusCode: '200'\n", checks.forwards),
    Mutation("apostrophes are not mended", MEND, "", checks.bears_apostrophes),
    Mutation("from_queue is not escaped",
             f"$util.escapeJavaScript($input.params('from_queue')){MEND}",
             "$input.params('from_queue')", checks.bears_injection),
    Mutation("the body is not in base64", "$util.base64Encode($input.body)", "$input.body",
             checks.forwards),
    Mutation("forms are not taken", "application/x-www-form-urlencoded:", "text/plain:",
             checks.takes_forms),
    Mutation("the stage stays in the path", '.replaceFirst("^/$context.stage/", "/")', "",
             checks.forwards),
    Mutation("hook paths take no POST", "ResourceId: !Ref HooksResource\n      HttpMethod: POST",
             "ResourceId: !Ref HooksResource\n      HttpMethod: PUT", checks.forwards),
    Mutation("the API may not invoke", "FunctionName: !Ref ProcessWebhooks\n      Principal",
             "FunctionName: !Ref SendFromQueue\n      Principal", checks.forwards),
    Mutation("the rule may not invoke", "Principal: events.amazonaws.com",
             "Principal: scheduler.amazonaws.com", checks.ticks),
    Mutation("the rule is not the one allowed", "SourceArn: !GetAtt DrainRule.Arn",
             "SourceArn: !GetAtt Queue.Arn", checks.ticks),
    Mutation("the rule is off while the valve is ON", "!If [Drains, ENABLED, DISABLED]", "DISABLED",
             checks.ticks),
    Mutation("process_webhooks may not send",
             "Resource: !GetAtt Queue.Arn\n              - Sid: Large",
             "Resource: !GetAtt DeadLetterQueue.Arn\n              - Sid: Large", checks.queues),
    Mutation("process_webhooks may not put bodies", "Action: s3:PutObject\n",
             "Action: s3:GetObject\n", checks.carries_large),
    Mutation("send_from_queue may not receive", "sqs:ReceiveMessage", "sqs:GetQueueUrl",
             checks.drains),
    Mutation("send_from_queue may not delete", "sqs:DeleteMessage, ", "", checks.drains),
    Mutation("send_from_queue may not bury", "Resource: !GetAtt DeadLetterQueue.Arn",
             "Resource: !GetAtt Queue.Arn", checks.buries),
    Mutation("send_from_queue may not read bodies", "[s3:GetObject, s3:DeleteObject]",
             "s3:DeleteObject", checks.carries_large),
    Mutation("send_from_queue may not keep attempts", "/attempts/*'", "/others/*'", checks.counts),
    Mutation("send_from_queue may not keep the boot", "/jenkins.json'", "/other.json'",
             checks.remembers),
    Mutation("send_from_queue may not read the valve", "/stages/prod'", "/stages/test'",
             checks.obeys),
    Mutation("send_from_queue may not open the valve", "[apigateway:GET, apigateway:PATCH]",
             "apigateway:GET", checks.reopens),
)  # fmt: skip


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_spoilt_template_is_noticed(
    mutation: Mutation,
    emulator: Emulator,  # noqa: ARG001
    practice: PracticeJenkins,
    dist: Path,
) -> None:
    template = TEMPLATE.read_text("utf-8")
    assert mutation.was in template
    name = f"spoilt-{MUTATIONS.index(mutation)}"
    practice.phase = Phase.READY
    practice.clear()
    # A drain that is refused everything tries again until its time is up.
    spoilt = template.replace(mutation.was, mutation.becomes).replace("Timeout: 300", "Timeout: 40")
    with (
        Deployed(name, practice.url, dist, spoilt) as stack,
        pytest.raises((AssertionError, KeyError)),
    ):
        mutation.noticed_by(stack, practice)
