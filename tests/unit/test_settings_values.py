"""What each setting may be, and what is said of a value that it may not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from spigot.errors import SettingsError
from spigot.settings import Address, HookSetting, Target
from support.loading import wrong

if TYPE_CHECKING:
    from pathlib import Path

    from support.loading import Loader

# Values


@pytest.mark.parametrize(
    ("url", "target", "written"),
    [
        ("http://jenkins", ("http", "jenkins", 80, ""), "http://jenkins"),
        (
            "HTTPS://Jenkins.Example/",
            ("https", "jenkins.example", 443, ""),
            "https://jenkins.example",
        ),
        ("https://j:443/ci/", ("https", "j", 443, "/ci"), "https://j/ci"),
        ("http://[::1]:8080/a/b", ("http", "::1", 8080, "/a/b"), "http://[::1]:8080/a/b"),
        ("http://[::1]", ("http", "::1", 80, ""), "http://[::1]"),
        ("http://jenkins_1:8080", ("http", "jenkins_1", 8080, ""), "http://jenkins_1:8080"),
        ("http://10.0.0.1:443", ("http", "10.0.0.1", 443, ""), "http://10.0.0.1:443"),
    ],
)
def test_the_target_is_taken_apart(
    loaded: Loader, url: str, target: tuple[str, str, int, str], written: str
) -> None:
    found = loaded(environ={"TARGET_URL": url}).target
    assert found == Target(*target)
    assert found
    assert found.url == written
    assert Target.parse(found.url) == found


@pytest.mark.parametrize(
    "url",
    [
        "jenkins",
        "jenkins:8080",
        "ftp://jenkins",
        "http://",
        "http:///jenkins",
        "http://jenkins:0",
        "http://jenkins:65536",
        "http://jenkins:x",
        "http://jenkins?",
        "http://jenkins/?token=hush",
        "http://jenkins#top",
        "http://me:hush@jenkins",
        "http://me:hu/sh@jenkins",
        "me:hush@jenkins",
        "http://@jenkins",
        "http://jenkins/a b",
        "http://jenkins/\n",
        "http://[::1",
        "http://[nope]",
        "http://jënkins",
        "http://jenkins/<x>",
    ],
)
def test_a_target_that_is_not_a_host_and_a_context_path_is_refused(
    loaded: Loader, url: str
) -> None:
    message = wrong(loaded, environ={"TARGET_URL": url})
    assert message.startswith("TARGET_URL is ")
    assert "such as https://jenkins.example/jenkins" in message
    assert "hu" not in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("0.0.0.0:8000", Address("0.0.0.0", 8000)),
        ("[::]:0", Address("::", 0)),
        ("localhost:80", Address("localhost", 80)),
    ],
)
def test_an_address_is_taken_apart_and_written_as_before(
    loaded: Loader, text: str, address: Address
) -> None:
    assert loaded(listen=text).listen == address
    assert str(address) == text


@pytest.mark.parametrize(
    "text", ["8000", ":8000", "::1:8000", "[::1]", "[x]:1", "a:65536", "a:-1", "a b:1", "a:1\n"]
)
def test_an_address_that_is_not_host_and_port_is_refused(loaded: Loader, text: str) -> None:
    assert wrong(loaded, listen=text).startswith("--listen is ")


@pytest.mark.parametrize("address", ["0.0.0.0:1", "[::]:1", "10.0.0.1:1", "jenkins:1", "127.1:1"])
def test_admin_beyond_loopback_needs_a_token(loaded: Loader, address: str) -> None:
    message = wrong(loaded, admin=address)
    assert message.startswith(f"admin is {address}, ")
    assert "set SPIGOT_ADMIN_TOKEN" in message
    assert loaded(environ={"SPIGOT_ADMIN_TOKEN": "hush"}, admin=address).admin_token == "hush"


@pytest.mark.parametrize("address", ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "LocalHost:1"])
def test_admin_on_loopback_needs_no_token(loaded: Loader, address: str) -> None:
    assert loaded(admin=address).admin_token is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("parallel", "0"),
        ("parallel", "257"),
        ("parallel", "1.5"),
        ("max_body", "0"),
        ("max_body", "25 MX"),
        ("memory", "-1"),
        ("read_timeout", "0s"),
        ("probe_every", "0"),
        ("retry_delays", "2s,,1m"),
        ("settle_after", "soon"),
        ("probe", "login"),
        ("probe", "/login#x"),
        ("log_level", "TRACE"),
        ("only_hooks", "maybe"),
        ("ca_file", "nope.pem"),
        ("ca_file", "."),
        ("data", "\0"),
        ("data", "aws://"),
        ("data", "aws://a/b"),
        ("data", "aws://9"),
    ],
)
def test_a_value_that_is_not_allowed_is_named_with_what_is(
    loaded: Loader, name: str, value: str
) -> None:
    variable = f"SPIGOT_{name.upper()}"
    message = wrong(loaded, environ={variable: value})
    assert message.startswith(f"{variable} is {value!r}; allowed: ")


def test_data_may_be_a_stack_on_aws_which_is_no_directory(loaded: Loader) -> None:
    settings = loaded(environ={"SPIGOT_DATA": "aws://spigot-2/"})
    assert str(settings.data) == "aws://spigot-2"
    with pytest.raises(SettingsError, match="data is aws://spigot-2: this needs a directory"):
        _ = settings.directory
    assert loaded(data="aws:").directory.name == "aws:"


def test_the_secret_of_a_deploy_is_passed_over_only_where_it_is_one(loaded: Loader) -> None:
    """On one machine it would look as if signatures were checked."""
    environ = {"SPIGOT_SECRET": "hush"}
    assert "'SPIGOT_SECRET'" in wrong(loaded, environ=environ)
    loaded(environ=environ, data="aws://spigot")


def test_what_may_be_nothing_may_be_nothing(loaded: Loader) -> None:
    settings = loaded(
        "min_free = 0\nsettle_after = 0\nkeep_delivered = 0\nprobe = ''\nca_file = ''"
    )
    assert (settings.min_free, settings.settle_after, settings.probe) == (0, 0, "")
    assert settings.ca_file is None


def test_at_least_one_retry_is_needed(loaded: Loader) -> None:
    assert "retry_delays is []" in wrong(loaded, "retry_delays = []")


def test_a_body_that_memory_could_never_hold_is_refused(loaded: Loader) -> None:
    message = wrong(loaded, environ={"SPIGOT_MEMORY": "16MiB"})
    assert message.startswith("max_body is 25MiB, but memory only 16MiB")


def test_a_certificate_file_must_be_there(loaded: Loader, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    assert loaded('ca_file = "ca.pem"').ca_file == tmp_path / "ca.pem"


def test_a_long_value_is_cut_and_stays_on_one_line(loaded: Loader) -> None:
    message = wrong(loaded, listen="\x1b[2J\n" + "x" * 1000)
    assert message.isprintable()
    assert len(message) < 300


# Secrets


@pytest.mark.parametrize("value", ["", "none", "http://proxy:3128", "http://me:hush@proxy:3128"])
def test_a_proxy_is_a_url_or_none_or_left_to_the_environment(loaded: Loader, value: str) -> None:
    settings = loaded(f'proxy = "{value}"')
    assert settings.proxy == value
    assert "hush" not in repr(settings)


def test_a_wrong_proxy_is_not_shown(loaded: Loader) -> None:
    message = wrong(loaded, "proxy = 'socks5://me:hush@proxy'")
    assert message.startswith("spigot.toml: proxy is wrong (its value is not shown); allowed: ")


def test_the_admin_token_is_found_where_it_is_kept(loaded: Loader, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("hush\n")
    kept = {"SPIGOT_KEPT": "hush"}
    for settings in (
        loaded(environ={"SPIGOT_ADMIN_TOKEN": "hush"}),
        loaded(environ={"SPIGOT_ADMIN_TOKEN": "env:SPIGOT_KEPT", **kept}),
        loaded(environ={"SPIGOT_ADMIN_TOKEN": "file:token"}),
        loaded('admin_token = "env:SPIGOT_KEPT"', kept),
        loaded('admin_token = "file:token"'),
    ):
        assert settings.admin_token == "hush"
        assert "hush" not in repr(settings)


def test_a_token_that_is_written_out_in_the_file_is_refused_without_showing_it(
    loaded: Loader,
) -> None:
    for message in (wrong(loaded, 'admin_token = "hush"'), wrong(loaded, admin_token="hush")):
        assert "is written out; allowed: " in message
        assert "env:NAME" in message
        assert "hush" not in message


def test_a_token_that_cannot_be_found_says_where_it_was_looked_for(
    loaded: Loader, tmp_path: Path
) -> None:
    assert wrong(loaded, 'admin_token = "env:NOPE"') == (
        "spigot.toml: admin_token points at 'NOPE', which is not set or is empty"
    )
    assert "points at 'nope': No such file" in wrong(loaded, 'admin_token = "file:nope"')
    (tmp_path / "empty").touch()
    assert "'empty', which is not set or is" in wrong(loaded, 'admin_token = "file:empty"')


@pytest.mark.parametrize("token", ["hush hush", "hush\nhush", "hüsh", "\x00"])
def test_a_token_that_no_header_can_carry_is_refused(loaded: Loader, token: str) -> None:
    message = wrong(loaded, environ={"SPIGOT_ADMIN_TOKEN": token})
    assert message.startswith("SPIGOT_ADMIN_TOKEN is wrong (its value is not shown)")
    assert "sh" not in message.partition("allowed")[2]


# Routes and hooks


def test_routes_map_events_to_paths(loaded: Loader) -> None:
    file = '[routes]\npull_request = "/ghprbhook/"\n"Push Hook" = "/project/a%20b"'
    routes = {"pull_request": "/ghprbhook/", "Push Hook": "/project/a%20b"}
    assert dict(loaded(file).routes) == routes


@pytest.mark.parametrize("path", ["ghprbhook/", "", "/a b", "/a?b", "/a#b", "http://x/", "/a\\n"])
def test_a_route_that_is_not_a_path_is_refused(loaded: Loader, path: str) -> None:
    message = wrong(loaded, f'[routes]\npush = "{path}"')
    assert message.startswith("spigot.toml: routes.push is ")


def test_hooks_are_paths_with_a_provider_if_wanted(loaded: Loader) -> None:
    file = "[[hooks]]\npath='/a/'\n[[hooks]]\npath='/b/'\nprovider='gitlab'\nbelow=true"
    assert loaded(file).hooks == (
        HookSetting("/a/", None, False),
        HookSetting("/b/", "gitlab", True),
    )


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("below = true", "hooks[1] has no path"),
        ("path = 'x'", "hooks[1].path is 'x'"),
        ("path = '/x'\nbelow = 1", "hooks[1].below is 1 (an integer)"),
        ("path = '/x'\nprovider = 'githb'", "hooks[1].provider is 'githb'"),
        ("path = '/x'\nbelow = true", "end it with a slash"),
        ("path = '/x/*'", "below = true"),
        ("path = '/x/…'", "below = true"),
        ("path = '/x'\n[[hooks]]\npath = '/x'", "two of them have the path '/x'"),
    ],
)
def test_a_hook_that_is_wrong_is_refused_by_its_number(
    loaded: Loader, table: str, says: str
) -> None:
    assert says in wrong(loaded, f"[[hooks]]\n{table}")


# Notices


def test_notices_are_off_and_switched_on_with_a_token(loaded: Loader) -> None:
    assert (loaded().notices, loaded().notices_token) == ("off", None)
    settings = loaded("notices = 'status'\nnotices_token = 'env:T'", {"T": "ghp_x"})
    assert (settings.notices, settings.notices_token) == ("status", "ghp_x")
    assert settings.notices_api == Target("https", "api.github.com", 443, "")
    assert settings.notices_after == 30
    assert "ghp_x" not in repr(settings)
    environ = {"SPIGOT_NOTICES": "comment", "SPIGOT_NOTICES_TOKEN": "ghp_y"}
    assert loaded(environ=environ).notices_token == "ghp_y"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("notices = 'status'", "there is no token for GitHub; set notices_token"),
        ("notices = 'on'", "notices is 'on' (a string); allowed: off, status, comment"),
        ("notices = true", "notices is True (a boolean); allowed: off, status, comment"),
        ("notices_token = 'ghp_x'", "notices_token is written out"),
        ("notices_api = 'http://github.example/api/v3'", "allowed: the https URL"),
        ("notices_api = 'https://u:p@github.example'", "allowed: the https URL"),
        ("notices_api = 'api.github.com'", "allowed: the https URL"),
    ],
)
def test_notices_that_cannot_work_are_refused(loaded: Loader, text: str, says: str) -> None:
    message = wrong(loaded, text)
    assert says in message
    assert "ghp_x" not in message


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_githubs_api_may_be_plain_on_this_machine_alone(loaded: Loader, host: str) -> None:
    assert loaded(f"notices_api = 'http://{host}:8080/api'").notices_api.context == "/api"


# Networks and TLS


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("trusted_proxies = '10.0.0.0/8'", "trusted_proxies is '10.0.0.0/8' (a string)"),
        ("trusted_proxies = ['10.0.0.1/8']", "trusted_proxies[1] is '10.0.0.1/8'"),
        ("[[hooks]]\npath = '/x'\nallow = ['github']", "hooks[1].allow[1] is 'github'"),
        ("max_connections = 0", "max_connections is 0"),
    ],
)
def test_a_network_that_is_none_is_named(loaded: Loader, text: str, says: str) -> None:
    assert says in wrong(loaded, text)


def test_networks_may_stand_in_a_variable(loaded: Loader) -> None:
    settings = loaded("", {"SPIGOT_TRUSTED_PROXIES": "10.0.0.7, fd00::/8"})
    assert [str(one) for one in settings.trusted_proxies] == ["10.0.0.7/32", "fd00::/8"]


@pytest.mark.parametrize("name", ["tls", "admin_tls"])
def test_a_key_without_its_certificate_is_refused(
    loaded: Loader, tmp_path: Path, name: str
) -> None:
    (tmp_path / "key.pem").write_text("")
    assert f"{name}_certificate is not" in wrong(loaded, f"{name}_key = 'key.pem'")
