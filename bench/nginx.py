"""nginx, Debian's own: as the upstream that answers at once, and as the plain proxy beside ours."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

BINARY = shutil.which("nginx") or "/usr/sbin/nginx"
START_SECONDS = 10.0

_CONFIG = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log crit;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  client_max_body_size 64m;
  client_body_buffer_size 4m;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  keepalive_requests 100000000;
  keepalive_timeout 600s;
  upstream posthog {{ server 127.0.0.1:{upstream}; }}
  server {{
    listen 127.0.0.1:{upstream} backlog=4096;
    location / {{ default_type application/json; return 200 '{{"status":1}}'; }}
  }}
  server {{
    listen 127.0.0.1:{proxy} backlog=4096;
    location / {{
      proxy_pass http://{target};
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }}
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class Nginx:
    """The origin of the upstream, and that of the proxy before it."""

    upstream: str
    proxy: str


def is_there() -> bool:
    """Is nginx installed?"""
    return Path(BINARY).exists()


@contextmanager
def serving(folder: Path, proxied: str | None = None) -> Iterator[Nginx]:
    """Start both; `proxied` (host:port) is another upstream for the proxy than nginx itself."""
    folder.mkdir(parents=True, exist_ok=True)
    upstream, proxy = free_port(), free_port()
    config = folder / "nginx.conf"
    target = proxied or "posthog"
    config.write_text(_CONFIG.format(folder=folder, upstream=upstream, proxy=proxy, target=target), encoding="utf-8")
    process = subprocess.Popen(
        [BINARY, "-p", str(folder), "-c", str(config), "-e", str(folder / "error.log")],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for port in (upstream, proxy):
            wait_for(port, lambda: process.poll() is not None)
        yield Nginx(f"http://127.0.0.1:{upstream}", f"http://127.0.0.1:{proxy}")
    finally:
        process.terminate()
        process.wait(timeout=10)


def free_port() -> int:
    """A port nobody listens on just now."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def wait_for(port: int, is_over: object) -> None:
    """Wait until something listens; `RuntimeError` when it ended or never does."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        with closing(socket.socket()) as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if callable(is_over) and is_over():
            break
        time.sleep(0.02)
    raise RuntimeError(f"nothing listens on port {port}")
