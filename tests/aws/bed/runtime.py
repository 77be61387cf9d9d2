"""Lambda's Runtime API, for one function that runs under AWS's own runtime client."""

from __future__ import annotations

import http.server
import json
import os
import queue
import subprocess
import threading
import time
import uuid
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from aws.bed.emulator import HOME

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE = 60.0


class Result(NamedTuple):
    """What came of an invocation.

    Attributes:
        failed: The function raised, or was killed.
        said: What it returned, or AWS's description of the error.
    """

    failed: bool
    said: Any


class Runtime:
    """A function under awslambdaric; a context manager.

    Args:
        handler: Such as ``process_webhooks.handler``.
        code: The unpacked package.
        environment: The function's environment.
        timeout: Seconds after which an invocation is killed.

    Attributes:
        imports: Where Python lists each import.
    """

    def __init__(self, handler: str, code: Path, environment: dict[str, str], *,
                 timeout: float = PATIENCE) -> None:  # fmt: skip
        self._handler = handler
        self._code = code
        self._environment = environment
        self._timeout = timeout
        self.imports = code.parent / f"{uuid.uuid4().hex}.log"
        self._events: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self._results: queue.Queue[Result] = queue.Queue()
        self._server = _Server(("127.0.0.1", 0), type("Bound", (_Handler,), {"runtime": self}))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self) -> Self:
        self._thread.start()
        self._log = self.imports.open("wb")
        self._process = subprocess.Popen(
            [HOME / "bin" / "python", "-X", "importtime", "-m", "awslambdaric", self._handler],
            cwd=self._code,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(self._code),
                "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._server.server_port}",
                "AWS_LAMBDA_FUNCTION_NAME": "f",
                "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
                "LAMBDA_TASK_ROOT": str(self._code),
                "_HANDLER": self._handler,
                **self._environment,
            },
            stdout=self._log,
            stderr=self._log,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._log.close()
        self._events.put(("", b""))
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def start(self, event: dict[str, Any]) -> None:
        """Invoke it without waiting; leaving the context kills it whatever it does."""
        self._events.put((str(uuid.uuid4()), json.dumps(event).encode()))

    def invoke(self, event: dict[str, Any]) -> Result:
        """Invoke it, and kill it if it takes too long, as Lambda does."""
        self.start(event)
        try:
            return self._results.get(timeout=self._timeout)
        except queue.Empty:
            self._process.kill()
            return Result(failed=True, said={
                "errorType": "Sandbox.Timedout",
                "errorMessage": f"Error: Task timed out after {self._timeout:.2f} seconds",
            })  # fmt: skip

    def log(self) -> str:
        """Return what it has logged so far."""
        lines = self.imports.read_text("utf-8", "replace").splitlines()
        return "\n".join(one for one in lines if not one.startswith("import time:"))

    def imported(self) -> set[str]:
        """Return the modules that were imported so far, or tried to be."""
        lines = self.imports.read_text("utf-8", "replace").splitlines()
        return {one.rsplit("|", 1)[1].strip() for one in lines if one.startswith("import time:")}


class _Handler(http.server.BaseHTTPRequestHandler):
    runtime: Runtime
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        id_, event = self.runtime._events.get()
        if not id_:
            self._answer(410, b"")
            return
        deadline = int((time.time() + self.runtime._timeout) * 1000)
        self._answer(200, event, {
            "Lambda-Runtime-Aws-Request-Id": id_,
            "Lambda-Runtime-Deadline-Ms": str(deadline),
            "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:0:function:f",
            "Content-Type": "application/json",
        })  # fmt: skip

    def do_POST(self) -> None:
        said = json.loads(self._body() or b"null")
        self.runtime._results.put(Result(self.path.endswith("/error"), said))
        self._answer(202, b"{}")

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        whole = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            whole += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return whole

    def _answer(self, status: int, content: bytes, headers: dict[str, str] = {}) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Say nothing: functions are killed on purpose."""
