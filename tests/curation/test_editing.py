from __future__ import annotations

import sys
from collections import Counter

import pytest
from children import NEVER_S
from curation_ground import Broken, Grey, make_context, stored_task
from factories import make_image
from PIL import Image
from pydantic import PrivateAttr, ValidationError

from curation.editing import EditStage
from curation.stage import Fail
from editjudge.editors.command import Command
from editjudge.editors.folder import Folder
from editjudge.errors import DataError, ImageError, StorageError
from editjudge.images.store import ImageStore

POOL = {f"g{level}": Grey(level=level) for level in range(6)}


def test_candidates_are_stored_under_their_task(tmp_path):
    task = stored_task(tmp_path)
    triplets = list(EditStage(editors=POOL, per_task=5).run([task], make_context(tmp_path)))
    assert len({triplet.editor for triplet in triplets}) == 5
    for triplet in triplets:
        assert triplet.edited.path == f"images/{task.id}/{triplet.id}.png"
        level = int(triplet.editor.removeprefix("grey-"))
        expected = (level, level, triplet.seed % 256)
        assert ImageStore(tmp_path).read(triplet.edited).getpixel((0, 0)) == expected


def test_neither_names_nor_order_of_the_pool_matter(tmp_path):
    task = stored_task(tmp_path)
    renamed = {f"other{name}": editor for name, editor in reversed(POOL.items())}
    first, second = (
        [(triplet.id, triplet.editor, triplet.seed) for triplet in stage.run([task], make_context(tmp_path))]
        for stage in (EditStage(editors=POOL, per_task=3), EditStage(editors=renamed, per_task=3))
    )
    assert first == second
    assert [row[0] for row in first] == sorted(row[0] for row in first)


def test_every_editor_gets_its_turn_and_no_place_gives_it_away(tmp_path):
    drawn, first = Counter(), Counter()
    for number in range(60):
        made = EditStage(editors=POOL, per_task=3).candidates(stored_task(tmp_path, id=f"task{number}"), seed=0)
        drawn.update(editor.identity for _, editor, _ in made)
        first.update([made[0][1].identity])
        assert [row[0] for row in made] == sorted(row[0] for row in made)
    assert all(15 <= drawn[editor.identity] <= 45 for editor in POOL.values())
    assert len(first) == 6


def test_a_broken_editor_costs_its_triplet_only(tmp_path):
    stage = EditStage(editors={"good": Grey(level=1), "bad": Broken()}, per_task=2)
    outcomes = list(stage.run([stored_task(tmp_path)], make_context(tmp_path)))
    failed = [outcome for outcome in outcomes if isinstance(outcome, Fail)]
    assert [failure.error for failure in failed] == ["broken: RuntimeError: out of paint"]
    assert [outcome.editor for outcome in outcomes if not isinstance(outcome, Fail)] == ["grey-1"]


class Batched(Grey):
    """Takes four tasks at a time, and writes down how many it was given."""

    _given: list[int] = PrivateAttr(default_factory=list)

    @property
    def batch(self) -> int:
        return 4

    def edit_many(self, asked, images):
        self._given.append(len(asked))
        for task, seed in asked:
            yield RuntimeError("no") if task.id == "task3" else self.edit(task, images, seed)


def test_an_editor_that_takes_batches_gets_them_and_gives_the_same(tmp_path):
    tasks = [stored_task(tmp_path, id=f"task{number}") for number in range(12)]
    batched, alone = Batched(level=1), Grey(level=1)
    others = {f"g{level}": Grey(level=level) for level in (2, 3)}
    found, expected = (
        list(EditStage(editors={"x": editor, **others}, per_task=2).run(tasks, make_context(tmp_path)))
        for editor in (batched, alone)
    )
    failed = [row for row in found if isinstance(row, Fail)]
    assert [row for row in found if row not in failed] == [row for row in expected if row.id not in failed_ids(failed)]
    assert all(row.error == "grey-1: RuntimeError: no" and row.row.id == "task3" for row in failed)
    assert len(batched._given) == 2
    assert sum(batched._given) == sum(row.editor == "grey-1" for row in expected)


def failed_ids(rows) -> set[str]:
    return {row.row_id for row in rows}


class Unstorable(Broken):
    """Gives what cannot be stored as an RGB picture."""

    def edit(self, task, images, seed):
        return Image.new("F", (8, 8))


def test_a_picture_that_cannot_be_stored_costs_its_triplet_only(tmp_path):
    (outcome,) = EditStage(editors={"bad": Unstorable()}, per_task=1).run(
        [stored_task(tmp_path)], make_context(tmp_path)
    )
    assert isinstance(outcome, Fail)
    assert "ImageError" in outcome.error


def test_a_corrupt_input_is_a_counted_failure(tmp_path):
    task = stored_task(tmp_path)
    (tmp_path / "images/before.png").write_bytes(b"not a picture")
    outcomes = list(EditStage(editors={"good": Grey(level=1)}, per_task=1).run([task], make_context(tmp_path)))
    assert [type(outcome) for outcome in outcomes] == [Fail]


def test_a_disk_that_cannot_be_written_ends_the_run(tmp_path):
    task = stored_task(tmp_path)
    (tmp_path / "images" / task.id).write_text("a file where the folder should be")
    with pytest.raises(StorageError):
        list(EditStage(editors={"good": Grey(level=1)}, per_task=1).run([task], make_context(tmp_path)))


@pytest.mark.parametrize(
    "values", [{"editors": POOL, "per_task": 7}, {"editors": {}}, {"editors": {"a": Broken(), "b": Broken()}}]
)
def test_a_pool_that_cannot_work_is_refused(values):
    with pytest.raises(ValidationError):
        EditStage(**{"per_task": 1, **values})


def test_folder_reads_what_was_made_elsewhere(tmp_path):
    task = stored_task(tmp_path)
    (tmp_path / "made").mkdir()
    picture = make_image(seed=7)
    picture.save(tmp_path / "made" / f"{task.id}.png")
    editor = Folder(folder=tmp_path / "made", label="model-x-1.0")
    assert editor.edit(task, ImageStore(tmp_path), 0).tobytes() == picture.tobytes()
    assert editor.identity == "model-x-1.0"


def test_folder_never_makes_an_image_up(tmp_path):
    task = stored_task(tmp_path)
    editor = Folder(folder=tmp_path / "made", label="x")
    with pytest.raises(DataError, match=r"task0\.png does not exist"):
        editor.edit(task, ImageStore(tmp_path), 0)
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "task0.png").write_bytes(b"\x89PNG broken")
    with pytest.raises(ImageError):
        editor.edit(task, ImageStore(tmp_path), 0)


def test_folder_stays_in_its_folder(tmp_path):
    task = stored_task(tmp_path, id="../secret")
    make_image().save(tmp_path / "secret.png")
    (tmp_path / "made").mkdir()
    with pytest.raises(DataError, match="outside"):
        Folder(folder=tmp_path / "made", label="x").edit(task, ImageStore(tmp_path), 0)


def python(code: str) -> tuple[str, ...]:
    """A command line that runs code with instruction, input, output and seed as arguments."""
    return (sys.executable, "-c", code, "{instruction}", "{input}", "{output}", "{seed}")


COPY = "import sys, shutil; assert sys.argv[1] == sys.argv[1].strip('\\0'); shutil.copy(sys.argv[2], sys.argv[3])"
ECHO = "import sys; from PIL import Image; Image.new('RGB', (len(sys.argv[1]), int(sys.argv[4]))).save(sys.argv[3])"


def test_command_gets_the_instruction_as_one_argument(tmp_path):
    words = 'Say "hi" {seed}; rm -rf $HOME `ls` && true'
    image = Command(argv=python(ECHO), label="echo").edit(
        stored_task(tmp_path, instruction=words), ImageStore(tmp_path), 9
    )
    assert image.size == (len(words), 9)


def test_command_gets_the_input(tmp_path):
    image = Command(argv=python(COPY), label="copy").edit(stored_task(tmp_path), ImageStore(tmp_path), 0)
    assert image.tobytes() == make_image().tobytes()


def test_command_gets_every_input(tmp_path):
    ref = stored_task(tmp_path).inputs[0]
    task = stored_task(tmp_path, inputs=(ref, ref, ref))
    count = "import sys; from PIL import Image; Image.new('RGB', (len(sys.argv) - 1, 1)).save(sys.argv[1])"
    image = Command(argv=(sys.executable, "-c", count, "{output}", "{input}"), label="count").edit(
        task, ImageStore(tmp_path), 0
    )
    assert image.size == (4, 1)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import sys; sys.exit('no paint left')", "1: no paint left"),
        ("pass", "without writing"),
    ],
)
def test_command_that_fails_says_why(code, message, tmp_path):
    with pytest.raises(RuntimeError, match=message):
        Command(argv=python(code), label="x").edit(stored_task(tmp_path), ImageStore(tmp_path), 0)


def test_command_that_hangs_is_ended_with_its_children(tmp_path):
    # The child holds standard error open: whoever waits for the end of that waits for the child.
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep({NEVER_S})'])"
    with pytest.raises(RuntimeError, match=r"longer than 0\.5 s"):
        Command(argv=python(code), label="x", timeout_s=0.5).edit(stored_task(tmp_path), ImageStore(tmp_path), 0)


def test_command_identity_follows_the_command_line():
    assert Command(argv=python(ECHO), label="x").identity != Command(argv=python(COPY), label="x").identity
    with pytest.raises(ValidationError, match="output"):
        Command(argv=("edit", "{input}"), label="x")
