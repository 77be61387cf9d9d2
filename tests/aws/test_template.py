"""What the emulator does not enforce is read from the template."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from aws.bed.cloudformation import Template
from aws.bed.deployed import ROOT
from spigot.signatures import NAMES

INFRA = ROOT / "infra"
TEMPLATE = Template(INFRA / "template.yaml")
CODE_BUCKET = Template(INFRA / "code-bucket.yaml")
WEEK = 7 * 24 * 3600


@pytest.mark.parametrize("name", ["template.yaml", "code-bucket.yaml"])
def test_cfn_lint_finds_nothing(name: str) -> None:
    lint = Path(sys.executable).parent / "cfn-lint"
    done = subprocess.run([lint, "--", INFRA / name], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("name", ["template.yaml", "code-bucket.yaml"])
def test_a_template_can_be_sent_as_it_is(name: str) -> None:
    """CloudFormation takes 51,200 bytes without a detour by S3."""
    assert (INFRA / name).stat().st_size < 51_200 - 100


@pytest.mark.parametrize("template", [TEMPLATE, CODE_BUCKET])
def test_every_parameter_and_output_says_what_it_is_for(template: Template) -> None:
    for kind in ("Parameters", "Outputs"):
        for name, one in template.data.get(kind, {}).items():
            assert len(one["Description"]) > 10, name


def test_the_address_for_the_provider_is_the_first_output() -> None:
    assert next(iter(TEMPLATE.data["Outputs"])) == "WebhookUrl"


@pytest.mark.parametrize(
    ("template", "name"), [(TEMPLATE, "CredentialsBucket"), (CODE_BUCKET, "CodeBucket")]
)
def test_buckets_are_private_and_encrypted(template: Template, name: str) -> None:
    bucket = template.properties(name)
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(bucket["PublicAccessBlockConfiguration"]) == 4
    assert bucket["BucketEncryption"]
    assert bucket["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    (statement,) = template.properties(f"{name}Policy")["PolicyDocument"]["Statement"]
    assert statement["Effect"] == "Deny"
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_the_code_bucket_keeps_versions() -> None:
    assert CODE_BUCKET.properties("CodeBucket")["VersioningConfiguration"] == {"Status": "Enabled"}


def test_what_may_hold_webhooks_outlives_the_stack() -> None:
    holding = {**TEMPLATE.of_type("SQS::Queue"), **TEMPLATE.of_type("S3::Bucket")}
    assert set(holding) == {"Queue", "DeadLetterQueue", "CredentialsBucket"}
    for name, one in holding.items():
        assert one["DeletionPolicy"] == "RetainExceptOnCreate", name
        assert one["UpdateReplacePolicy"] == "Retain", name


def test_queues_keep_order_and_forget_as_late_as_sqs_can() -> None:
    for name, one in TEMPLATE.of_type("SQS::Queue").items():
        queue = one["Properties"]
        assert queue["FifoQueue"] is True, name
        assert queue["MessageRetentionPeriod"] == 14 * 24 * 3600, name
        assert queue["SqsManagedSseEnabled"] is True, name
        assert "ContentBasedDeduplication" not in queue, name


def test_a_message_in_the_hand_of_a_drain_is_handed_out_no_second_time() -> None:
    drain = TEMPLATE.properties("SendFromQueue")["Timeout"]
    assert TEMPLATE.properties("Queue")["VisibilityTimeout"] > drain


def test_the_redrive_is_only_a_net() -> None:
    assert TEMPLATE.data["Parameters"]["MaxReceives"]["Default"] >= 100
    redrive = TEMPLATE.properties("Queue")["RedrivePolicy"]
    assert redrive["deadLetterTargetArn"] == {"Fn::GetAtt": ["DeadLetterQueue", "Arn"]}


FOR_NOTICES = {
    ("s3:GetObject", "${CredentialsBucket.Arn}/github-token.json"),
    ("s3:GetObject", "${CredentialsBucket.Arn}/notices/*"),
    ("s3:PutObject", "${CredentialsBucket.Arn}/notices/*"),
    ("s3:DeleteObject", "${CredentialsBucket.Arn}/notices/*"),
    ("s3:ListBucket", "CredentialsBucket.Arn"),
}


def test_process_webhooks_may_queue_and_nothing_else() -> None:
    assert set(TEMPLATE.allowed("ProcessWebhooksRole")) == {
        ("logs:CreateLogStream", "ProcessWebhooksLog.Arn"),
        ("logs:PutLogEvents", "ProcessWebhooksLog.Arn"),
        ("sqs:SendMessage", "Queue.Arn"),
        ("s3:PutObject", "${CredentialsBucket.Arn}/payloads/*"),
        *FOR_NOTICES,
    }


def test_send_from_queue_may_log_and_drain_and_nothing_else() -> None:
    assert set(TEMPLATE.allowed("SendFromQueueRole")) == {
        ("logs:CreateLogStream", "SendFromQueueLog.Arn"),
        ("logs:PutLogEvents", "SendFromQueueLog.Arn"),
    }
    policies = TEMPLATE.properties("SendFromQueueRole")["ManagedPolicyArns"]
    none = {"Ref": "AWS::NoValue"}
    assert policies == [{"Ref": "DrainPolicy"}, {"Fn::If": ["InVpc", {"Ref": "VpcAccess"}, none]}]


def test_who_drains_may_do_nothing_else() -> None:
    bucket = "${CredentialsBucket.Arn}"
    stage = "arn:${AWS::Partition}:apigateway:${AWS::Region}::/restapis/${Api}/stages/prod"
    assert set(TEMPLATE.allowed("DrainPolicy")) == {
        ("sqs:ReceiveMessage", "Queue.Arn"),
        ("sqs:DeleteMessage", "Queue.Arn"),
        ("sqs:ChangeMessageVisibility", "Queue.Arn"),
        ("sqs:SendMessage", "DeadLetterQueue.Arn"),
        ("s3:GetObject", f"{bucket}/payloads/*"),
        ("s3:DeleteObject", f"{bucket}/payloads/*"),
        ("s3:GetObject", f"{bucket}/attempts/*"),
        ("s3:PutObject", f"{bucket}/attempts/*"),
        ("s3:DeleteObject", f"{bucket}/attempts/*"),
        ("s3:GetObject", f"{bucket}/jenkins.json"),
        ("s3:PutObject", f"{bucket}/jenkins.json"),
        ("cloudformation:DescribeStacks", "AWS::StackId"),
        ("apigateway:GET", stage),
        ("apigateway:PATCH", stage),
        *FOR_NOTICES,
    }


@pytest.mark.parametrize(
    ("name", "service", "function", "source"),
    [
        ("ApiMayInvoke", "apigateway", "ProcessWebhooks", None),
        ("RuleMayInvoke", "events", "SendFromQueue", {"Fn::GetAtt": ["DrainRule", "Arn"]}),
    ],
)
def test_only_this_api_and_this_rule_may_invoke(
    name: str, service: str, function: str, source: Any
) -> None:
    permission = TEMPLATE.properties(name)
    assert permission["Principal"] == f"{service}.amazonaws.com"
    assert permission["FunctionName"] == {"Ref": function}
    assert permission["SourceArn"] == source or permission["SourceArn"]["Fn::Sub"].endswith(
        ":${Api}/prod/*"
    )


@pytest.mark.parametrize("name", ["ProcessWebhooks", "SendFromQueue"])
def test_a_lambda_knows_where_everything_is(name: str) -> None:
    function = TEMPLATE.properties(name)
    assert function["Runtime"] == "python3.13"
    assert {"TARGET_URL", "LOG_LEVEL", "QUEUE_URL", "DEAD_LETTER_URL", "CREDENTIALS_BUCKET"} <= set(
        function["Environment"]["Variables"]
    )
    assert function["LoggingConfig"] == {"LogGroup": {"Ref": f"{name}Log"}}
    assert TEMPLATE.properties(f"{name}Log") == {"RetentionInDays": {"Ref": "LogDays"}}


@pytest.mark.parametrize("name", ["ProcessWebhooks", "SendFromQueue"])
def test_notices_are_off_unless_switched_on(name: str) -> None:
    assert TEMPLATE.data["Parameters"]["Notices"]["Default"] == "off"
    variables = TEMPLATE.properties(name)["Environment"]["Variables"]
    off = {"Ref": "AWS::NoValue"}
    assert variables["NOTICES"] == {"Fn::If": ["HasNotices", {"Ref": "Notices"}, off]}
    assert variables["NOTICES_API"] == {"Ref": "NoticesApi"}


def test_jenkins_gets_less_time_than_github_gives_and_queueing_has_time_left() -> None:
    forward = TEMPLATE.data["Parameters"]["ForwardSeconds"]
    assert forward["Default"] < 10
    assert forward["MaxValue"] < TEMPLATE.properties("ProcessWebhooks")["Timeout"] - 5
    assert TEMPLATE.properties("ProcessWebhooks")["Timeout"] < 29


def test_every_method_answers_200_or_500_and_takes_both_content_types() -> None:
    methods = TEMPLATE.of_type("ApiGateway::Method")
    assert set(methods) == {"PostWebhooks", "PostHooks", "GetHooks"}
    event = {"Fn::FindInMap": ["Velocity", "Request", "Event"]}
    for name, one in methods.items():
        method = one["Properties"]
        assert [each["StatusCode"] for each in method["MethodResponses"]] == ["200", "500"], name
        good, bad = method["Integration"]["IntegrationResponses"]
        assert good == {"StatusCode": "200"}, name
        assert (bad["StatusCode"], bad["SelectionPattern"]) == ("500", r"(\n|.)+"), name
        assert method["Integration"]["RequestTemplates"] == {
            "application/json": event,
            "application/x-www-form-urlencoded": event,
        }, name
        assert "method.request.querystring.from_queue" in method["RequestParameters"], name
        assert "method.request.header.X-GitHub-Event" in method["RequestParameters"], name


def test_the_stage_waits_for_every_method() -> None:
    deployment = TEMPLATE.data["Resources"]["ApiDeployment"]
    assert set(deployment["DependsOn"]) == set(TEMPLATE.of_type("ApiGateway::Method"))


@pytest.mark.parametrize(
    ("name", "metric", "of", "limit"),
    [
        ("DeadLettersAlarm", "ApproximateNumberOfMessagesVisible",
         {"Fn::GetAtt": ["DeadLetterQueue", "QueueName"]}, 0),
        ("OldestWaitingAlarm", "ApproximateAgeOfOldestMessage",
         {"Fn::GetAtt": ["Queue", "QueueName"]}, WEEK),
        ("ProcessErrorsAlarm", "Errors", {"Ref": "ProcessWebhooks"}, {"Ref": "ErrorsTolerated"}),
        ("SendErrorsAlarm", "Errors", {"Ref": "SendFromQueue"}, 0),
    ],
)  # fmt: skip
def test_alarms_tell_of_what_needs_a_person(name: str, metric: str, of: Any, limit: Any) -> None:
    alarm = TEMPLATE.properties(name)
    assert alarm["MetricName"] == metric
    assert [one["Value"] for one in alarm["Dimensions"]] == [of]
    assert alarm["Threshold"] == limit
    assert alarm["AlarmActions"] == {
        "Fn::If": ["HasTopic", [{"Ref": "AlarmTopic"}], {"Ref": "AWS::NoValue"}]
    }


def test_a_failed_drain_is_repeated_by_the_next_tick_alone() -> None:
    assert TEMPLATE.properties("SendOnce")["MaximumRetryAttempts"] == 0


def test_only_the_lambda_that_checks_signatures_has_the_secret() -> None:
    secret = TEMPLATE.data["Parameters"]["Secret"]
    assert secret["NoEcho"] is True
    holding = [
        name
        for name, one in TEMPLATE.of_type("Lambda::Function").items()
        if "SPIGOT_SECRET" in one["Properties"]["Environment"]["Variables"]
    ]
    assert holding == ["ProcessWebhooks"]
    assert "Secret" not in str(TEMPLATE.data["Outputs"])


def test_webhooks_may_be_signed_in_every_way_that_spigot_knows() -> None:
    pattern = TEMPLATE.data["Parameters"]["Signature"]["AllowedPattern"]
    assert pattern.split("|")[:-1] == list(NAMES[:-1])
    assert re.fullmatch(pattern, "token:X-Hook-Token")
    assert not re.fullmatch(pattern, "none")


def test_where_spigot_drain_delivers_the_schedule_starts_nothing() -> None:
    condition, _, otherwise = TEMPLATE.properties("DrainRule")["Targets"]["Fn::If"]
    assert (condition, otherwise) == ("Ticks", {"Ref": "AWS::NoValue"})
    assert TEMPLATE.data["Conditions"]["Ticks"] == {
        "Fn::Or": [{"Fn::Not": [{"Condition": "DrainsOutside"}]}, {"Condition": "HasNotices"}]
    }
    variables = TEMPLATE.properties("ProcessWebhooks")["Environment"]["Variables"]
    assert variables["FORWARD_SECONDS"]["Fn::If"][:2] == ["DrainsOutside", "0"]
