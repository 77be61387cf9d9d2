"""nginx as a plain proxy, which stores nothing and checks nothing: what passing on costs at least.

Behind it is a second server of the same nginx that answers 200 by itself, the fastest there is; or
a target of ours where it matters what arrived when. As many workers as processors, connections kept
alive on both sides, no access log, bodies in memory.
"""

from __future__ import annotations

import contextlib
import shutil
from typing import TYPE_CHECKING

from bench.process import free_port, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CONFIG = """
daemon off;
worker_processes auto;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    keepalive_requests 100000000;
    client_body_buffer_size 64k;
    client_body_temp_path {folder}/bodies;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    upstream behind {{
        server 127.0.0.1:{behind};
        keepalive 256;
        keepalive_requests 100000000;
    }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://behind;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }}
    }}
    {bare}
}}
"""

_BARE = 'server {{ listen 127.0.0.1:{port}; location / {{ return 200 "OK"; }} }}'


def missing() -> str:
    """Return why it cannot run, or nothing."""
    return "" if _program() else "nginx is not installed (Debian: apt-get install nginx-light)"


@contextlib.contextmanager
def serving(folder: Path, target: int | None = None) -> Iterator[tuple[int, int]]:
    """Run it; yield its port and its process id.

    Args:
        folder: A new folder for it.
        target: The port of what is behind it; None for one of its own.
    """
    folder.mkdir()
    port, behind = free_port(), target or free_port()
    bare = "" if target else _BARE.format(port=behind)
    config = folder / "nginx.conf"
    config.write_text(_CONFIG.format(folder=folder, port=port, behind=behind, bare=bare))
    command = [_program(), "-p", str(folder), "-c", str(config)]
    with running(command, port, folder / "log") as pid:
        yield port, pid


def _program() -> str:
    return shutil.which("nginx") or shutil.which("/usr/sbin/nginx") or ""
