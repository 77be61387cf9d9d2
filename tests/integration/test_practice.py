"""A practice Jenkins behaves on the socket as Jenkins does in each phase of its life."""

from __future__ import annotations

import json
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from spigot.errors import SpigotError
from spigot.practice import Phase, PracticeJenkins
from spigot.practice.plugins import CREDENTIAL, KNOWN
from support.practice import HOOK, PUSH, push, send

if TYPE_CHECKING:
    from collections.abc import Iterator

AUTHORIZED = {"Authorization": CREDENTIAL.decode()}
PROBES = ["/login", "/whoAmI/api/json", "/health/", "/tcpSlaveAgentListener/", "/api/json"]


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def gitlab(jenkins: PracticeJenkins) -> int:
    headers = {"Content-Type": "application/json", "X-Gitlab-Event": "Push Hook"}
    return send(jenkins, "POST", "/gitlab-webhook/post", headers, b"{}").status


@pytest.fixture
def jenkins() -> Iterator[PracticeJenkins]:
    with PracticeJenkins() as running:
        yield running


class TestPhases:
    def test_down_refuses_and_comes_back_on_the_same_port(self, jenkins: PracticeJenkins) -> None:
        port = jenkins.port
        for _ in range(3):
            jenkins.phase = Phase.DOWN
            with pytest.raises(ConnectionRefusedError):
                push(jenkins)
            jenkins.phase = Phase.READY
            assert push(jenkins) == 200
        assert jenkins.port == port

    def test_it_can_begin_down(self) -> None:
        with PracticeJenkins(phase=Phase.DOWN) as jenkins:
            with pytest.raises(ConnectionRefusedError):
                push(jenkins)
            jenkins.phase = Phase.STARTING
            assert push(jenkins) == 503

    def test_going_down_resets_open_connections(self, jenkins: PracticeJenkins) -> None:
        with socket.create_connection(("127.0.0.1", jenkins.port)) as client:
            client.sendall(b"POST /github-webhook/ HTTP/1.1\r\nContent-Length: 9\r\n\r\nhalf")
            assert push(jenkins) == 200  # so the first connection is surely accepted
            jenkins.phase = Phase.DOWN
            with pytest.raises(ConnectionResetError):
                client.recv(1)
        assert jenkins.counts.requests == 1

    @pytest.mark.parametrize("path", [HOOK, "/unknown", *PROBES])
    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_starting_is_503_everywhere(
        self, jenkins: PracticeJenkins, method: str, path: str
    ) -> None:
        jenkins.phase = Phase.STARTING
        got = send(jenkins, method, path, PUSH, b"{}")
        assert got.status == 503
        assert got.headers["Cache-Control"] == "no-cache,no-store,must-revalidate"
        assert got.headers["Expires"] == "0"
        assert got.headers.get_content_type() == "text/html"
        assert "X-Jenkins" not in got.headers
        assert "Retry-After" not in got.headers

    def test_early_boot_fails_posts_in_two_ways(self, jenkins: PracticeJenkins) -> None:
        jenkins.phase = Phase.EARLY_BOOT
        posts = [send(jenkins, "POST", HOOK, PUSH, b"{}") for _ in range(4)]
        assert [got.status for got in posts] == [500, 403, 500, 403]
        assert b"No valid crumb was included in the request" in posts[1].body
        assert send(jenkins, "GET", "/login").status == 503
        assert jenkins.counts.taken == 0

    def test_quiet_down_takes_webhooks_and_tells_who_may_know(
        self, jenkins: PracticeJenkins
    ) -> None:
        path = "/api/json?tree=quietingDown,quietDownReason"
        assert json.loads(send(jenkins, "GET", path, AUTHORIZED).body)["quietingDown"] is False
        jenkins.phase = Phase.QUIET_DOWN
        assert push(jenkins) == 200
        assert json.loads(send(jenkins, "GET", path, AUTHORIZED).body)["quietingDown"] is True
        assert send(jenkins, "GET", path).status == 403
        assert send(jenkins, "GET", path, {"Authorization": "Basic eDp5"}).status == 401

    @pytest.mark.parametrize(
        ("phase", "status"),
        [
            (Phase.PROXY_502, 502),
            (Phase.PROXY_503, 503),
            (Phase.PROXY_504, 504),
            (Phase.MAINTENANCE, 200),
        ],
    )
    @pytest.mark.parametrize("path", [HOOK, "/login"])
    def test_a_proxy_answers_for_jenkins(
        self, jenkins: PracticeJenkins, phase: Phase, status: int, path: str
    ) -> None:
        jenkins.phase = phase
        got = send(jenkins, "POST", path, PUSH, b"{}")
        assert got.status == status
        assert got.headers.get_content_type() == "text/html"
        assert "X-Jenkins" not in got.headers
        assert jenkins.taken == []

    def test_hanging_reads_and_never_answers(self, jenkins: PracticeJenkins) -> None:
        jenkins.phase = Phase.HANGING
        with pytest.raises(TimeoutError):
            send(jenkins, "POST", HOOK, PUSH, b"{}", timeout=0.05)
        jenkins.phase = Phase.READY
        assert push(jenkins) == 200
        assert [visit.status for visit in jenkins.visits] == [0, 200]

    @pytest.mark.parametrize("path", [HOOK, "/login", "/whoAmI/api/json", "/unknown"])
    def test_single_sign_on_redirects_pages(self, jenkins: PracticeJenkins, path: str) -> None:
        jenkins.phase = Phase.SINGLE_SIGN_ON
        got = send(jenkins, "GET", path)
        assert got.status == 302
        assert got.headers["Location"].startswith("https://sso.example/")
        assert "X-Jenkins" not in got.headers

    def test_single_sign_on_lets_webhooks_through(self, jenkins: PracticeJenkins) -> None:
        jenkins.phase = Phase.SINGLE_SIGN_ON
        assert push(jenkins) == 200
        assert jenkins.counts.taken == 1


class TestPages:
    @pytest.mark.parametrize("path", ["/login", "/whoAmI/api/json", "/tcpSlaveAgentListener/"])
    def test_a_ready_jenkins_names_itself_on_its_pages(
        self, jenkins: PracticeJenkins, path: str
    ) -> None:
        got = send(jenkins, "GET", path)
        assert got.status == 200
        assert got.headers["X-Jenkins"]
        assert got.headers["X-Hudson"] == "1.395"
        assert got.headers["X-Jenkins-Session"] == jenkins.session

    @pytest.mark.parametrize(
        ("path", "status"), [("/unknown", 404), ("/", 403), ("/api/json", 403)]
    )
    def test_it_names_itself_where_it_refuses_a_reader(
        self, jenkins: PracticeJenkins, path: str, status: int
    ) -> None:
        got = send(jenkins, "GET", path)
        assert (got.status, "X-Jenkins" in got.headers) == (status, True)

    def test_webhook_answers_do_not_name_it(self, jenkins: PracticeJenkins) -> None:
        assert "X-Jenkins" not in send(jenkins, "POST", HOOK, PUSH, b"{}").headers
        assert "X-Jenkins" not in send(jenkins, "GET", HOOK).headers

    def test_health_says_so(self, jenkins: PracticeJenkins) -> None:
        got = send(jenkins, "GET", "/health/")
        assert (got.status, json.loads(got.body)) == (200, {"status": True})

    @pytest.mark.parametrize("path", ["/unknown", "/login", "/github-webhook/more", "/ghprbhook"])
    def test_a_post_elsewhere_lacks_a_crumb(self, jenkins: PracticeJenkins, path: str) -> None:
        got = send(jenkins, "POST", path, PUSH, b"{}")
        assert got.status == 403
        assert b"No valid crumb was included in the request" in got.body

    def test_an_absent_plugin_leaves_a_hole(self) -> None:
        with PracticeJenkins(plugins=KNOWN - {"github"}) as jenkins:
            for path in (HOOK, "/github-webhook"):
                posted = send(jenkins, "POST", path, PUSH, b"{}")
                assert (posted.status, "X-Jenkins" in posted.headers) == (403, False)
                asked = send(jenkins, "GET", path)
                assert (asked.status, "X-Jenkins" in asked.headers) == (404, True)

    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_a_missing_slash_is_redirected(self, jenkins: PracticeJenkins, method: str) -> None:
        got = send(jenkins, method, "/github-webhook?a=b", PUSH, b"{}")
        assert (got.status, got.headers["Location"]) == (302, "/github-webhook/?a=b")
        assert jenkins.taken == []

    def test_a_semicolon_in_the_path_is_suspicious(self, jenkins: PracticeJenkins) -> None:
        assert push(jenkins, "/github-webhook/;a=b") == 400
        assert push(jenkins, f"{HOOK}?a;b") == 200

    def test_too_many_header_bytes_are_refused(self, jenkins: PracticeJenkins) -> None:
        headers = PUSH | {"X-Long": "x" * 8192}
        assert send(jenkins, "POST", HOOK, headers, b"{}").status == 431

    def test_a_context_path_is_part_of_every_path(self) -> None:
        with PracticeJenkins(context_path="/jenkins") as jenkins:
            assert jenkins.url == f"http://127.0.0.1:{jenkins.port}/jenkins"
            assert push(jenkins, "/jenkins/github-webhook/") == 200
            assert push(jenkins, HOOK) == 404
            assert "X-Jenkins" not in send(jenkins, "GET", "/login").headers
            assert "X-Jenkins" in send(jenkins, "GET", "/jenkins/login").headers
            slash = send(jenkins, "POST", "/jenkins/github-webhook", PUSH, b"{}")
            assert slash.headers["Location"] == "/jenkins/github-webhook/"
            assert len(jenkins.taken) == 1


class TestMemory:
    def test_branch_sources_act_after_a_delay(self) -> None:
        clock = Clock()
        with PracticeJenkins(clock=clock) as jenkins:
            push(jenkins)
            push(jenkins, "/ghprbhook/")
            gitlab(jenkins)
            assert [visit.target for visit in jenkins.acted_on] == [b"/ghprbhook/"]
            clock.now += 5
            assert len(jenkins.acted_on) == 2
            clock.now += 25
            assert jenkins.acted_on == jenkins.taken
            assert jenkins.forgotten == []

    @pytest.mark.parametrize("end", ["down", "cleaning up", "boot"])
    def test_what_is_pending_at_the_end_is_forgotten(self, end: str) -> None:
        clock = Clock()
        with PracticeJenkins(clock=clock) as jenkins:
            push(jenkins)
            clock.now += 10
            gitlab(jenkins)
            clock.now += 10
            if end == "boot":
                jenkins.boot()
            else:
                jenkins.phase = Phase.DOWN if end == "down" else Phase.CLEANING_UP
                jenkins.phase = Phase.READY
            push(jenkins)
            clock.now += 100
            first, second, third = jenkins.taken
            assert jenkins.acted_on == [first, third]
            assert jenkins.forgotten == [second]

    def test_starting_again_without_an_end_forgets_nothing(self) -> None:
        clock = Clock()
        with PracticeJenkins(clock=clock, event_delay=60.0) as jenkins:
            push(jenkins)
            jenkins.phase = Phase.STARTING
            clock.now += 60
            assert len(jenkins.acted_on) == 1

    def test_cleaning_up_takes_and_forgets(self, jenkins: PracticeJenkins) -> None:
        jenkins.phase = Phase.CLEANING_UP
        assert push(jenkins, "/ghprbhook/") == 200
        assert jenkins.forgotten == jenkins.taken
        assert (len(jenkins.taken), jenkins.acted_on) == (1, [])

    def test_each_boot_has_a_session_of_its_own(self, jenkins: PracticeJenkins) -> None:
        sessions = {jenkins.session, jenkins.boot(), jenkins.restart()}
        assert len(sessions) == 3
        assert send(jenkins, "GET", "/login").headers["X-Jenkins-Session"] == jenkins.session
        jenkins.phase = Phase.DOWN
        jenkins.phase = Phase.READY
        assert jenkins.session in sessions


class TestRecord:
    def test_probes_are_visits_but_no_webhooks(self, jenkins: PracticeJenkins) -> None:
        send(jenkins, "GET", "/login")
        send(jenkins, "GET", HOOK)
        send(jenkins, "POST", HOOK, {"X-Jenkins-Validation": "1"})
        push(jenkins)
        assert (len(jenkins.visits), len(jenkins.hooks), jenkins.counts) == (4, 1, (4, 1))

    @pytest.mark.parametrize(("keep", "kept"), [(None, 3), (2, 2), (0, 0)])
    def test_counts_are_right_whatever_is_kept(self, keep: int | None, kept: int) -> None:
        with PracticeJenkins(keep=keep) as jenkins:
            for _ in range(3):
                push(jenkins)
            assert len(jenkins.visits) == kept
            assert jenkins.counts == (3, 3)
            jenkins.clear()
            assert (jenkins.visits, jenkins.counts) == ([], (0, 0))

    def test_waiting_ends_with_the_webhook_or_the_timeout(self, jenkins: PracticeJenkins) -> None:
        assert not jenkins.wait_for(1, timeout=0.01)
        sender = threading.Thread(target=push, args=(jenkins,))
        sender.start()
        assert jenkins.wait_for(1)
        sender.join()

    def test_a_snapshot_does_not_change(self, jenkins: PracticeJenkins) -> None:
        before = jenkins.visits
        push(jenkins)
        assert before == []


class TestUse:
    def test_a_taken_port_is_named(self, jenkins: PracticeJenkins) -> None:
        with pytest.raises(SpigotError, match=str(jenkins.port)):
            PracticeJenkins(port=jenkins.port).start()

    def test_a_stopped_one_says_so(self) -> None:
        jenkins = PracticeJenkins().start()
        jenkins.stop()
        jenkins.stop()
        with pytest.raises(SpigotError, match="start it first"):
            jenkins.phase = Phase.READY

    def test_it_can_be_started_again(self) -> None:
        jenkins = PracticeJenkins()
        for _ in range(2):
            with jenkins:
                assert push(jenkins) == 200

    def test_wrong_settings_are_named(self) -> None:
        with pytest.raises(ValueError, match="subversion"):
            PracticeJenkins(plugins={"subversion"})
        with pytest.raises(ValueError, match="'jenkins/'"):
            PracticeJenkins(context_path="jenkins/")
