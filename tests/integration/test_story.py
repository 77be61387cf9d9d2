"""What Spigot is for: Jenkins is away, webhooks come, Jenkins is back and has them all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spigot.payloads import github_payloads
from spigot.practice import Phase
from support.checker import PERFECT, compare
from support.provider import github, send_over

if TYPE_CHECKING:
    from spigot.practice import PracticeJenkins
    from support.gateway import GatewayProcess


def test_what_came_while_jenkins_was_down_arrives_in_order_and_to_the_byte(
    gateway: GatewayProcess, jenkins: PracticeJenkins
) -> None:
    jenkins.phase = Phase.DOWN
    requests = [
        github(example.event, example.body, form=form)
        for example in github_payloads()
        for form in (False, True)
    ]

    sent = send_over(gateway.port, requests, 4)

    assert {(request.answer.status, request.answer.body["status"]) for request in sent} == {
        (200, "stored")
    }
    assert len({request.answer.body["id"] for request in sent}) == len(requests)

    gateway.kill()
    gateway.start()
    status = gateway.until(lambda status: status["jenkins"] == "not ready")
    assert (status["waiting"], status["delivered"]) == (len(requests), 0)
    assert jenkins.hooks == []

    jenkins.boot()
    jenkins.phase = Phase.STARTING
    jenkins.phase = Phase.READY
    status = gateway.until_delivered(len(requests))

    assert status["delivered"] == len(requests)
    assert (status["dead"], status["paths_held"]) == (0, {})
    assert compare(requests, jenkins.hooks) == PERFECT
    # The signatures held at Jenkins; it only does not know some newer events.
    refused = [visit for visit in jenkins.hooks if visit.status != 200]
    assert {visit.status for visit in refused} == {400}
    known = jenkins.taken
    assert len(known) == len(requests) - len(refused) > 600


def test_while_jenkins_is_there_webhooks_flow_straight_on(
    gateway: GatewayProcess, jenkins: PracticeJenkins
) -> None:
    requests = [github(example.event, example.body) for example in github_payloads()[:50]]

    sent = send_over(gateway.port, requests, 4)
    gateway.until_delivered(len(requests))

    assert {request.answer.status for request in sent} == {200}
    assert compare(requests, jenkins.hooks) == PERFECT
    assert gateway.alarms() == []
