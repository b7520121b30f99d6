# SPDX-License-Identifier: MIT
"""The server of `scxval view`: two things to be had, the UI and one trace, and nothing else."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from scxval.errors import ScxvalError
from scxval.perfetto.serve import address, trace_server, ui_folder

Answer = tuple[int, dict[str, str], bytes]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ThreadingHTTPServer]:
    (tmp_path / "secret.txt").write_text("secret")
    trace = tmp_path / "a run, 100 %.pftrace"
    trace.write_bytes(b"\x0a\x00" * 1000)
    with trace_server(trace) as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.05,))
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def ask(
    server: ThreadingHTTPServer, path: str, method: str = "GET", host: str | None = None
) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.putrequest(method, path, skip_host=True)
    connection.putheader("Host", host or f"127.0.0.1:{server.server_port}")
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, dict(answer.getheaders()), body


def test_the_address_names_a_trace_that_is_there(
    server: ThreadingHTTPServer, tmp_path: Path
) -> None:
    trace = tmp_path / "a run, 100 %.pftrace"
    parts = urlsplit(address(server, trace))
    assert parts.hostname == "127.0.0.1" and parts.fragment.startswith("!/?")
    (url,) = parse_qs(parts.fragment.removeprefix("!/?"))["url"]
    status, headers, body = ask(server, urlsplit(url).path)
    assert (status, body) == (200, trace.read_bytes())
    assert headers["Content-Type"] == "application/octet-stream"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("", "text/html; charset=utf-8"),
        ("index.html", "text/html; charset=utf-8"),
        ("frontend_bundle.js", "text/javascript; charset=utf-8"),
        ("perfetto.css", "text/css; charset=utf-8"),
        ("trace_processor.wasm", "application/wasm"),
        ("stdlib_docs.json", "application/json"),
        ("assets/Roboto-400.woff2", "font/woff2"),
        ("assets/brand.png", "image/png"),
    ],
)
def test_files_of_the_ui_have_their_types(
    server: ThreadingHTTPServer, name: str, kind: str
) -> None:
    version = next(ui_folder().glob("v*"))
    path = f"/{version.name}/{name}" if name else "/"
    file = version / name if name else ui_folder() / "index.html"
    status, headers, body = ask(server, path)
    assert (status, headers["Content-Type"], body) == (200, kind, file.read_bytes())
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "connect-src 'self'" in headers["Content-Security-Policy"]
    status, headers, body = ask(server, path, "HEAD")
    assert (status, headers["Content-Length"], body) == (200, str(file.stat().st_size), b"")


@pytest.mark.parametrize(
    "path",
    [
        "/trace/",
        "/trace",
        "/trace/../secret.txt",
        "/trace/%2e%2e/secret.txt",
        "/trace/..%2fsecret.txt",
        "/trace/secret.txt",
        "/../viewer.py",
        "/%2e%2e/viewer.py",
        "//etc/passwd",
        "/etc/passwd",
        "/%00",
        "/" + "a" * 60000,
        "/trace/" + quote("a run, 100 %.pftrace") + "/",
        # A program that fetches another one: of no use in a browser.
        "/trace_processor",
    ],
)
def test_nothing_else_can_be_had(server: ThreadingHTTPServer, path: str) -> None:
    status, _, body = ask(server, path)
    assert (status, body) == (404, b"")


def test_folders_are_not_listed(server: ThreadingHTTPServer) -> None:
    version = next(ui_folder().glob("v*")).name
    for path in (f"/{version}", f"/{version}/", f"/{version}/assets/"):
        assert ask(server, path)[::2] == (404, b"")


def test_another_host_name_is_refused(server: ThreadingHTTPServer) -> None:
    assert ask(server, "/localtrace", host="evil.example:80")[::2] == (403, b"")
    assert ask(server, "/", host=f"localhost:{server.server_port}")[0] == 200


def test_other_methods_are_refused(server: ThreadingHTTPServer) -> None:
    assert ask(server, "/", "POST")[0] == 501
    assert ask(server, "/", "DELETE")[0] == 501


def test_only_this_machine_is_listened_to(server: ThreadingHTTPServer) -> None:
    assert server.server_address[0] == "127.0.0.1"
    with pytest.raises(OSError), socket.create_connection(("127.0.0.2", server.server_port), 2):
        pass


@pytest.mark.parametrize("bad", [70000, -1])
def test_no_such_port(tmp_path: Path, bad: int) -> None:
    with pytest.raises(ScxvalError, match=r"cannot listen on 127\.0\.0\.1"):
        trace_server(tmp_path / "x.pftrace", bad)


def test_a_port_that_is_taken(server: ThreadingHTTPServer, tmp_path: Path) -> None:
    with pytest.raises(ScxvalError, match="choose another with --port"):
        trace_server(tmp_path / "x.pftrace", server.server_port)
