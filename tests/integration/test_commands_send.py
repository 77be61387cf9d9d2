"""``spigot send`` and ``spigot check``, towards a gateway and a practice Jenkins."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from spigot.plugins import KNOWN
from spigot.practice import Phase, PracticeJenkins
from support.commands import done, json_of, run
from support.gateway import GatewayProcess
from support.provider import SECRET

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("bare")


class TestSend:
    @pytest.mark.parametrize("words", ["", "--form"])
    def test_an_example_arrives_at_jenkins_signed(
        self,
        words: str,
        gateway: GatewayProcess,
        jenkins: PracticeJenkins,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("HOOK_SECRET", SECRET)
        monkeypatch.setenv("SPIGOT_LISTEN", f"127.0.0.1:{gateway.port}")
        text = done("send", "example:push", "--secret", "env:HOOK_SECRET", *words.split())
        assert "200 in " in text
        gateway.until_delivered(1)
        assert jenkins.counts.taken == 1

    def test_without_an_address_it_is_signed_as_the_hook_is_configured(
        self, jenkins: PracticeJenkins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "spigot.toml").write_text(
            '[[hooks]]\npath = "/github-webhook/"\nsecret = "env:HOOK_SECRET"\n'
            '[[hooks]]\npath = "/own/"\nsecret = "env:KEY"\nsignature = "standard-webhooks"\n'
        )
        secrets = {"HOOK_SECRET": SECRET, "KEY": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
        with GatewayProcess(tmp_path, jenkins.url, secrets) as gateway:
            for name, value in secrets.items():
                monkeypatch.setenv(name, value)
            monkeypatch.setenv("SPIGOT_LISTEN", f"127.0.0.1:{gateway.port}")
            for path in ("/github-webhook/", "/webhooks", "/own/"):
                result = run("send", "example:push", "--path", path)
                assert result.exit_code == 0, result.stdout
                assert "Signed with the configured secret of /" in result.stderr
            # A secret of the command line is used in the hook's own way, wherever it is right.
            for name, status in (("KEY", 200), ("OTHER", 401)):
                monkeypatch.setenv("OTHER", "whsec_b3RoZXI=")
                result = run("send", "example:push", "--path", "/own/", "--secret", f"env:{name}")
                assert f" {status} in " in result.stdout
                assert "Signed with --secret as /own/ (standard-webhooks)" in result.stderr
            result = run("send", "example:push", "--path", "/own/", "--secret", "env:HOOK_SECRET")
            assert result.exit_code == 2
            assert "must be Base64" in result.stderr
            assert SECRET not in result.output
            # What the configuration keeps secret goes to no address of the command line.
            url = f"http://127.0.0.1:{gateway.port}"
            result = run("send", "example:push", "--url", url)
            assert (result.exit_code, " 401 in " in result.stdout) == (1, True)
            jenkins.wait_for(2)
        assert jenkins.counts.taken == 2

    def test_a_file_goes_out_to_the_byte_as_its_provider_sends_it(
        self, jenkins: PracticeJenkins, tmp_path: Path
    ) -> None:
        body = b'{"object_kind":"push",\r\n"project":{}}'
        (tmp_path / "push.json").write_bytes(body)
        words = f"send push.json --provider gitlab --url {jenkins.url} --delivery d-1 --json"
        result = run(*words.split())
        assert result.stderr == (
            "The event is not named; by the payload's shape it is 'Push Hook'.\n"
        )
        (answer,) = json.loads(result.stdout)
        assert (answer["status"], answer["delivery"]) == (200, "d-1")
        (visit,) = jenkins.hooks
        assert (visit.target, visit.body) == (b"/gitlab-webhook/post", body)

    def test_a_path_of_the_url_or_of_its_own_is_obeyed(self, jenkins: PracticeJenkins) -> None:
        here = "/generic-webhook-trigger/invoke?token=practice"
        assert run("send", "example:push", "--url", jenkins.url + here).exit_code == 0
        assert run("send", "example:push", "--url", jenkins.url, "--path", here).exit_code == 0
        assert {visit.target for visit in jenkins.hooks} == {here.encode()}

    def test_standard_input_can_be_sent_several_times(self, gateway: GatewayProcess) -> None:
        words = f"send - --event push --count 3 --url http://127.0.0.1:{gateway.port}/webhooks"
        result = run(*words.split(), stdin=b'{"repository": {"full_name": "octo/hello"}}')
        assert result.exit_code == 0
        assert len({line.split()[0] for line in result.stdout.splitlines()}) == 3

    def test_what_is_not_taken_fails(self, gateway: GatewayProcess) -> None:
        result = run("send", "example:push", "--url", f"http://127.0.0.1:{gateway.port}/nowhere")
        assert result.exit_code == 1
        assert " 404 in " in result.stdout
        assert "1 webhook of 1 not taken" in result.stderr

    def test_nobody_there_fails_in_words(self) -> None:
        result = run("send", "example:push", "--url", "http://127.0.0.1:1")
        assert result.exit_code == 1
        assert "Start `spigot serve`" in result.stderr

    def test_what_http_cannot_carry_is_refused_without_showing_it(
        self, jenkins: PracticeJenkins, tmp_path: Path
    ) -> None:
        (tmp_path / "token").write_text("se\ncret\n")
        words = f"--provider gitlab --event x --secret file:token --url {jenkins.url}"
        result = run("send", "-", *words.split(), stdin=b"{}")
        assert result.exit_code == 1
        assert "does not carry" in result.stderr
        assert "cret" not in result.stderr.replace("secret", "")

    def test_the_examples_are_listed(self) -> None:
        assert "example:pull_request " in done("send", "example:list")
        assert "push" in json_of("send", "example:list")

    @pytest.mark.parametrize(
        "words",
        [
            "nowhere.json",
            "example:nothing",
            "example:push --provider github --secret open",
            "example:push --secret env:UNSET",
            "example:push --url ftp://x",
            "example:push --path x",
            "example:push --provider gitlab --form",
            "- --event= ",
        ],
    )
    def test_wrong_usage_sends_nothing(self, words: str) -> None:
        assert run("send", *words.split(), stdin=b"{}").exit_code == 2


class TestCheck:
    def test_a_jenkins_with_every_plugin_is_fine(self) -> None:
        with PracticeJenkins() as jenkins:
            found = json_of("check", "--target", jenkins.url)
            text = done("check", "--target", jenkins.url)
        assert found["ok"]
        assert found["probes"][0]["good"]
        hooks = by_path(found)
        assert hooks["/github-webhook/"]["good"] is True
        assert hooks["/project/…"]["good"] is None
        assert "  ✓  /github-webhook/ " in text
        assert f"{len(KNOWN)} of {len(KNOWN)} open hook paths have no secret" in text
        assert set(found["signatures"].values()) == {None}

    def test_a_hook_with_a_secret_is_shown_with_its_scheme(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HOOK_SECRET", SECRET)
        hook = '[[hooks]]\npath = "/github-webhook/"\nsecret = "env:HOOK_SECRET"\n'
        (tmp_path / "spigot.toml").write_text(hook)
        with PracticeJenkins() as jenkins:
            text = done("check", "--target", jenkins.url)
            (tmp_path / "spigot.toml").write_text("only_hooks = true\n" + hook)
            found = json_of("check", "--target", jenkins.url)
        assert "its plugin answers (405); signature: github" in text
        assert f"{len(KNOWN) - 1} of {len(KNOWN)} open hook paths have no secret" in text
        assert SECRET not in text
        assert found["signatures"] == {"/github-webhook/": "github"}
        assert found["notes"] == []

    def test_a_known_hook_that_is_absent_is_no_failure(self) -> None:
        with PracticeJenkins(plugins=["github"]) as jenkins:
            found = json_of("check", "--target", jenkins.url)
        assert by_path(found)["/ghprbhook/"]["good"] is False
        assert found["ok"]

    def test_a_hook_that_the_configuration_needs_has_to_be_there(self, tmp_path: Path) -> None:
        (tmp_path / "spigot.toml").write_text(
            '[routes]\npull_request = "/ghprbhook/"\n[[hooks]]\npath = "/gitea-webhook/post"\n'
        )
        with PracticeJenkins(plugins=["github"]) as jenkins:
            result = run("check", "--target", jenkins.url)
        assert result.exit_code == 1
        assert "✗  /ghprbhook/ *" in result.stdout
        assert "✗  /gitea-webhook/post *" in result.stdout
        assert "✗  /git/notifyCommit  " in result.stdout

    def test_a_route_to_a_path_that_is_not_open_fails(self, tmp_path: Path) -> None:
        (tmp_path / "spigot.toml").write_text('[routes]\npush = "/elsewhere/"\n')
        with PracticeJenkins() as jenkins:
            result = run("check", "--target", jenkins.url)
        assert result.exit_code == 1
        assert "✗  /elsewhere/ *" in result.stdout

    @pytest.mark.parametrize("phase", [Phase.DOWN, Phase.STARTING])
    def test_a_jenkins_that_is_not_ready_fails_and_no_hook_is_judged(self, phase: Phase) -> None:
        with PracticeJenkins(phase=phase) as jenkins:
            result = run("check", "--target", jenkins.url, "--json")
            assert jenkins.hooks == []
        found = json.loads(result.stdout)
        assert (result.exit_code, found["ok"]) == (1, False)
        assert {hook["good"] for hook in found["hooks"]} == {None}

    def test_a_wrong_context_path_is_noticed(self) -> None:
        with PracticeJenkins() as jenkins:
            result = run("check", "--target", jenkins.url + "/jenkins")
        assert result.exit_code == 1
        assert "No plugin answers at any hook path below http://" in result.stdout

    def test_behind_a_sign_on_readiness_is_unknown_and_no_failure(self) -> None:
        with PracticeJenkins(phase=Phase.SINGLE_SIGN_ON) as jenkins:
            found = json_of("check", "--target", jenkins.url)
        assert {probe["good"] for probe in found["probes"]} == {None}

    def test_a_data_directory_that_cannot_be_one_fails(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with PracticeJenkins() as jenkins:
            words = ["check", "--target", jenkins.url, "--data"]
            assert run(*words, "file").exit_code == 1
            (tmp_path / "other").mkdir()
            (tmp_path / "other" / "spigot.db").write_text("something else entirely")
            assert run(*words, "other").exit_code == 1
        assert not (tmp_path / "data").exists()

    def test_no_room_fails(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SPIGOT_MIN_FREE", "8000000GiB")
        with PracticeJenkins() as jenkins:
            found = json.loads(run("check", "--target", jenkins.url, "--json").stdout)
        assert "must stay free" in found["data"]["why"]
        assert not found["ok"]

    def test_without_a_target_it_is_wrong_configuration(self) -> None:
        assert run("check").exit_code == 2


def by_path(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {hook["what"]: hook for hook in found["hooks"]}
