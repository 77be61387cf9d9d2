"""Whether a request may come from a web page of somebody else."""

from __future__ import annotations

import pytest

from spigot.web.same_site import flaw_of

HERE = "127.0.0.1:8001"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"sec-fetch-site": "same-origin", "origin": "http://127.0.0.1:8001"},
        {"sec-fetch-site": "none"},
        {"origin": "http://127.0.0.1:8001"},
    ],
)
def test_a_command_and_the_own_page_may(headers: dict[str, str]) -> None:
    for host in (HERE, "localhost:8001", "[::1]:8001"):
        given = headers | {"host": host}
        if "origin" in given:
            given["origin"] = f"http://{host}"
        assert flaw_of(given, has_token=False) == ""


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site", "origin": "http://127.0.0.1:8001"},
        {"origin": "https://evil.example"},
        {"origin": "http://127.0.0.1:8002"},
        {"origin": "null"},
        {"origin": ""},
    ],
)
@pytest.mark.parametrize("has_token", [True, False])
def test_another_page_may_not(headers: dict[str, str], has_token: bool) -> None:
    assert flaw_of(headers | {"host": HERE}, has_token=has_token) != ""


@pytest.mark.parametrize(
    "host", ["evil.example:8001", "localhost.evil.example", "", "127.0.0.1.evil.example"]
)
def test_without_a_token_no_name_is_believed_to_be_this_machine(host: str) -> None:
    headers = {"host": host, "sec-fetch-site": "same-origin", "origin": f"http://{host}"}
    assert "admin_token" in flaw_of(headers, has_token=False)
    assert flaw_of(headers, has_token=True) == ""
