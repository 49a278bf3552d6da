"""nginx, Debian's own: as the upstream that answers at once, and as the plain proxy beside ours."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
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
  {servers}
}}
"""
_UPSTREAM = """
  server {{
    listen 127.0.0.1:{upstream} backlog=4096;
    location / {{ default_type application/json; return 200 '{{"status":1}}'; }}
  }}
"""
_PROXIES = """
  upstream kept {{ server {target}; keepalive 1024; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{plain} backlog=4096;
    location / {{
      proxy_pass http://{target};
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }}
  }}
  server {{
    listen 127.0.0.1:{tuned} backlog=4096;
    location / {{
      proxy_pass http://kept;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }}
  }}
"""


@dataclass(frozen=True, slots=True)
class Proxies:
    """The origin of the proxy as a plain `proxy_pass` makes it, and of one that keeps its connections."""

    plain: str
    tuned: str


def is_there() -> bool:
    """Is nginx installed?"""
    return Path(BINARY).exists()


@contextmanager
def upstream(folder: Path, port: int | None = None) -> Iterator[str]:
    """The origin of an upstream that takes everything and answers as PostHog's capture does."""
    port = port or free_port()
    with _running(folder, _UPSTREAM.format(upstream=port), (port,)):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def proxies(folder: Path, origin: str) -> Iterator[Proxies]:
    """Proxies before an origin, in a process of their own like every proxy that is measured."""
    plain, tuned = free_port(), free_port()
    with _running(folder, _PROXIES.format(plain=plain, tuned=tuned, target=origin.partition("//")[2]), (plain, tuned)):
        yield Proxies(f"http://127.0.0.1:{plain}", f"http://127.0.0.1:{tuned}")


@contextmanager
def _running(folder: Path, servers: str, ports: tuple[int, ...]) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "nginx.conf"
    config.write_text(_CONFIG.format(folder=folder, servers=servers), encoding="utf-8")
    process = subprocess.Popen(
        [BINARY, "-p", str(folder), "-c", str(config), "-e", str(folder / "error.log")],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for port in ports:
            wait_for(port, lambda: process.poll() is not None)
        yield
    finally:
        process.terminate()
        process.wait(timeout=10)


def free_port() -> int:
    """A port nobody listens on just now."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def wait_for(port: int, is_over: Callable[[], bool]) -> None:
    """Wait until something listens; `RuntimeError` when it ended or never does."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        with closing(socket.socket()) as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if is_over():
            break
        time.sleep(0.02)
    raise RuntimeError(f"nothing listens on port {port}")
