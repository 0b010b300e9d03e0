"""A Hugging Face hub of one data set, over real HTTP: answers `huggingface_hub` when `datasets` loads by name."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@contextmanager
def fake_hub(name: str, folder: Path) -> Iterator[str]:
    """Yield the address of a hub that serves the files of `folder` as the data set `name` ("owner/name")."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *arguments: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self._answer()

        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            path = unquote(urlsplit(self.path).path)
            api, files = f"/api/datasets/{name}", f"/datasets/{name}/resolve/"
            if path.startswith(files):
                self._file(folder / path.removeprefix(files).partition("/")[2])
            elif path in (api, f"{api}/revision/main", f"{api}/revision/{COMMIT}"):
                siblings = [{"rfilename": row["path"]} for row in _entries(folder, "") if row["type"] == "file"]
                self._json({"id": name, "sha": COMMIT, "private": False, "tags": [], "siblings": siblings})
            elif path.startswith(f"{api}/tree/"):
                below = path.removeprefix(f"{api}/tree/").partition("/")[2]
                self._json(_entries(folder, below))
            elif path.startswith(f"{api}/paths-info/"):
                wanted = parse_qs(body.decode()).get("paths", []) or json.loads(body)["paths"]
                self._json([row for row in _entries(folder, "") if row["path"] in wanted])
            else:
                self._send(404, b"", {"X-Error-Code": "RepoNotFound"})

        def _file(self, path: Path) -> None:
            if not path.is_file():
                self._send(404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT})
                return
            content = path.read_bytes()
            etag = hashlib.sha256(content).hexdigest()
            self._send(200, content, {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"})

        def _json(self, value: object) -> None:
            self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

        def _send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _entries(folder: Path, below: str) -> list[dict[str, Any]]:
    rows = []
    for path in sorted((folder / below).rglob("*")):
        name, is_file = path.relative_to(folder).as_posix(), path.is_file()
        content = path.read_bytes() if is_file else b""
        oid = hashlib.sha1(content or name.encode()).hexdigest()
        rows.append({"type": "file" if is_file else "directory", "path": name, "size": len(content), "oid": oid})
    return rows
