"""The shape of the code: imports run one way, and the core knows no socket, file or database."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import spigot

ROOT = Path(spigot.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))

LAYERS = (
    {
        "errors",
        "webhook",
        "units",
        "address",
        "valve",
        "times",
        "form",
        "networks",
        "headers",
        "heap",
    },
    {"log", "envelope"},
    {
        "ports",
        "providers",
        "masking",
        "repository",
        "payloads",
        "meters",
        "signatures",
        "rates",
    },
    {
        "hook",
        "hook_secret",
        "hooks",
        "plugins",
        "sight",
        "readiness",
        "decide",
        "lane",
        "lines",
        "pace",
        "slots",
        "routing",
        "status",
        "pool",
        "notices",
    },
    {"kinds", "option", "settings", "intake", "guard", "delivery", "timed", "steady"},
    {"dispatch", "exchange"},
    {"drain"},
    {
        "stores",
        "client",
        "jenkins",
        "github",
        "teller",
        "web",
        "report",
        "practice",
        "aws",
        "inherited",
        "notify",
        "descriptors",
    },
    {"live"},
    {"app"},
    {"commands"},
    {"cli", "__main__"},
)
"""Each layer may import those before it, and its own."""

CORE = {module for layer in LAYERS[:7] for module in layer}
WORLD = {"sqlite3", "boto3", "urllib3", "http", "socket", "asyncio", "uvicorn", "starlette"}
DATA_ONLY = {"http.HTTPStatus"}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports_of(path: Path) -> set[str]:
    """Return all modules that a file imports when it runs; those for the type checker aside."""
    found: set[str] = set()
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = [ast.Pass()]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def layer_of(module: str) -> int:
    return next(number for number, layer in enumerate(LAYERS) if module in layer)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_what_lies_below_it(path: Path) -> None:
    module = name_of(path)
    if module == "__init__":
        return
    for imported in imports_of(path):
        parts = imported.split(".")
        if parts[0] == "spigot" and len(parts) > 1 and parts[1] != "__version__":
            assert layer_of(parts[1]) <= layer_of(module), f"{module} imports {imported}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_core_imports_no_database_and_no_network(path: Path) -> None:
    if name_of(path) in CORE:
        outside = {each for each in imports_of(path) if each.split(".")[0] in WORLD}
        assert outside <= DATA_ONLY


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_can_be_held_in_the_head(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= 350


def test_stores_and_web_do_not_know_each_other() -> None:
    for path in FILES:
        other = {"stores": "spigot.web.", "web": "spigot.stores."}.get(name_of(path))
        if other:
            assert not any(each.startswith(other) for each in imports_of(path)), path


def test_each_command_of_the_makefile_has_a_rule_and_says_what_it_does() -> None:
    text = (ROOT.parents[1] / "Makefile").read_text("utf-8")
    (names,) = re.findall(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    told = re.findall(r"^([a-z-]+):.*## ", text, re.MULTILINE)
    assert sorted(names.split()) == sorted(told)
