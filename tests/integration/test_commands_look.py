"""``spigot status``, ``list`` and ``show``."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from spigot.commands import views
from spigot.practice import Fault
from spigot.webhook import Verdict
from support.commands import STATUS_KEYS, done, end, json_of, put, run

if TYPE_CHECKING:
    from spigot.practice import PracticeJenkins
    from spigot.stores.sqlite import SqliteStore
    from support.gateway import GatewayProcess

pytestmark = pytest.mark.usefixtures("bare")


class TestStatus:
    def test_it_is_the_object_of_the_api(self, gateway: GatewayProcess) -> None:
        gateway.until(lambda known: bool(known["jenkins"] == "ready"))
        known = json_of("status")
        assert list(known) == STATUS_KEYS
        assert known == gateway.status()

    def test_it_says_in_words_what_is_held_and_what_comes_next(
        self, gateway: GatewayProcess, jenkins: PracticeJenkins
    ) -> None:
        jenkins.fault("/github-webhook/", Fault(status=302))
        assert (
            run("send", "example:push", "--url", f"http://127.0.0.1:{gateway.port}").exit_code == 0
        )
        gateway.until(lambda known: bool(known["paths_held"]))
        lines = dict(line.split(None, 1) for line in done("status").splitlines())
        assert list(lines) == ["Valve", "Jenkins", "Webhooks", "Held", "Next"]
        assert lines["Valve"].startswith("ON since ")
        assert lines["Jenkins"].startswith("ready since ")
        assert lines["Webhooks"].startswith("1 waiting (the oldest for ")
        assert lines["Held"].startswith("/github-webhook/: 302, a redirect: the path is wrong")
        assert "1 path is held" in lines["Next"]

    @pytest.mark.usefixtures("store")
    def test_it_starts_without_what_only_a_gateway_needs(self) -> None:
        code = (
            "import sys; from spigot.cli import main; main(['status'], standalone_mode=False); "
            "print([name for name in ('uvicorn', 'starlette', 'rich', 'prometheus_client', 'ssl', "
            "'asyncio', 'httptools') if name in sys.modules])"
        )
        printed = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout
        assert printed.splitlines()[-1] == "[]"


class TestList:
    def test_the_newest_come_first(self, store: SqliteStore) -> None:
        ids = [put(store, number) for number in (1, 2, 3)]
        assert [entry["id"] for entry in json_of("list", "--limit", "2")] == [ids[2], ids[1]]

    def test_json_tells_all_of_each(self, store: SqliteStore) -> None:
        id_ = put(store)
        end(store, Verdict.DEAD, reason="404 no such job")
        assert json_of("list") == [
            {
                "id": id_,
                "state": "dead",
                "received": "2026-03-01T12:00:01.000Z",
                "hook": "/github-webhook/",
                "path": "/github-webhook/",
                "provider": "github",
                "event": "push",
                "delivery": "delivery-1",
                "lane": "/github-webhook/ octo/hello",
                "size": 2,
                "attempts": 1,
                "reason": "404 no such job",
                "status": 404,
                "ended": "2026-03-01T12:01:00.250Z",
                "resolved_by": None,
            }
        ]

    @pytest.mark.parametrize(
        ("words", "numbers"),
        [
            ("--state waiting", [3, 2]),
            ("--state dead", [1]),
            ("--event ping", [3]),
            ("--lane octo/other", [2]),
            ("--hook /github-webhook/", [3, 2, 1]),
            ("--since 2026-03-01T12:00:02Z", [3, 2]),
            ("--until 2026-03-01T12:00:02Z", [1]),
            ("--since 1s", []),
        ],
    )
    def test_options_narrow_it(self, words: str, numbers: list[int], store: SqliteStore) -> None:
        put(store, 1)
        end(store, Verdict.DEAD)
        put(store, 2, lane="/github-webhook/ octo/other")
        put(store, 3, event="ping")
        found = [entry["delivery"] for entry in json_of("list", *words.split())]
        assert found == [f"delivery-{number}" for number in numbers]

    def test_people_get_a_table_without_tricks_and_tokens(self, store: SqliteStore) -> None:
        id_ = put(store, path="/dockerhub-webhook/hush/notify", hook="/dockerhub-webhook/")
        end(store, Verdict.DEAD, reason="404 \x1b[2J\nno")
        heading, row = done("list").splitlines()
        assert heading.split() == [column.name for column in views.ENTRY_COLUMNS]
        assert row.startswith(id_)
        assert row.endswith("404 \\x1b[2J\\nno")
        assert json_of("list")[0]["path"] == "/dockerhub-webhook/***/notify"

    @pytest.mark.usefixtures("store")
    def test_nothing_found_is_no_failure(self) -> None:
        assert json_of("list") == []
        result = run("list")
        assert (result.exit_code, result.stdout) == (0, "")

    @pytest.mark.parametrize("words", ["--state gone", "--limit 0", "--since once"])
    @pytest.mark.usefixtures("store")
    def test_a_wrong_selection_is_wrong_usage(self, words: str) -> None:
        assert run("list", *words.split()).exit_code == 2


class TestShow:
    def test_secrets_stay_hidden(self, store: SqliteStore) -> None:
        id_ = put(
            store,
            path="/generic-webhook-trigger/invoke",
            query="token=hush-hush&branch=main",
            headers=((b"x-gitlab-token", b"sesame-sesame"), (b"x-note", b"a\x1b[2Jb")),
        )
        end(store, Verdict.DEAD, answer=b"no job has hush-hush\n\x1b[2J")
        text = done("show", id_)
        for shown in (
            "POST /generic-webhook-trigger/invoke?token=***&branch=main",
            "x-gitlab-token: ***",
            "x-note: a\\x1b[2Jb",
            "no job has ***",
            "dead at ",
        ):
            assert shown in text
        known = json_of("show", id_)
        assert known["headers"] == [["x-gitlab-token", "***"], ["x-note", "a\\x1b[2Jb"]]
        assert known["query"] == "token=***&branch=main"
        assert known["history"][0]["answer"] == "no job has ***\n\x1b[2J"
        assert known["history"][0]["took_s"] == 0.25
        for hidden in ("hush-hush", "sesame-sesame", "\x1b"):
            assert hidden not in text + json.dumps(known)

    def test_of_several_with_a_delivery_id_the_newest_is_shown(self, store: SqliteStore) -> None:
        first = put(store, 1)
        end(store, Verdict.DELIVERED)
        second = put(store, 2, delivery="delivery-1")
        assert f"1 webhook with this delivery id: {first}" in done("show", "delivery-1")
        known = json_of("show", "delivery-1")
        assert (known["id"], known["others"]) == (second, [first])

    def test_the_body_comes_out_to_the_byte_and_alone(self, store: SqliteStore) -> None:
        id_ = put(store, body=b'{"a":\r\n 1}\xff\0')
        assert run("show", id_, "--body").stdout_bytes == b'{"a":\r\n 1}\xff\0'
        assert run("show", id_, "--body", "--json").exit_code == 2

    @pytest.mark.usefixtures("store")
    def test_an_unknown_id_fails(self) -> None:
        result = run("show", "nobody")
        assert result.exit_code == 1
        assert "'nobody'" in result.stderr
