"""A proxy that answers every request itself, wrongly, and records the requests."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class FakeProxy:
    """A proxy; `asked` contains the request lines it received."""

    url: str = ""
    asked: list[str] = field(default_factory=list)


@contextmanager
def fake_proxy() -> Iterator[FakeProxy]:
    """Yield a running proxy; it refuses everything with an HTML page, like a company's."""
    proxy = FakeProxy()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *arguments: object) -> None:
            pass

        def _refuse(self) -> None:
            proxy.asked.append(self.requestline)
            body = b"<html><body>Access denied</body></html>"
            self.send_response(403)
            self.send_header("content-type", "text/html")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_HEAD = do_POST = do_PATCH = do_DELETE = do_CONNECT = _refuse  # noqa: N815 - http.server's names

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    proxy.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
