"""Where settings come from: the command line, variables, a file; and their documentation."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from spigot.errors import SettingsError
from spigot.settings import OPTIONS, Address, HookSetting, Option, Settings, Target, describe, load
from support.loading import Loader, wrong

DOCS = Path(__file__).parents[2] / "docs" / "configuration.md"


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
