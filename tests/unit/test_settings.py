import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from spigot.errors import SettingsError
from spigot.settings import OPTIONS, Address, HookSetting, Option, Settings, Target, describe, load

DOCS = Path(__file__).parents[2] / "docs" / "configuration.md"
Loader = Callable[..., Settings]


@pytest.fixture
def loaded(tmp_path: Path) -> Loader:
    """Loads from overrides (keywords), a file's text, and an environment."""

    def load_(
        file: str = "", environ: dict[str, str] | None = None, **overrides: object
    ) -> Settings:
        if file:
            (tmp_path / "spigot.toml").write_text(file, "utf-8")
        return load(overrides, environ=environ or {}, cwd=tmp_path)

    return load_


def wrong(
    loaded: Loader, file: str = "", environ: dict[str, str] | None = None, **overrides: object
) -> str:
    with pytest.raises(SettingsError) as caught:
        loaded(file, environ, **overrides)
    return str(caught.value)


def test_without_anything_given_the_defaults_hold(loaded: Loader, tmp_path: Path) -> None:
    settings = loaded()
    assert settings.target is None
    assert settings.listen == Address("0.0.0.0", 8000)
    assert settings.admin == Address("127.0.0.1", 8001)
    assert settings.admin_token is None
    assert settings.data == tmp_path / "spigot-data"
    assert settings.max_body == 25 * 1024**2
    assert list(settings.retry_delays) == [2, 10, 60, 300, 900]
    assert settings.keep_dead == 90 * 86400
    assert settings.parallel == 16
    assert settings.only_hooks is False
    assert dict(settings.routes) == {}
    assert settings.hooks == ()


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(loaded: Loader) -> None:
    file, environ = "parallel = 2", {"SPIGOT_PARALLEL": "3"}
    assert loaded(file).parallel == 2
    assert loaded(file, environ).parallel == 3
    assert loaded(file, environ, parallel=4).parallel == 4
    assert loaded(file, environ, parallel="5").parallel == 5


def test_an_option_that_the_command_line_leaves_out_is_not_given(loaded: Loader) -> None:
    assert loaded("parallel = 2", parallel=None).parallel == 2


def test_an_empty_variable_counts_as_not_set(loaded: Loader) -> None:
    assert loaded("parallel = 2", {"SPIGOT_PARALLEL": "", "SPIGOT_CONFIG": ""}).parallel == 2


def test_of_two_variables_spigots_own_wins(loaded: Loader) -> None:
    assert loaded(environ={"LOG_LEVEL": "debug"}).log_level == "DEBUG"
    both = {"LOG_LEVEL": "debug", "SPIGOT_LOG_LEVEL": "error"}
    assert loaded(environ=both).log_level == "ERROR"


def test_paths_are_relative_to_the_working_directory(loaded: Loader, tmp_path: Path) -> None:
    assert loaded(data="here").data == tmp_path / "here"
    assert loaded(data=Path("here")).data == tmp_path / "here"
    assert loaded('data = "/there"').data == Path("/there")


def test_settings_are_frozen(loaded: Loader) -> None:
    settings = loaded("[routes]\npush = '/here'")
    with pytest.raises(AttributeError):
        settings.parallel = 1  # type: ignore[misc]
    with pytest.raises(TypeError):
        settings.routes["push"] = "/there"  # type: ignore[index]


# The file


def test_the_file_is_the_one_named_else_the_variables_else_the_usual_one(tmp_path: Path) -> None:
    for number, name in enumerate(("spigot.toml", "other.toml", "named.toml"), 1):
        (tmp_path / name).write_text(f"parallel = {number}")
    environ = {"SPIGOT_CONFIG": "other.toml"}
    assert load(environ={}, cwd=tmp_path).parallel == 1
    assert load(environ=environ, cwd=tmp_path).parallel == 2
    assert load(environ=environ, config=Path("named.toml"), cwd=tmp_path).parallel == 3


def test_a_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"^nope.toml cannot be read: No such file"):
        load(environ={}, config=Path("nope.toml"), cwd=tmp_path)
    with pytest.raises(
        SettingsError, match=r"^nope.toml \(named by SPIGOT_CONFIG\) cannot be read"
    ):
        load(environ={"SPIGOT_CONFIG": "nope.toml"}, cwd=tmp_path)


def test_a_syntax_error_names_file_and_line(loaded: Loader, tmp_path: Path) -> None:
    message = wrong(loaded, 'data = "x"\nparallel =\n')
    assert "spigot.toml" in message
    assert "line 2" in message
    (tmp_path / "spigot.toml").write_bytes(b"# fine\ndata = '\xff'")
    assert wrong(loaded) == "spigot.toml: line 2 is not UTF-8, which TOML must be"


def test_an_unknown_key_is_an_error_that_names_the_likeliest_one(loaded: Loader) -> None:
    assert wrong(loaded, "max-body = 1").endswith(
        "spigot.toml: no option is called 'max-body'; did you mean \"max_body\"?"
    )
    assert "there are: target, listen" in wrong(loaded, "xyzzy = 1")
    assert 'did you mean "path"' in wrong(loaded, "[[hooks]]\npaht = '/x'")
    assert 'did you mean "parallel"' in wrong(loaded, paralel=1)


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("parallel = '16'", "a string"),
        ("parallel = 1.5", "a float"),
        ("parallel = true", "a boolean"),
        ("listen = 8000", "an integer"),
        ("only_hooks = 'true'", "a string"),
        ("max_body = 1.5", "a float"),
        ("read_timeout = 2026-01-01", "a date or time"),
        ("retry_delays = '2s'", "a string"),
        ("retry_delays = [true]", "an array"),
        ("routes = []", "an array"),
        ("routes.push = 1", "an integer"),
        ("hooks = {}", "a table"),
        ("hooks = ['/x']", "an array"),
        ("data = 1", "an integer"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_with_its_type(
    loaded: Loader, line: str, kind: str
) -> None:
    message = wrong(loaded, line)
    assert message.startswith("spigot.toml: " + line.split(" ")[0])
    assert f"({kind}); allowed: " in message


# The environment


def test_a_misspelt_variable_is_an_error_that_names_the_likeliest_one(loaded: Loader) -> None:
    message = wrong(loaded, environ={"SPIGOT_LISTENN": "do not show"})
    assert message.endswith("'SPIGOT_LISTENN'; did you mean \"SPIGOT_LISTEN\"?")
    assert '"TARGET_URL"' in wrong(loaded, environ={"SPIGOT_TARGET_URL": "http://x"})
    assert "there are" in wrong(loaded, environ={"SPIGOT_PORT": "8000"})


def test_variables_that_are_for_others_are_left_alone(loaded: Loader) -> None:
    loaded(
        environ={
            "PATH": "/bin",
            "SPIGOT_S3_BUCKET": "bucket",
            "SPIGOT_STACK": "spigot",
            "SPIGOT_SERVICE_HOST": "10.0.0.1",
            "SPIGOT_SERVICE_PORT_HTTP": "8000",
            "SPIGOT_PORT": "tcp://10.0.0.1:8000",
            "SPIGOT_PORT_8000_TCP_ADDR": "10.0.0.1",
            "SPIGOT_ADMIN_SERVICE_HOST": "10.0.0.2",
        }
    )


@pytest.mark.parametrize(
    ("text", "value"), [("true", True), ("Yes", True), ("1", True), ("off", False), ("0", False)]
)
def test_a_variable_can_say_yes_and_no(loaded: Loader, text: str, value: bool) -> None:
    assert loaded("only_hooks = true", {"SPIGOT_ONLY_HOOKS": text}).only_hooks is value


def test_a_list_in_a_variable_is_separated_by_commas(loaded: Loader) -> None:
    assert loaded(environ={"SPIGOT_RETRY_DELAYS": "5s, 1m,600"}).retry_delays == (5, 60, 600)


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


# The documentation


def test_the_documentation_names_every_option_with_its_variables_and_default() -> None:
    rows = re.findall(r"^\| `(\w+)` \|(.*?)\| `(.*?)` \|", DOCS.read_text("utf-8"), re.MULTILINE)
    table = {name: (re.findall(r"`(\w+)`", env), default) for name, env, default in rows}
    for option in OPTIONS:
        assert table[option.name] == (list(option.env), option.default_text)


def test_the_example_in_the_documentation_loads(loaded: Loader) -> None:
    found = re.search(r"^```toml\n(.*?)^```", DOCS.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert found
    settings = loaded(found[1], {"DASHBOARD_TOKEN": "hush"})
    assert settings.target == Target("https", "jenkins.example", 443, "/jenkins")
    assert settings.hooks == (HookSetting("/our-webhook/", "gitlab", True),)


def test_every_option_is_described_by_one_line_and_is_a_field_of_the_settings() -> None:
    names = [option.name for option in describe()]
    assert sorted(names) == sorted(Settings.__slots__)
    for option in describe():
        assert re.fullmatch(r"[^\n]{10,90}\.", option.help), option.name


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_a_default_may_stand_in_the_file_as_it_is_documented(
    loaded: Loader, option: Option
) -> None:
    text = f"{option.name} = {option.default_text}"
    assert tomllib.loads(text)
    assert loaded(text) == loaded()


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
