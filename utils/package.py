"""Packs each Lambda with what it imports of Spigot: dist/NAME.zip, same code, same bytes.

A package holds the handler and the modules that its imports lead to, nothing that the Lambda
runtime brings. So an import of what a Lambda must not have is found here, and not when a webhook
comes.
"""

from __future__ import annotations

import ast
import io
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from spigot.errors import SpigotError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).parent.parent
LAMBDAS = ("process_webhooks", "send_from_queue")

MAX_BYTES = 100_000
"""What a package may have: it is loaded at each cold start."""

RUNTIME = frozenset({"boto3", "botocore", "urllib3"})
"""What AWS's Python runtime has besides the standard library, and Spigot uses."""

FOREIGN = frozenset({"sqlite3", "spigot.cli", "spigot.commands", "spigot.practice", "spigot.web"})
"""What belongs to the one-machine deployment or to a person's terminal."""

_EPOCH = (1980, 1, 1, 0, 0, 0)
_REGULAR_FILE = 0o100644 << 16
_UNIX = 3


def sources(handler: Path, root: Path = ROOT / "src") -> dict[str, Path]:
    """Return what belongs into a Lambda's package: the names there, and the files.

    Args:
        handler: The handler's file.
        root: The directory that holds the package ``spigot``.

    Raises:
        SpigotError: Something is imported that a Lambda does not have, or must not have.
    """
    found = {handler.name: handler}
    ahead = [handler]
    while ahead:
        path = ahead.pop()
        for module, optional in _imports(path, root):
            top = module.partition(".")[0]
            if any(module == one or module.startswith(f"{one}.") for one in FOREIGN):
                raise SpigotError(
                    f"{path.name} imports {module}, which has no place in a Lambda: move what needs"
                    " it to a module that the handler does not lead to."
                )
            if top == "spigot":
                for each in _files(module, root):
                    name = each.relative_to(root).as_posix()
                    if name not in found:
                        found[name] = each
                        ahead.append(each)
            elif not (optional or top in RUNTIME or top in sys.stdlib_module_names):
                raise SpigotError(
                    f"{path.name} imports {top}, which the Lambda runtime does not have: do without"
                    " it there, or import it in a try that catches ImportError."
                )
    return found


def pack(files: dict[str, Path]) -> bytes:
    """Return a zip of the files: sorted, with one time and mode for all."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = _REGULAR_FILE
            entry.create_system = _UNIX
            archive.writestr(entry, files[name].read_bytes(), compresslevel=9)
    return buffer.getvalue()


def _imports(path: Path, root: Path) -> Iterator[tuple[str, bool]]:
    """Yield the modules that a file imports, and whether it can do without."""
    yield from _of(ast.parse(path.read_text("utf-8")), root, optional=False)


def _of(node: ast.AST, root: Path, *, optional: bool) -> Iterator[tuple[str, bool]]:
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        return
    if isinstance(node, ast.Import):
        yield from ((alias.name, optional) for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        for alias in node.names:
            below = f"{node.module}.{alias.name}"
            yield (below if _is_module(below, root) else node.module), optional
    if isinstance(node, ast.Try) and any("ImportError" in _caught(one) for one in node.handlers):
        for part in node.body:
            yield from _of(part, root, optional=True)
        rest: Iterable[ast.AST] = (*node.handlers, *node.orelse, *node.finalbody)
    else:
        rest = ast.iter_child_nodes(node)
    for each in rest:
        yield from _of(each, root, optional=optional)


def _caught(handler: ast.ExceptHandler) -> str:
    return ast.unparse(handler.type) if handler.type else ""


def _is_module(name: str, root: Path) -> bool:
    path = root.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def _files(module: str, root: Path) -> Iterator[Path]:
    """Yield the files that an import of a module runs: its packages', then its own."""
    path = root
    for part in module.split("."):
        path /= part
        file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        if not file.is_file():
            raise SpigotError(f"{module} is imported, but there is no {file}: correct the import.")
        yield file


def build(lambdas: Path, dist: Path) -> list[Path]:
    """Write the package of each Lambda.

    Args:
        lambdas: A directory with ``NAME/NAME.py`` for each.
        dist: Where the packages go.

    Raises:
        SpigotError: One cannot be packed, or is too large.
    """
    written = []
    dist.mkdir(parents=True, exist_ok=True)
    for name in LAMBDAS:
        handler = lambdas / name / f"{name}.py"
        if not handler.is_file():
            raise SpigotError(f"There is no {handler}: it holds the handler of {name}.")
        files = sources(handler)
        content = pack(files)
        if len(content) > MAX_BYTES:
            raise SpigotError(
                f"The package of {name} has {len(content):,} bytes, {MAX_BYTES:,} at most: see"
                " what its imports lead to."
            )
        target = dist / f"{name}.zip"
        target.write_bytes(content)
        written.append(target)
        click.echo(f"{target}: {len(content):,} bytes, {len(files)} files")
    return written


@click.command()
@click.option("--lambdas", type=Path, default=ROOT / "lambdas", help="Where the handlers are.")
@click.option("--dist", type=Path, default=Path("dist"), help="Where the packages go.")
def main(lambdas: Path, dist: Path) -> None:
    """Pack the Lambdas."""
    try:
        build(lambdas, dist)
    except SpigotError as error:
        raise click.ClickException(str(error)) from None


if __name__ == "__main__":
    main()
