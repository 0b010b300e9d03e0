"""A small HTTP server that answers like Label Studio, for faults that a real one cannot produce on demand."""

from __future__ import annotations

import json
import operator
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "0123456789abcdef0123456789abcdef01234567"
PAGE_404 = b"<!doctype html><html><body><h1>404 Page not found</h1></body></html>"

Answer = tuple[int, object]
Fault = Callable[["FakeStudio", str, str], Answer | None]
"""Returns the answer to send instead, or None, given server, method and path. It may also stop the server."""


class FakeStudio:
    """Projects, tasks and annotations in memory. `requests` lists the received requests."""

    def __init__(self) -> None:
        self.projects: dict[int, dict[str, Any]] = {}
        self.tasks: dict[int, dict[str, Any]] = {}
        self.storages: list[dict[str, Any]] = []
        self.requests: list[str] = []
        self.fault: Fault | None = None
        self.watch: Callable[[FakeStudio, str, str, dict[str, str]], None] | None = None
        """Called with every request that is answered."""
        self.dead = False
        self.access: dict[str, str] = {}
        """Personal access token -> the access token that it is exchanged for."""
        self._clock = datetime(2026, 1, 1, tzinfo=timezone.utc)
        self._numbers = iter(range(1, 10**9))
        self.url = ""

    def now(self) -> str:
        """Return a time that never repeats."""
        self._clock += timedelta(seconds=30)
        return self._clock.isoformat().replace("+00:00", "Z")

    def annotate(self, task: int, result: object, **changes: Any) -> int:
        """Submit an annotation and return its id."""
        number, moment = next(self._numbers), self.now()
        values = {"id": number, "result": result, "was_cancelled": False, "lead_time": 20.0, "completed_by": 1}
        self.tasks[task]["annotations"].append(values | {"created_at": moment, "updated_at": moment} | changes)
        self.tasks[task]["updated_at"] = moment
        return number

    def remove(self, task: int, annotation: int) -> None:
        """Delete an annotation."""
        row = self.tasks[task]
        row["annotations"] = [item for item in row["annotations"] if item["id"] != annotation]
        row["updated_at"] = self.now()

    def of_group(self, project: int, group_id: str) -> int:
        """Return the id of a group's task."""
        return next(
            number
            for number, task in self.tasks.items()
            if task["project"] == project and task["data"].get("group_id") == group_id
        )

    def project_of(self, unit: str) -> int:
        """Return the id of a unit's project."""
        return next(key for key, project in self.projects.items() if project["title"].endswith(f"- {unit}"))

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Answer:
        """Return Label Studio's answer."""
        parts = path.strip("/").split("/")
        if path == "/api/token/refresh":
            access = self.access.get(body["refresh"])
            return (200, {"access": access}) if access else (401, {"detail": "Token is invalid"})
        if path == "/api/current-user/whoami":
            return 200, {"email": "admin@example.com"}
        if path == "/api/projects" and method == "GET":
            size, page = int(query["page_size"]), int(query["page"])
            rows = [self._project(key) for key in self.projects][(page - 1) * size : page * size]
            return (200, {"results": rows, "count": len(self.projects)}) if rows or page == 1 else (404, PAGE_404)
        if path == "/api/projects" and method == "POST":
            number = next(self._numbers)
            self.projects[number] = {**body, "id": number, "created_at": self.now()}
            return 201, self.projects[number] | dict.fromkeys(self._counts(number))
        if path == "/api/storages/localfiles" and method == "POST":
            self.storages.append(body)
            return 201, body
        if path == "/api/storages/localfiles":
            return 200, [row for row in self.storages if str(row["project"]) == query.get("project")]
        if path == "/api/tasks":
            return self._list(int(query["project"]), query)
        if parts[:2] == ["api", "projects"] and int(parts[2]) in self.projects:
            return self._in_project(method, int(parts[2]), parts[3:], body)
        return 404, PAGE_404

    def _in_project(self, method: str, project: int, rest: list[str], body: Any) -> Answer:
        if not rest:
            self.projects[project] |= body if method == "PATCH" else {}
            return 200, self._project(project)
        if rest == ["import"]:
            numbers = [next(self._numbers) for _ in body]
            for number, row in zip(numbers, body, strict=True):
                self.tasks[number] = {
                    "id": number,
                    "project": project,
                    "annotations": [],
                    "updated_at": self.now(),
                    **row,
                }
            return 201, {"task_count": len(numbers), "task_ids": numbers}
        if rest == ["tasks"] and method == "DELETE":
            self.tasks = {key: task for key, task in self.tasks.items() if task["project"] != project}
            return 204, None
        return 404, PAGE_404

    def _project(self, number: int) -> dict[str, Any]:
        return self.projects[number] | self._counts(number)

    def _counts(self, number: int) -> dict[str, int]:
        given = [item for task in self.tasks.values() if task["project"] == number for item in task["annotations"]]
        skipped = sum(item["was_cancelled"] for item in given)
        return {
            "task_number": sum(task["project"] == number for task in self.tasks.values()),
            "total_annotations_number": len(given) - skipped,
            "skipped_annotations_number": skipped,
        }

    def _list(self, project: int, query: dict[str, str]) -> Answer:
        rows = [task for task in self.tasks.values() if task["project"] == project]
        asked = json.loads(query.get("query", "{}"))
        if "selectedItems" in asked:
            rows = [task for task in rows if task["id"] in asked["selectedItems"]["included"]]
        for item in asked.get("filters", {}).get("items", ()):
            column, value = item["filter"].removeprefix("filter:tasks:"), item["value"]
            if column == "updated_at":
                try:
                    value = datetime.strptime(value, "%Y-%m-%dT%H:%M:%S.%fZ").isoformat() + "Z"
                except ValueError as error:
                    return 500, {"detail": str(error)}
            compare = {"greater": operator.gt, "greater_or_equal": operator.ge}[item["operator"]]
            rows = [task for task in rows if compare(task[column], value)]
        if query.get("fields") != "all":
            rows = [{key: task[key] for key in ("id", "updated_at")} for task in rows]
        size, page = int(query["page_size"]), int(query.get("page", 1))
        return 200, {"tasks": rows[(page - 1) * size : page * size], "total": len(rows)}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # head and body in one packet, otherwise each answer waits for an acknowledgement
    studio: FakeStudio

    def _serve(self) -> None:
        studio, split = self.studio, urlsplit(self.path)
        path = split.path.rstrip("/")
        length = int(self.headers.get("Content-Length", 0))
        body = json.loads(self.rfile.read(length)) if length else None
        studio.requests.append(f"{self.command} {path}")
        if studio.dead:
            self.close_connection = True
            return
        accepted = (f"Token {TOKEN}", *(f"Bearer {token}" for token in studio.access.values()))
        if path != "/api/token/refresh" and self.headers.get("Authorization") not in accepted:
            self._send(401, {"detail": "Invalid token."})
            return
        found = studio.fault(studio, self.command, path) if studio.fault is not None else None
        if studio.dead:
            self.close_connection = True
            return
        query = {key: values[0] for key, values in parse_qs(split.query).items()}
        if studio.watch is not None:
            studio.watch(studio, self.command, path, query)
        self._send(*(found if found is not None else studio.answer(self.command, path, query, body)))

    do_GET = do_POST = do_PATCH = do_DELETE = _serve  # noqa: N815 - http.server's names

    def _send(self, status: int, body: object) -> None:
        plain = isinstance(body, bytes)
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html" if plain else "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


@contextmanager
def fake_studio() -> Iterator[FakeStudio]:
    """Yield a server on a free port for the duration of the block."""
    studio = FakeStudio()
    handler = type("Handler", (_Handler,), {"studio": studio})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        studio.url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield studio
        finally:
            server.shutdown()
            thread.join()
