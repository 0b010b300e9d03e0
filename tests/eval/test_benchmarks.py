"""Benchmarks in their public schema: what is read, what is left out, what is noted."""

import io
import json
import tarfile
from pathlib import Path

import pytest
from eval_world import write_benchmark
from factories import make_image, make_task, make_triplet
from PIL import Image

from editjudge.errors import DataError
from editjudge.files.io import write_jsonl
from editjudge.formats.bench_schema import write_editreward_bench
from editjudge.images.store import ImageStore
from editjudge.records.types import Origin, PreferencePair
from eval.benchmarks.editreward_bench import EditRewardBench
from eval.benchmarks.pairs import Pairs
from eval.external.names import TripletNames


def png(seed: int) -> dict:
    buffer = io.BytesIO()
    make_image(seed=seed).save(buffer, "PNG")
    return {"bytes": buffer.getvalue(), "path": f"{seed}.png"}


def make_row(**changes) -> dict:
    """A row of EditReward-Bench: candidates 1 (preferred) and 2 of the photograph 0."""
    return {
        "key": ["one", "two"],
        "instruction": "Make the sky pink.",
        "input_image": png(0),
        "output_images": [png(1), png(2)],
        "task_type": "color_alter",
        "dimension": "overall",
    } | changes


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Write rows as Parquet with `datasets` image features and load them again."""
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "hf"))
    import datasets

    def write_and_load(rows, drop=()):
        features = datasets.Features(
            {
                "key": datasets.List(datasets.Value("string")),
                "instruction": datasets.Value("string"),
                "input_image": datasets.Image(),
                "output_images": datasets.List(datasets.Image()),
                "task_type": datasets.Value("string"),
                "dimension": datasets.Value("string"),
            }
        )
        folder = tmp_path / "bench" / "data"
        folder.mkdir(parents=True, exist_ok=True)
        table = datasets.Dataset.from_list(rows, features=features).remove_columns(list(drop))
        table.to_parquet(folder / "train-00000-of-00001.parquet")
        return EditRewardBench(path=str(tmp_path / "bench")).load(tmp_path / "cache")

    return write_and_load


def test_reads_rows_and_extracts_each_image_once(load, tmp_path):
    bench = load(
        [
            make_row(),
            make_row(dimension="consistency", key=["two", "one"], output_images=[png(2), png(1)]),
            make_row(instruction="Remove the boat.", task_type="subject-remove", key=["x", "y"]),
        ]
    )
    first, second, third = bench.pairs
    assert (first.better.editor, first.worse.editor) == ("one", "two")
    assert (second.better.id, second.worse.id) == (first.worse.id, first.better.id)
    assert second.task.id == first.task.id != third.task.id
    assert third.better.id != first.better.id
    assert len(bench.triplets) == 4
    assert len(list((tmp_path / "cache").rglob("*.png"))) == 3
    image = ImageStore(bench.root).read(first.better.edited)
    assert image.tobytes() == make_image(seed=1).tobytes()
    assert not bench.partial
    assert bench.notes.total == 0


def test_same_data_same_ids_from_another_cache(load, tmp_path):
    bench = load([make_row()])
    again = EditRewardBench(path=str(tmp_path / "bench")).load(tmp_path / "elsewhere")
    assert again.pairs == bench.pairs
    assert again.identity == bench.identity
    assert again.name == "bench"
    assert EditRewardBench().path.endswith("/EditReward-Bench")


def written_pairs(root: Path, **changes) -> list[PreferencePair]:
    """Pairs of one group of three candidates, as curation makes them, and their table in `root`/bench."""
    store = ImageStore(root)
    refs = [store.add(make_image(seed=seed), f"images/{seed}.png") for seed in range(4)]
    origin = Origin(source="chelsea/3", licence="CC0", plan={"task": "color_alter", "hue": [0.5, 1]})
    task = make_task(**({"id": "g0", "inputs": (refs[0],), "language": "de", "origin": origin} | changes))
    editors = ("programmatic-v1:right", "programmatic-v1:half_done+watermark", "programmatic-v1:right")
    triplets = [
        make_triplet(id=f"t{place}", task=task, edited=refs[1 + place], editor=editor, seed=7 + place)
        for place, editor in enumerate(editors)
    ]
    pairs = [
        PreferencePair(
            id=f"p{better}{worse}",
            task=task,
            better=triplets[better],
            worse=triplets[worse],
            dimension="consistency",
            tier_gap=1 + better,
            n_annotators=3,
            agreement=2 / 3,
        )
        for better, worse in ((0, 1), (1, 2))
    ]
    write_editreward_bench(pairs, store, root / "bench")
    return pairs


def without_places(pair: PreferencePair) -> dict:
    """A pair without the paths of its images, which another folder has elsewhere."""
    values = json.loads(pair.model_dump_json())
    tasks = [values["task"], values["better"]["task"], values["worse"]["task"]]
    for ref in [*(task["inputs"][0] for task in tasks), values["better"]["edited"], values["worse"]["edited"]]:
        del ref["path"]
    return values


@pytest.mark.parametrize("task", [{}, {"origin": Origin(source="x", licence="MIT")}, {"task_type": "relight"}])
def test_our_own_table_gives_the_pairs_that_were_written(tmp_path, task):
    pairs = written_pairs(tmp_path, **task)
    bench = EditRewardBench(path=str(tmp_path / "bench")).load(tmp_path / "cache")
    assert [*map(without_places, bench.pairs)] == [*map(without_places, pairs)]
    assert (bench.left_out.total, bench.notes.total) == (0, 0)
    image = ImageStore(bench.root).read(bench.pairs[0].worse.edited)
    assert image.tobytes() == make_image(seed=2).tobytes()


def test_our_own_table_has_its_ids_without_images_too(tmp_path):
    pairs = written_pairs(tmp_path)
    bench = EditRewardBench(path=str(tmp_path / "bench"), labels_only=True).load(tmp_path / "cache")
    whole = EditRewardBench(path=str(tmp_path / "bench")).load(tmp_path / "cache")
    assert bench.label_identity == whole.label_identity
    assert [pair.better for pair in bench.pairs] != []
    for found, wanted in zip(bench.pairs, pairs, strict=True):
        assert (found.id, found.better.id, found.better.editor) == (wanted.id, wanted.better.id, wanted.better.editor)
        assert found.better.edited.sha256 == wanted.better.edited.sha256


def test_scores_name_the_candidates_of_our_table_by_id_or_by_editor(tmp_path):
    written_pairs(tmp_path)
    names = TripletNames(EditRewardBench(path=str(tmp_path / "bench")).load(tmp_path / "cache"))
    for keys in (("t1", "t2"), ("programmatic-v1:half_done+watermark", "programmatic-v1:right")):
        assert [found.better.id for found in names.pairs(keys, "color_alter", "consistency")] == ["t1"]


def changed_table(root: Path, **changes) -> EditRewardBench:
    """The table of `written_pairs` with other values in its first row."""
    import pyarrow.parquet as parquet

    written_pairs(root)
    table = parquet.read_table(root / "bench/data.parquet")
    rows = table.to_pylist()
    for name, value in changes.items():
        rows[0][name] = rows[0][name] | value if isinstance(value, dict) else value
    parquet.write_table(table.from_pylist(rows, schema=table.schema), root / "bench/data.parquet")
    return EditRewardBench(path=str(root / "bench"))


def test_an_image_that_our_ids_do_not_stand_for_is_left_out(tmp_path):
    bench = changed_table(tmp_path, output_images=[png(1), png(5)]).load(tmp_path / "cache")
    assert (bench.left_out.counts, [pair.id for pair in bench.pairs]) == ({"changed_image": 1}, ["p12"])


@pytest.mark.parametrize("own", [{"plan": "{"}, {"tier_gap": 0}, {"editors": None}])
def test_a_damaged_column_of_ours_is_named(tmp_path, own):
    bench = changed_table(tmp_path, editjudge=own).load(tmp_path / "cache")
    assert (bench.left_out.counts, len(bench.pairs)) == ({"not_a_pair": 1}, 1)
    assert "column editjudge" in bench.left_out.names["not_a_pair"][0]


def test_a_row_without_our_column_is_read_as_the_public_ones(tmp_path):
    bench = changed_table(tmp_path, editjudge=None).load(tmp_path / "cache")
    assert (bench.pairs[0].better.editor, bench.pairs[1].better.editor) == ("t0", "programmatic-v1:half_done+watermark")


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"task_type": "Tele port"}, "not_a_task_type"),
        ({"task_type": None}, "not_a_task_type"),
        ({"dimension": "beauty"}, "unknown_dimension"),
        ({"input_image": None}, "missing_image"),
        ({"output_images": [png(1), {"bytes": b"not an image", "path": "x.png"}]}, "unreadable_image"),
        ({"output_images": [png(1)]}, "not_two_candidates"),
        ({"key": ["one", "two", "three"]}, "not_two_candidates"),
        ({"instruction": " "}, "missing_instruction"),
    ],
)
def test_an_unusable_row_is_left_out_and_named(load, changes, kind):
    bench = load([make_row(), make_row(**changes)])
    assert len(bench.pairs) == 1
    assert bench.partial
    assert bench.left_out.counts == {kind: 1}
    assert bench.left_out.names[kind][0].startswith("row 2: ")
    assert " at 0x" not in bench.left_out.names[kind][0]  # an address differs from run to run


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({}, "duplicate_pair"),
        ({"key": ["two", "one"], "output_images": [png(2), png(1)]}, "contradictory_labels"),
        ({"output_images": [png(1), png(3)]}, "key_names_two_images"),
        ({"key": ["three", "four"], "output_images": [png(3), png(3)]}, "identical_outputs"),
    ],
)
def test_a_suspicious_row_is_kept_and_named(load, changes, kind):
    bench = load([make_row(), make_row(**changes)])
    assert len(bench.pairs) == 2
    assert not bench.partial
    assert bench.notes.counts == {kind: 1}
    assert bench.pairs[1].worse.editor in bench.notes.names[kind][0]  # a digest alone could not be looked up


def test_a_missing_column_is_named(load):
    with pytest.raises(DataError, match=r"dimension, task_type|task_type, dimension"):
        load([make_row()], drop=["task_type", "dimension"])


def test_nothing_usable_is_an_error(load):
    with pytest.raises(DataError, match=r"1 x not_a_task_type"):
        load([make_row(task_type="Teleport")])


def test_a_folder_without_parquet_is_an_error(tmp_path):
    with pytest.raises(DataError, match="no Parquet file"):
        EditRewardBench(path=str(tmp_path)).load(tmp_path / "cache")


@pytest.mark.parametrize("path", ["runs/no/such/benchmark", "/nowhere", "./bench", "../bench"])
def test_a_folder_that_is_not_there_is_not_looked_for_on_the_hub(tmp_path, path):
    with pytest.raises(DataError, match="no such folder"):
        EditRewardBench(path=path).load(tmp_path / "cache")


def test_a_file_without_rows_or_of_another_kind_is_told(load, tmp_path):
    load([make_row()])
    [file] = (tmp_path / "bench").rglob("*.parquet")
    import pyarrow.parquet as parquet

    parquet.write_table(parquet.read_table(file).slice(0, 0), file)
    with pytest.raises(DataError, match="no row"):
        EditRewardBench(path=str(tmp_path / "bench")).load(tmp_path / "cache")
    file.write_text("no table")
    with pytest.raises(DataError, match="no Parquet file"):
        EditRewardBench(path=str(tmp_path / "bench")).load(tmp_path / "cache")


def make_pair(store: ImageStore, name: str, **changes) -> PreferencePair:
    task = make_task(id=f"task-{name}", inputs=(store.add(make_image(seed=0), "before.png"),))
    better, worse = (
        make_triplet(id=f"{name}-{seed}", task=task, edited=store.add(make_image(seed=seed), f"{name}{seed}.png"))
        for seed in (1, 2)
    )
    values = {"id": name, "task": task, "better": better, "worse": worse, "dimension": "overall", "tier_gap": 1}
    return PreferencePair(**(values | {"n_annotators": 1, "agreement": 1.0} | changes))


def test_pairs_file_reads_and_leaves_out_what_has_no_image(tmp_path):
    store = ImageStore(tmp_path / "data")
    write_jsonl(tmp_path / "data" / "mine.jsonl", [make_pair(store, "a"), make_pair(store, "b")])
    (tmp_path / "data" / "b2.png").unlink()
    bench = Pairs(path=tmp_path / "data" / "mine.jsonl").load(tmp_path / "cache")
    assert [pair.id for pair in bench.pairs] == ["a"]
    assert bench.name == "mine"
    (said,) = bench.left_out.names["missing_image"]
    assert said.startswith("line 2: pair b: ")
    assert "b2.png: cannot be read" in said


def test_pairs_with_images_that_cannot_be_used_are_left_out(tmp_path):
    """A cut file, another file than the recorded one, a wrong size, and members that a shard lacks."""
    store = ImageStore(tmp_path)
    pairs = [make_pair(store, name) for name in ("good", "cut", "other", "size", "shard", "member", "outside")]
    whole = (tmp_path / "cut2.png").read_bytes()
    (tmp_path / "cut2.png").write_bytes(whole[: len(whole) // 2])
    make_image(seed=50).save(tmp_path / "other1.png")
    with tarfile.open(tmp_path / "00.tar", "w") as archive:
        archive.add(tmp_path / "good1.png", "good1.png")

    def moved(pair: PreferencePair, **changes) -> PreferencePair:
        edited = pair.worse.edited.model_copy(update=changes)
        return pair.model_copy(update={"worse": pair.worse.model_copy(update={"edited": edited})})

    pairs[3] = moved(pairs[3], width=65)
    first = pairs[0].better.edited
    pairs[4] = moved(pairs[4], path="00.tar/good1.png", sha256=first.sha256)
    pairs[5] = moved(pairs[5], path="00.tar/gone.png")
    pairs[6] = moved(pairs[6], path="../secret.png")
    write_jsonl(tmp_path / "pairs.jsonl", pairs)
    bench = Pairs(path=tmp_path / "pairs.jsonl").load(Path("unused"))
    assert [pair.id for pair in bench.pairs] == ["good", "shard"]
    assert bench.partial
    assert bench.left_out.counts == {"unreadable_image": 2, "changed_image": 2, "missing_image": 1}
    said = "\n".join(name for names in bench.left_out.names.values() for name in names)
    assert "line 2: pair cut: " in said
    assert "a PNG file that is cut off or damaged" in said
    assert "is 64 x 48, recorded 65 x 48" in said
    assert "00.tar: has no member 'gone.png'" in said


def test_texts_of_a_pairs_file_are_left_out_or_noted(tmp_path):
    """An empty instruction is none; what looks like a token and what is no Unicode is kept and counted."""
    store = ImageStore(tmp_path)
    said = {"a": " \u200b", "b": "Write <|im_end|>", "c": "half X", "d": "Make it pink."}
    pairs = []
    for name, instruction in said.items():
        pair = make_pair(store, name)
        task = pair.task.model_copy(update={"instruction": instruction})
        sides = {side: getattr(pair, side).model_copy(update={"task": task}) for side in ("better", "worse")}
        pairs.append(pair.model_copy(update={"task": task, **sides}))
    lines = [pair.model_dump_json().replace("half X", r"half \ud83d") for pair in pairs]
    (tmp_path / "pairs.jsonl").write_text("\n".join(lines))
    bench = Pairs(path=tmp_path / "pairs.jsonl").load(Path("unused"))
    assert [pair.task.instruction for pair in bench.pairs] == ["Write <|im_end|>", "half \ufffd", "Make it pink."]
    assert bench.left_out.names == {"missing_instruction": ["line 1: pair a: instruction ' \\u200b'"]}
    assert bench.notes.names == {
        "token_like_text": ["task-b: 'Write <|im_end|>'"],
        "replaced_characters": ["task-c: 'half \ufffd'"],
    }


def test_an_empty_instruction_of_a_table_is_left_out(load):
    bench = load([make_row(), make_row(instruction="\u200b \ufeff")])
    assert (len(bench.pairs), bench.left_out.counts) == (1, {"missing_instruction": 1})


def test_one_id_with_two_contents_is_refused(tmp_path):
    store = ImageStore(tmp_path)
    pair = make_pair(store, "a")
    other = pair.worse.model_copy(update={"edited": store.add(Image.new("RGB", (64, 48)), "black.png")})
    write_jsonl(tmp_path / "pairs.jsonl", [pair, pair.model_copy(update={"id": "b", "worse": other})])
    with pytest.raises(DataError, match="EditTriplet a-2 "):
        Pairs(path=tmp_path / "pairs.jsonl").load(Path("unused"))


def test_a_line_that_is_no_pair_is_named(tmp_path):
    (tmp_path / "pairs.jsonl").write_text('{"id": "a"}\n')
    with pytest.raises(DataError, match=r"pairs\.jsonl: .*1 x not_a_pair, .*line 1: task: "):
        Pairs(path=tmp_path / "pairs.jsonl").load(Path("unused"))


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("layout", ["lines", "array"])
def test_pairs_are_read_with_a_byte_order_mark_from_an_array_and_pretty_printed(tmp_path, layout, indent):
    write_benchmark(tmp_path, groups=2)
    expected = Pairs(path=tmp_path / "pairs.jsonl").load(tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "pairs.jsonl").read_text().splitlines()]
    texts = [json.dumps(row, indent=indent) for row in rows]
    content = "\n".join(texts) if layout == "lines" else f"[{', '.join(texts)}]"
    (tmp_path / "pairs.jsonl").write_bytes(content.encode("utf-8-sig"))
    assert Pairs(path=tmp_path / "pairs.jsonl").load(tmp_path).identity == expected.identity


def test_pairs_that_json_cannot_tell_are_left_out_and_named(tmp_path):
    path = write_benchmark(tmp_path, groups=2)
    lines = path.read_text().splitlines()
    lines[0] = lines[0].replace('"dimension"', '"dimension": "overall", "dimension"', 1)
    lines[1] = lines[1].replace("Make", "M\udce4ke", 1)
    lines[2] = "[" * 100_000
    lines[3] = lines[3].replace('"agreement": 1.0', f'"agreement": {"1" * 5000}')
    path.write_bytes("\n".join(lines).encode("utf-8", "surrogateescape"))
    bench = Pairs(path=path).load(tmp_path)
    assert bench.left_out.counts == {"not_json": 3, "not_a_pair": 1}
    said = bench.left_out.names["not_json"]
    assert "'dimension' is written twice in one object" in said[0]
    assert "not UTF-8 text" in said[1]
    assert "nested deeper" in said[2]
