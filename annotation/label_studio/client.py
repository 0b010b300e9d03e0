"""What is asked of a Label Studio server, through its SDK, and what its refusals mean."""

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

_NOT_STUDIO = "the answer is not one of Label Studio; is this the address of such a server?"

T = TypeVar("T")


class StudioError(EditJudgeError):
    """The Label Studio server is missing, refuses, or does not hold what it should."""


class StudioProject(BaseModel):
    """A project as the server has it: what is read or compared of it."""

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
    """Counts are missing from the answer to a new project."""


class _Page(BaseModel):
    tasks: list[dict[str, Any]]
    total: int


class Studio:
    """A connection to one server. `StudioError` for every refusal, for silence, and for an answer that makes no sense.

    Requests are not repeated: a server that was only slow would add the tasks of an import twice. `NetworkError` when
    the server is elsewhere and the environment's proxy settings cannot be used.
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
            # A transport or proxy of ours: httpx would read the environment itself, and send loopback to a proxy.
            transport=httpx.HTTPTransport(proxy=None if proxy is None else proxy.url),
        )
        with self._asking("log in"):
            # The slash keeps a path of the address where the SDK exchanges a personal access token.
            self.sdk = LabelStudio(base_url=f"{self.url}/", api_key=token, httpx_client=self._http, max_retries=0)

    def __enter__(self) -> Studio:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def whoami(self) -> str:
        """The e-mail address of the account that the token belongs to."""
        with self._asking("whose token this is"):
            return _attribute(self.sdk.users.whoami(), "email", str)

    def projects(self) -> list[StudioProject]:
        """Every project."""
        with self._asking("list of projects"):
            return [StudioProject.model_validate(project) for project in self.sdk.projects.list(page_size=100)]

    def project(self, project: int) -> StudioProject:
        """One project."""
        with self._asking(f"project {project}"):
            return StudioProject.model_validate(self.sdk.projects.get(project))

    def create_project(self, values: Mapping[str, Any]) -> StudioProject:
        """A new project."""
        with self._asking(f"new project {values.get('title')!r}"):
            return StudioProject.model_validate(self.sdk.projects.create(**values))

    def update_project(self, project: int, values: Mapping[str, Any]) -> StudioProject:
        """Change a project."""
        with self._asking(f"project {project}"):
            return StudioProject.model_validate(self.sdk.projects.update(project, **values))

    def import_tasks(self, project: int, tasks: Sequence[Mapping[str, Any]]) -> list[int]:
        """Add tasks; the ids they got, in order."""
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
        """The SDK's `tasks.list` knows no `expand`, and builds a typed object of every annotation."""
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
        """Remove every task of a project."""
        with self._asking(f"tasks of project {project}"):
            self.sdk.tasks.delete_all_tasks(project)

    def image_folders(self, project: int) -> list[str]:
        """The folders whose files a project may show."""
        with self._asking(f"image folders of project {project}"):
            return [_attribute(folder, "path", str) for folder in self.sdk.import_storage.local.list(project=project)]

    def add_image_folder(self, project: int, path: str) -> None:
        """Let a project show the files of a folder of the server's machine."""
        with self._asking(f"image folder {path}"):
            self.sdk.import_storage.local.create(project=project, title="images", path=path, use_blob_urls=True)

    def link(self, project: int, task: int | None = None) -> str:
        """Address of a project, or of one of its tasks, in the browser."""
        return f"{self.url}/projects/{project}/data" + (f"?task={task}" if task is not None else "")

    @contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        """Errors of the requests in the block as `StudioError` that names the server and `what` was asked."""
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
        except (AttributeError, TypeError, ValueError) as error:  # the SDK's, for JSON of another shape and for none
            raise StudioError(f"{name}: {_NOT_STUDIO} ({error})") from error


def _attribute(answer: object, name: str, kind: type[T]) -> T:
    """Of an answer that the SDK read; it takes any JSON, so that nothing of it is certain."""
    adapter: TypeAdapter[dict[str, T]] = TypeAdapter(dict[str, kind])  # type: ignore[valid-type]
    return adapter.validate_python({name: getattr(answer, name, None)})[name]


def _filter(column: str, operator: str, kind: str, value: str | int) -> dict[str, str]:
    """The part of a query for tasks that lets one comparison of Label Studio's data manager through."""
    item = {"filter": f"filter:tasks:{column}", "operator": operator, "type": kind, "value": value}
    return {"query": json.dumps({"filters": {"conjunction": "and", "items": [item]}})}


def _refusal(error: ApiError) -> str:
    """What a refusal means and what to do."""
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
    """What the server says of a refusal, in one line; a page of HTML says nothing to a person here."""
    if isinstance(body, str):
        return "no details" if "<html" in body.lower() else body.strip()[:300]
    told = (
        [str(body[key]) for key in ("detail", "validation_errors") if body.get(key)] if isinstance(body, dict) else []
    )
    return ("; ".join(told) or str(body))[:500]
