"""What is asked of a Label Studio server, and what its refusals mean."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from editjudge.errors import EditJudgeError
from editjudge.system.network import check_certificates, proxy_for

if TYPE_CHECKING:
    import httpx

ACCESS_LIFE_S = 240.0
"""Access tokens made from a personal access token live five minutes."""


LISTED_AT_ONCE = 5000
FETCHED_AT_ONCE = 500
"""Tasks per request; the server's memory and, where they are named, the length of an address set the limit."""

_ANNOTATION = ("id", "result", "was_cancelled", "lead_time", "created_at", "updated_at", "completed_by")
_FETCHED = ",".join(("id", "data", "updated_at", *(f"annotations.{key}" for key in _ANNOTATION)))
"""Keys of tasks, and of the annotations in them, that are asked for. An export holds more and takes longer."""

# Without `expand` the server builds a new serializer for the annotations of every task, which takes twice as long.
_WHOLE: Mapping[str, str | int] = {
    "fields": "all",
    "expand": "annotations",
    "include": _FETCHED,
    "page_size": FETCHED_AT_ONCE,
}

Query = Mapping[str, str | int] | Sequence[tuple[str, str | int]]


class StudioError(EditJudgeError):
    """The Label Studio server is missing, refuses, or does not hold what it should."""


class Studio:
    """A connection to one server. `StudioError` for every refusal and when nobody answers.

    `NetworkError` when the server is elsewhere and the environment's proxy settings cannot be used.
    """

    def __init__(self, url: str, token: str, timeout_s: float = 120.0) -> None:
        import httpx

        self.url = url.rstrip("/")
        self._token = token
        self._access: tuple[str, float] | None = None
        proxy = proxy_for(self.url)
        check_certificates()
        self._name = self.url if proxy is None else f"{self.url} (through the proxy of {proxy})"
        self._http = httpx.Client(
            base_url=self.url,
            timeout=httpx.Timeout(timeout_s, connect=10.0),
            # A transport or proxy of ours: httpx would read the environment itself, and send loopback to a proxy.
            transport=httpx.HTTPTransport(proxy=None if proxy is None else proxy.url),
        )

    def __enter__(self) -> Studio:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def whoami(self) -> dict[str, Any]:
        """The account that the token belongs to."""
        return self._mapping("GET", "/api/current-user/whoami")

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        query: Query | None = None,
        what: str | None = None,
    ) -> Any:
        """One request; the decoded JSON of its answer, None for an empty one. `what` names the thing in messages."""
        import httpx

        name = f"{self._name}: {what or f'{method} {path}'}"
        try:
            answer = self._http.request(
                method, path, json=body, params=_params(query), headers={"Authorization": self._authorization()}
            )
        except httpx.TimeoutException as error:
            raise StudioError(
                f"{name}: no answer within the time limit ({type(error).__name__}); the server is busy or hangs. "
                "Try again, or raise server.timeout_s"
            ) from error
        except httpx.HTTPError as error:
            raise StudioError(
                f"{name}: the server does not answer ({error or type(error).__name__}); start it (a local one with "
                "`editjudge annotate serve RECIPE`), then run this command again"
            ) from error
        return _content(answer, name)

    def _mapping(self, method: str, path: str, body: object = None, what: str | None = None) -> dict[str, Any]:
        found = self.call(method, path, body, what=what)
        if not isinstance(found, dict):
            raise StudioError(f"{self.url}: {what or path}: expected one object, got {str(found)[:80]}")
        return found

    def _authorization(self) -> str:
        """The header of a legacy token, or of an access token made from a personal access token (a JWT)."""
        if self._token.count(".") != 2:
            return f"Token {self._token}"
        now = time.monotonic()
        if self._access is None or now - self._access[1] > ACCESS_LIFE_S:
            answer = self._http.post("/api/token/refresh", json={"refresh": self._token})
            self._access = (str(_content(answer, f"{self._name}: log in")["access"]), now)
        return f"Bearer {self._access[0]}"

    def projects(self) -> list[dict[str, Any]]:
        """Every project, with title, description, label_config and counts."""
        found: list[dict[str, Any]] = []
        page = 1
        while True:
            answer = self.call("GET", "/api/projects", query={"page": page, "page_size": 100}, what="list of projects")
            found += answer["results"]
            if answer.get("next") is None:
                return found
            page += 1

    def project(self, project: int) -> dict[str, Any]:
        """One project."""
        return self._mapping("GET", f"/api/projects/{project}", what=f"project {project}")

    def create_project(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """A new project."""
        return self._mapping("POST", "/api/projects", values, what=f"new project {values.get('title')!r}")

    def update_project(self, project: int, values: Mapping[str, Any]) -> dict[str, Any]:
        """Change a project."""
        return self._mapping("PATCH", f"/api/projects/{project}", values, what=f"project {project}")

    def import_tasks(self, project: int, tasks: Sequence[Mapping[str, Any]]) -> list[int]:
        """Add tasks; the ids they got, in order."""
        path = f"/api/projects/{project}/import"
        answer = self.call(
            "POST", path, tasks, {"return_task_ids": "true", "commit_to_project": "true"}, f"import into {project}"
        )
        ids = answer.get("task_ids") if isinstance(answer, dict) else None
        if not isinstance(ids, list) or len(ids) != len(tasks):
            raise StudioError(
                f"{self.url}: import into project {project}: sent {len(tasks)} tasks, got {str(answer)[:200]}"
            )
        return [int(number) for number in ids]

    def list_tasks(self, project: int, since: str | None = None) -> dict[int, str]:
        """Number of every task of a project -> when it, or one of its annotations, changed last.

        With `since`, a moment in ISO 8601, only those that changed then or later.
        """
        query: dict[str, str | int] = {"include": "id,updated_at", "page_size": LISTED_AT_ONCE}
        if since is not None:
            query |= _filter("updated_at", "greater_or_equal", "Datetime", since)
        return {int(task["id"]): str(task["updated_at"]) for page in self._pages(project, query) for task in page}

    def all_tasks(self, project: int) -> Iterator[list[dict[str, Any]]]:
        """Every task of a project with its data and annotations; page by page."""
        return self._pages(project, _WHOLE)

    def tasks_after(self, project: int, number: int) -> Iterator[list[dict[str, Any]]]:
        """As `all_tasks`, only those that came after the one with this number."""
        return self._pages(project, {**_WHOLE, **_filter("id", "greater", "Number", number)})

    def tasks_numbered(self, project: int, numbers: Sequence[int]) -> Iterator[list[dict[str, Any]]]:
        """As `all_tasks`, only those with these numbers; those deleted meanwhile are missing."""
        for start in range(0, len(numbers), FETCHED_AT_ONCE):
            chosen = {"selectedItems": {"all": False, "included": [*numbers[start : start + FETCHED_AT_ONCE]]}}
            yield from self._pages(project, {**_WHOLE, "query": json.dumps(chosen, separators=(",", ":"))})

    def _pages(self, project: int, query: Mapping[str, str | int]) -> Iterator[list[dict[str, Any]]]:
        size, page, there = int(query["page_size"]), 1, 1
        while (page - 1) * size < there:
            asked: Query = {"project": project, "page": page, **query}
            answer = self.call("GET", "/api/tasks", query=asked, what=f"tasks of project {project}")
            yield answer["tasks"]
            there = int(answer["total"])
            page += 1

    def delete_tasks(self, project: int) -> None:
        """Remove every task of a project."""
        self.call("DELETE", f"/api/projects/{project}/tasks", what=f"tasks of project {project}")

    def local_storages(self, project: int) -> list[dict[str, Any]]:
        """The folders whose files a project may show."""
        found: list[dict[str, Any]] = self.call(
            "GET", "/api/storages/localfiles", query={"project": project}, what=f"image folders of project {project}"
        )
        return found

    def create_local_storage(self, values: Mapping[str, Any]) -> None:
        """Let a project show the files of a folder."""
        self.call("POST", "/api/storages/localfiles", values, what=f"image folder {values['path']}")

    def annotate(self, task: int, result: object, lead_time_s: float | None = None, skipped: bool = False) -> int:
        """Submit an annotation as the token's account; its number. The server checks nothing of `result`."""
        body = {"result": result, "lead_time": lead_time_s, "was_cancelled": skipped}
        return int(self.call("POST", f"/api/tasks/{task}/annotations", body, what=f"annotation of task {task}")["id"])

    def link(self, project: int, task: int | None = None) -> str:
        """Address of a project, or of one of its tasks, in the browser."""
        return f"{self.url}/projects/{project}/data" + (f"?task={task}" if task is not None else "")


def _filter(column: str, operator: str, kind: str, value: str | int) -> dict[str, str]:
    """The part of a query for tasks that lets one comparison of Label Studio's data manager through."""
    item = {"filter": f"filter:tasks:{column}", "operator": operator, "type": kind, "value": value}
    return {"query": json.dumps({"filters": {"conjunction": "and", "items": [item]}})}


def _params(query: Query | None) -> list[tuple[str, str | int | float | bool | None]]:
    return [*(query.items() if isinstance(query, Mapping) else query or ())]


def _content(answer: httpx.Response, name: str) -> Any:
    status = answer.status_code
    if status in (401, 403):
        raise StudioError(
            f"{name}: the token is refused ({status}). For a server of your own set LABEL_STUDIO_API_KEY to a token of "
            "its account page; for the local one, stop it with `editjudge annotate serve RECIPE --stop` and serve again"
        )
    if status == 404:
        raise StudioError(f"{name}: not found (404); was it deleted? `editjudge annotate push RECIPE` makes it again")
    if status >= 400:
        raise StudioError(f"{name}: refused with status {status}: {_detail(answer)}")
    if not answer.content:
        return None
    try:
        return answer.json()
    except ValueError as error:
        raise StudioError(
            f"{name}: the answer is no JSON ({answer.headers.get('content-type', 'no type')}); "
            "is this address a Label Studio server?"
        ) from error


def _detail(answer: httpx.Response) -> str:
    """What the server says of a refusal, in one line; a page of HTML says nothing to a person here."""
    try:
        body = answer.json()
    except ValueError:
        return "no details" if "<html" in answer.text.lower() else answer.text.strip()[:300]
    if isinstance(body, dict):
        told = [str(body[key]) for key in ("detail", "validation_errors") if body.get(key)]
        if told:
            return "; ".join(told)[:500]
    return str(body)[:500]
