"""Replaces the `label-studio` command: a process that listens, knows its token, and can fail like the real one.

The content of the file `behaviour` next to its data selects what it does: "good", "die", "hang", "stubborn" (ignores
SIGTERM), "move" (takes the next free port, as Label Studio does when its own is busy).
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        known = self.headers.get("Authorization") == f"Token {os.environ['LABEL_STUDIO_USER_TOKEN']}"
        content = json.dumps({"email": os.environ["LABEL_STUDIO_USERNAME"]} if known else {"detail": "no"}).encode()
        self.send_response(200 if known else 401)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


def main() -> None:
    folder = Path(os.environ["LABEL_STUDIO_BASE_DATA_DIR"])
    told = folder / "behaviour"
    behaviour = told.read_text() if told.exists() else "good"
    print("token", os.environ["LABEL_STUDIO_USER_TOKEN"], "arguments", *sys.argv[1:], flush=True)
    (folder / "environment.json").write_text(json.dumps(dict(os.environ)))
    if behaviour == "die":
        print("no such table: users", flush=True)
        sys.exit(3)
    if behaviour == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if behaviour == "hang":
        time.sleep(3600)
    port = int(sys.argv[sys.argv.index("--port") + 1])
    if behaviour == "move":
        (folder / "behaviour").write_text("good")
        print(f"* Port {port} is in use.\n* Trying to start at {port + 1}", flush=True)
        port += 1
    listen(sys.argv[sys.argv.index("--internal-host") + 1], port, moves=behaviour == "move").serve_forever()


def listen(host: str, port: int, moves: bool) -> ThreadingHTTPServer:
    """Return a server on this port or, when it moves, on the next free one."""
    while True:
        try:
            return ThreadingHTTPServer((host, port), Handler)
        except OSError:
            if not moves:
                raise
            port += 1


if __name__ == "__main__":
    main()
