"""Requests to a Label Studio server through its SDK, with its errors explained."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from editjudge.errors import EditJudgeError
from editjudge.system.network import check_certificates, proxy_for

if TYPE_CHECKING:
    from label_studio_sdk.core.api_error import ApiError

LISTED_AT_ONCE = 5000
FETCHED_AT_ONCE = 500
"""Tasks per request; limited by the server's memory and, for requests by task number, by the length of a URL."""

_ANNOTATION = ("id", "result", "was_cancelled", "lead_time", "created_at", "updated_at", "completed_by")
_FETCHED = ",".join(("id", "data", "updated_at", *(f"annotations.{key}" for key in _ANNOTATION)))
"""Requested keys of tasks and of their annotations. An export contains more and takes longer."""

# Without `expand` the server builds a new serializer for the annotations of every task, which takes twice as long.
_WHOLE: Mapping[str, str | int] = {
    "fields": "all",
    "expand": "annotations",
    "include": _FETCHED,
    "page_size": FETCHED_AT_ONCE,
}

_NOT_STUDIO = "the answer is not one of Label Studio; is this the address of such a server?"

T = TypeVar("T")


class StudioError(EditJudgeError):
    """The Label Studio server is missing, refuses a request, or lacks expected content."""


class StudioProject(BaseModel):
    """The fields of a project on the server that EditJudge reads or compares."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    id: int
    title: str
    description: str | None
    created_at: datetime
    label_config: str | None = None
    expert_instruction: str | None = None
    show_instruction: bool | None = None
    show_skip_button: bool | None = None
    skip_queue: str | None = None
    enable_empty_annotation: bool | None = None
    maximum_annotations: int | None = None
    sampling: str | None = None
    show_collab_predictions: bool | None = None
    task_number: int | None = None
    total_annotations_number: int | None = None
    skipped_annotations_number: int | None = None
    """Counts are missing from the server's reply to a new project."""


class _Page(BaseModel):
    tasks: list[dict[str, Any]]
    total: int


class Studio:
    """A connection to one server. `StudioError` for refused requests, time-outs, and invalid responses.

    Requests are not retried: a slow server would add the tasks of an import twice. `NetworkError` when the server is
    remote and the environment's proxy settings are unusable.
    """

    def __init__(self, url: str, token: str, timeout_s: float = 120.0) -> None:
        import httpx
        from label_studio_sdk.client import LabelStudio

        self.url = url.rstrip("/")
        proxy = proxy_for(self.url)
        check_certificates()
        self._name = self.url if proxy is None else f"{self.url} (through the proxy of {proxy})"
        self._http = httpx.Client(
            timeout=httpx.Timeout(timeout_s, connect=10.0),
            # Our own transport: httpx would read the environment itself, and send loopback requests to a proxy.
            transport=httpx.HTTPTransport(proxy=None if proxy is None else proxy.url),
        )
        with self._asking("log in"):
            # Without the slash the SDK drops the URL's path when it exchanges a personal access token.
            self.sdk = LabelStudio(base_url=f"{self.url}/", api_key=token, httpx_client=self._http, max_retries=0)

    def __enter__(self) -> Studio:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def whoami(self) -> str:
        """Return the e-mail address of the token's account."""
        with self._asking("whose token this is"):
            return _attribute(self.sdk.users.whoami(), "email", str)

    def projects(self) -> list[StudioProject]:
        with self._asking("list of projects"):
            return [StudioProject.model_validate(project) for project in self.sdk.projects.list(page_size=100)]

    def project(self, project: int) -> StudioProject:
        with self._asking(f"project {project}"):
            return StudioProject.model_validate(self.sdk.projects.get(project))

    def create_project(self, values: Mapping[str, Any]) -> StudioProject:
        with self._asking(f"new project {values.get('title')!r}"):
            return StudioProject.model_validate(self.sdk.projects.create(**values))

    def update_project(self, project: int, values: Mapping[str, Any]) -> StudioProject:
        with self._asking(f"project {project}"):
            return StudioProject.model_validate(self.sdk.projects.update(project, **values))

    def import_tasks(self, project: int, tasks: Sequence[Mapping[str, Any]]) -> list[int]:
        """Add tasks. Return their ids, in order."""
        with self._asking(f"import into project {project}"):
            answer = self.sdk.projects.import_tasks(
                project, request=tasks, commit_to_project=True, return_task_ids=True
            )
            numbers = _attribute(answer, "task_ids", list[int])
        if len(numbers) != len(tasks):
            raise StudioError(
                f"{self.url}: import into project {project}: sent {len(tasks)} tasks, got {len(numbers)} numbers"
            )
        return numbers

    def list_tasks(self, project: int, since: str | None = None) -> dict[int, str]:
        """Return task number -> time of the last change of the task or one of its annotations.

        With `since`, a time in ISO 8601, only tasks changed then or later.
        """
        query: dict[str, str | int] = {"include": "id,updated_at", "page_size": LISTED_AT_ONCE}
        if since is not None:
            query |= _filter("updated_at", "greater_or_equal", "Datetime", since)
        return {int(task["id"]): str(task["updated_at"]) for page in self._pages(project, query) for task in page}

    def all_tasks(self, project: int) -> Iterator[list[dict[str, Any]]]:
        """Yield every task of a project with its data and annotations, page by page."""
        return self._pages(project, _WHOLE)

    def tasks_after(self, project: int, number: int) -> Iterator[list[dict[str, Any]]]:
        """Like `all_tasks`, only tasks with a higher number."""
        return self._pages(project, {**_WHOLE, **_filter("id", "greater", "Number", number)})

    def tasks_numbered(self, project: int, numbers: Sequence[int]) -> Iterator[list[dict[str, Any]]]:
        """Like `all_tasks`, only tasks with these numbers; deleted ones are missing."""
        for start in range(0, len(numbers), FETCHED_AT_ONCE):
            chosen = {"selectedItems": {"all": False, "included": [*numbers[start : start + FETCHED_AT_ONCE]]}}
            yield from self._pages(project, {**_WHOLE, "query": json.dumps(chosen, separators=(",", ":"))})

    def _pages(self, project: int, query: Mapping[str, str | int]) -> Iterator[list[dict[str, Any]]]:
        """Request pages directly: the SDK's `tasks.list` lacks `expand`, and builds an object for every annotation."""
        from label_studio_sdk.core.api_error import ApiError

        size, page, there = int(query["page_size"]), 1, 1
        while (page - 1) * size < there:
            with self._asking(f"tasks of project {project}"):
                answer = self.sdk._client_wrapper.httpx_client.request(
                    "api/tasks/", method="GET", params={"project": project, "page": page, **query}
                )
                if not answer.is_success:
                    raise ApiError(status_code=answer.status_code, headers=dict(answer.headers), body=answer.text)
                found = _Page.model_validate_json(answer.content)
            yield found.tasks
            there = found.total
            page += 1

    def delete_tasks(self, project: int) -> None:
        with self._asking(f"tasks of project {project}"):
            self.sdk.tasks.delete_all_tasks(project)

    def image_folders(self, project: int) -> list[str]:
        """Return the folders whose files a project may show."""
        with self._asking(f"image folders of project {project}"):
            return [_attribute(folder, "path", str) for folder in self.sdk.import_storage.local.list(project=project)]

    def add_image_folder(self, project: int, path: str) -> None:
        """Let a project show the files of a folder on the server's machine."""
        with self._asking(f"image folder {path}"):
            self.sdk.import_storage.local.create(project=project, title="images", path=path, use_blob_urls=True)

    def link(self, project: int, task: int | None = None) -> str:
        """Return the URL of a project, or of one of its tasks, for the browser."""
        return f"{self.url}/projects/{project}/data" + (f"?task={task}" if task is not None else "")

    @contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        """Raise errors of requests in the block as `StudioError` with the server and the request, `what`."""
        import httpx
        from label_studio_sdk.core.api_error import ApiError

        name = f"{self._name}: {what}"
        try:
            yield
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
        except ApiError as error:
            raise StudioError(f"{name}: {_refusal(error)}") from error
        except ValidationError as error:
            wrong = error.errors()[0]
            raise StudioError(f"{name}: {_NOT_STUDIO} ({wrong['loc']}: {wrong['msg']})") from error
        except (AttributeError, TypeError, ValueError) as error:  # raised by the SDK for unexpected or missing JSON
            raise StudioError(f"{name}: {_NOT_STUDIO} ({error})") from error


def _attribute(answer: object, name: str, kind: type[T]) -> T:
    """Return a validated attribute of an SDK response: the SDK accepts any JSON."""
    adapter: TypeAdapter[dict[str, T]] = TypeAdapter(dict[str, kind])  # type: ignore[valid-type]
    return adapter.validate_python({name: getattr(answer, name, None)})[name]


def _filter(column: str, operator: str, kind: str, value: str | int) -> dict[str, str]:
    """Return the query parameter for one filter of Label Studio's data manager."""
    item = {"filter": f"filter:tasks:{column}", "operator": operator, "type": kind, "value": value}
    return {"query": json.dumps({"filters": {"conjunction": "and", "items": [item]}})}


def _refusal(error: ApiError) -> str:
    """Explain a refused request, with the remedy."""
    status = error.status_code
    if status in (401, 403):
        return (
            f"the token is refused ({status}). For a server of your own set LABEL_STUDIO_API_KEY to a token of its "
            "account page; for the local one, stop it with `editjudge annotate serve RECIPE --stop` and serve again"
        )
    if status == 404:
        return "not found (404); was it deleted? `editjudge annotate push RECIPE` makes it again"
    if status is not None and status < 400:
        kind = (error.headers or {}).get("content-type", "no type")
        return f"{_NOT_STUDIO} ({kind}, no JSON)"
    return f"refused with status {status}: {_detail(error.body)}"


def _detail(body: Any) -> str:
    """Return the server's error text in one line; HTML pages are unreadable here and are left out."""
    if isinstance(body, str):
        return "no details" if "<html" in body.lower() else body.strip()[:300]
    details = (
        [str(body[key]) for key in ("detail", "validation_errors") if body.get(key)] if isinstance(body, dict) else []
    )
    return ("; ".join(details) or str(body))[:500]
