"""API Gateway's mapping templates: airspeed renders them; here is what AWS hands to them."""

from __future__ import annotations

import base64
import functools
import json
import re
from typing import TYPE_CHECKING, Any

import airspeed

if TYPE_CHECKING:
    from collections.abc import Mapping


class Text(str):
    """A string with those of ``java.lang.String``'s methods that a template may call."""

    __slots__ = ()

    def replaceAll(self, pattern: str, by: str) -> Text:  # noqa: N802 - Java's name
        """Replace each match; `by` is taken as it is."""
        return Text(re.sub(pattern, lambda _: by, self))

    def replaceFirst(self, pattern: str, by: str) -> Text:  # noqa: N802 - Java's name
        """Replace the first match; `by` is taken as it is."""
        return Text(re.sub(pattern, lambda _: by, self, count=1))


class Input:
    """``$input``.

    Args:
        body: The body as text.
        headers: The headers; of a name that is repeated, the last.
        query: The query's parameters, decoded; likewise.
        path: The path's parameters.
    """

    def __init__(self, body: str, headers: Mapping[str, str] = {}, query: Mapping[str, str] = {},
                 path: Mapping[str, str] = {}) -> None:  # fmt: skip
        self.body = Text(body)
        self._parameters = {
            kind: {Text(name): Text(value) for name, value in values.items()}
            for kind, values in (("path", path), ("querystring", query), ("header", headers))
        }

    def params(self, name: str | None = None) -> Any:
        """Return all parameters, or the first of a name: of the path, the query, the headers."""
        if name is None:
            return self._parameters
        for kind, values in self._parameters.items():
            for each, value in values.items():
                if each == name or (kind == "header" and each.lower() == name.lower()):
                    return value
        return Text("")

    def path(self, expression: str) -> Any:
        """Return what ``$.name`` names in the body."""
        value = json.loads(self.body).get(expression.removeprefix("$."))
        return Text(value) if isinstance(value, str) else value

    def json(self, expression: str) -> str:
        """Return the whole body as JSON, parsed and written anew."""
        assert expression == "$"
        return json.dumps(json.loads(self.body))


_ESCAPES = {"'": "\\'", '"': '\\"', "\\": "\\\\", "/": "\\/", "\b": "\\b", "\n": "\\n",
            "\t": "\\t", "\f": "\\f", "\r": "\\r"}  # fmt: skip


class Util:
    """``$util``."""

    def escapeJavaScript(self, text: str) -> Text:  # noqa: N802 - AWS's name
        r"""Escape as commons-lang 2 does: an apostrophe becomes ``\'``, which is not JSON."""
        return Text("".join(_ESCAPES.get(char) or self._unit(char) for char in str(text)))

    def base64Encode(self, text: str) -> Text:  # noqa: N802 - AWS's name
        """Encode the text's UTF-8."""
        return Text(base64.b64encode(str(text).encode()).decode())

    @staticmethod
    def _unit(char: str) -> str:
        if " " <= char <= "\x7f":
            return char
        encoded = char.encode("utf-16-be").hex().upper()
        return "".join(f"\\u{encoded[at : at + 4]}" for at in range(0, len(encoded), 4))


@functools.cache
def _compiled(template: str) -> Any:
    return airspeed.Template(template)


def render(template: str, given: Input, variables: Mapping[str, str],
           context: Mapping[str, Any]) -> str:  # fmt: skip
    """Render a mapping template."""
    text: str = _compiled(template).merge(
        {
            "input": given,
            "util": Util(),
            "stageVariables": {name: Text(value) for name, value in variables.items()},
            "context": {
                name: Text(value) if isinstance(value, str) else value
                for name, value in context.items()
            },
        }
    )
    return text
