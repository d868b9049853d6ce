"""`hpcheck init`: what it recognises, what it writes, and that the written config means what it says."""

import re

import numpy as np
import pytest
from PIL import Image

from hpcheck import config as configs
from hpcheck.__main__ import run
from hpcheck.config.template import commented
from hpcheck.init.find_data import find, side
from hpcheck.init.new_project import begin, preset_texts, presets


def write_images(folder, sizes=((8, 8),), classes=("cat", "dog")):
    for split in ("train", "test"):
        for name in classes:
            (folder / split / name).mkdir(parents=True)
            for index, size in enumerate(sizes):
                Image.fromarray(np.zeros((*size, 3), np.uint8)).save(folder / split / name / f"{index}.png")


def test_an_empty_folder_gets_the_example(tmp_path):
    begun = begin(tmp_path)
    assert [path.name for path in begun.written] == ["hpcheck.yaml", "hpcheck_entry.py", "hpcheck.schema.json"]
    config = configs.load(tmp_path / "hpcheck.yaml")
    assert (config.data.name, config.model.name) == ("hpcheck_entry:load", "hpcheck_entry:build")
    assert (tmp_path / "hpcheck.yaml").read_text().startswith("# hpcheck run\n")
    compile((tmp_path / "hpcheck_entry.py").read_text(), "hpcheck_entry.py", "exec")


def test_every_default_written_in_a_comment_is_the_default(tmp_path):
    """Taking the # from every commented key changes nothing."""
    text = commented({"data": "digits", "model": "mlp"})
    uncommented = re.sub(r"^( *)# (\w+:.*)$", r"\1\2", text, flags=re.MULTILINE)
    assert uncommented.count("\n  steps: null") == 5
    assert configs.parse(uncommented, "c.yaml") == configs.parse("data: digits\nmodel: mlp", "c.yaml")
    assert configs.parse(text, "c.yaml") == configs.parse("data: digits\nmodel: mlp", "c.yaml")


def test_every_key_is_explained():
    text = commented({"data": "digits", "model": "mlp"}) + commented({"task": "a:B"})
    schema = configs.schema()
    sections = [described for name, described in schema["$defs"].items() if name != "MomentumRange"]
    descriptions = [key["description"] for part in sections for key in (part.get("anyOf", [0, part])[1])["properties"].values()]
    assert len(descriptions) > 45
    assert [one for one in descriptions if one not in text] == []


@pytest.mark.parametrize(
    "value", ["a, b", "a: b", "# no", "1e-4", "no", "", 'say "hi"', "x" * 200, "two  spaces", [0.1, 1e-5], ["a, b"], None]
)
def test_chosen_options_come_back_as_they_were(value):
    text = commented({"data": {"name": "my:load", "option": value}, "model": "mlp"})
    assert configs.parse(text, "c.yaml").data.options() == {"option": value}


@pytest.mark.parametrize("name", presets())
def test_a_preset_means_what_the_shipped_config_does(name):
    from hpcheck.init.new_project import presets_folder

    text = preset_texts(name)["hpcheck.yaml"]
    assert configs.parse(text, "c.yaml") == configs.load(presets_folder() / f"{name}.yaml")


def test_an_unknown_preset_is_refused_with_a_suggestion(tmp_path, capsys):
    assert run(["init", str(tmp_path), "--preset", "quickstrat"]) == 2
    assert "unknown preset; did you mean 'quickstart'?" in capsys.readouterr().err


def test_nothing_is_overwritten_without_force(tmp_path, capsys):
    (tmp_path / "hpcheck_entry.py").write_text("mine")
    assert run(["init", str(tmp_path)]) == 2
    assert "hpcheck_entry.py: is there already (expected --force to overwrite it)" in capsys.readouterr().err
    assert not (tmp_path / "hpcheck.yaml").exists()
    assert (tmp_path / "hpcheck_entry.py").read_text() == "mine"
    assert run(["init", str(tmp_path), "--force"]) == 0


@pytest.mark.parametrize("place", ["", "data/"])
@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("MNIST/raw/train-images-idx3-ubyte.gz", "mnist"),
        ("FashionMNIST/raw/train-images-idx3-ubyte", "fashion-mnist"),
        ("cifar-10-batches-py/data_batch_1", "cifar10"),
        ("cifar-100-python/train", "cifar100"),
    ],
)
def test_torchvisions_layouts_are_recognised(tmp_path, place, file, name):
    path = tmp_path / place / file
    path.parent.mkdir(parents=True)
    path.touch()
    (found,) = find(tmp_path)
    assert found.data == {"name": name, "root": place.strip("/") or "."}


def test_image_folders_are_recognised_and_resized_where_they_must_be(tmp_path):
    write_images(tmp_path / "pets")
    write_images(tmp_path / "data" / "zoo", sizes=((8, 8), (9, 12)))
    pets, zoo = find(tmp_path)
    assert pets.data == {"name": "image-folder", "root": "pets"}
    assert zoo.data == {"name": "image-folder", "root": "data/zoo", "image_size": 64}
    begin(tmp_path)
    assert configs.load(tmp_path / "hpcheck.yaml").data.root == "pets"


def test_a_folder_that_is_itself_the_data_is_recognised(tmp_path):
    write_images(tmp_path)
    assert [one.data["root"] for one in find(tmp_path)] == ["."]


def test_broken_images_do_not_stop_the_search(tmp_path):
    (tmp_path / "broken.png").write_text("no image")
    assert side([tmp_path / "broken.png"]) == 64


@pytest.mark.parametrize("text", ["", "a,b\n", "a\n1\n", "a,a\n1,2\n", "words,only\nx,y\n", "a,b\n1\n", "a,\n1,2\n"])
def test_what_is_no_table_is_passed_over(tmp_path, text):
    (tmp_path / "file.csv").write_text(text)
    assert find(tmp_path) == []


def test_a_table_is_recognised_and_the_written_entry_reads_it(tmp_path, monkeypatch):
    (tmp_path / "prices.csv").write_text("size,town,price\n" + "".join(f"{n},Bonn,{n * 2.5}\n" for n in range(1, 51)))
    begin(tmp_path)
    monkeypatch.chdir(tmp_path)
    config = configs.load(tmp_path / "hpcheck.yaml")
    assert config.data.options() == {"file": "prices.csv", "target": "price", "drop": ["town"]}
    scope = {}
    exec(compile((tmp_path / "hpcheck_entry.py").read_text(), "hpcheck_entry.py", "exec"), scope)
    (x, y), (held_x, held_y) = scope["load"](**config.data.options())
    assert (x.shape, held_x.shape, y.shape, held_y.shape) == ((40, 1), (10, 1), (40,), (10,))


def test_init_names_the_columns_that_it_leaves_out_and_plan_names_them_again(tmp_path, monkeypatch, capsys):
    rows = "".join(f"{n},{'Bonn' if n != 40 else ''},{'n/a' if n == 90 else n},{n * 2.5}\n" for n in range(1, 121))
    (tmp_path / "prices.csv").write_text("size,town,rooms,price\n" + rows)
    monkeypatch.chdir(tmp_path)
    assert run(["init"]) == 0
    assert "left out, since not every row has a number there: town, rooms" in capsys.readouterr().out
    assert run(["plan"]) == 0
    told = capsys.readouterr().out.splitlines()[0]
    named = "hpcheck_entry:load with file prices.csv, target price, drop town and rooms"
    assert told == f"Data: {named} (train 96; validate 24 from the loader's own split)"


def test_the_written_entry_leaves_no_column_out_in_silence(tmp_path, monkeypatch):
    (tmp_path / "prices.csv").write_text("size,price\n" + "".join(f"{n},{n * 2.5}\n" for n in range(1, 51)))
    begin(tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prices.csv").write_text("size,price\n1,2\nn/a,3\n")
    scope = {}
    exec(compile((tmp_path / "hpcheck_entry.py").read_text(), "hpcheck_entry.py", "exec"), scope)
    with pytest.raises(ValueError, match=r"not every row of prices\.csv has a number under size"):
        scope["load"](file="prices.csv", target="price")


def test_several_data_sets_are_all_named(tmp_path, capsys):
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    (tmp_path / "b.csv").write_text("x,y\n1,2\n")
    assert run(["init", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "a.csv" in out
    assert "b.csv" in out
    assert "reads the first" in out


@pytest.mark.slow
@pytest.mark.parametrize("step", ["run"])
def test_the_example_trains_as_it_was_written(tmp_path, monkeypatch, step):
    monkeypatch.chdir(tmp_path)
    assert run(["init"]) == 0
    assert run([step, "-s", "budget.epochs=1", "-q"]) in (0, 6)
    assert (tmp_path / "runs" / tmp_path.name / "recommended.yaml").exists()


def test_a_small_table_gets_a_batch_size_that_leaves_enough_updates(tmp_path):
    rows = "".join(f"{number},{number % 7}\n" for number in range(80))
    (tmp_path / "small.csv").write_text("a,b\n" + rows)
    begin(tmp_path)
    assert configs.load(tmp_path / "hpcheck.yaml").start.total_batch_size == 4
    (tmp_path / "small.csv").write_text("a,b\n" + 50 * rows)
    begin(tmp_path, force=True)
    assert "# total_batch_size" in (tmp_path / "hpcheck.yaml").read_text()


def test_an_unknown_preset_is_answered_in_a_line_that_can_be_read(tmp_path):
    with pytest.raises(configs.ConfigError, match="quickstart, or one of") as caught:
        begin(tmp_path, preset="quickstar")
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(("option", "entry", "named"), [("--task", "hpcheck_task", "Task"), ("--lightning", "hpcheck_lightning", "Lit")])
def test_a_task_begins_with_a_config_and_a_class(option, entry, named, tmp_path, capsys):
    assert run(["init", str(tmp_path / "new"), option]) == 0
    said = capsys.readouterr().out
    assert f"wrote {tmp_path / 'new' / 'hpcheck.yaml'}" in said
    config = configs.load(tmp_path / "new" / "hpcheck.yaml")
    assert config.model.name == f"{entry}:{named}"
    assert config.start.total_batch_size == 32
    compile((tmp_path / "new" / f"{entry}.py").read_text(), entry, "exec")
    assert run(["init", str(tmp_path / "new"), option]) == 2  # rather than overwrite
    assert "is there already" in capsys.readouterr().err


def test_a_trainer_of_hugging_face_gets_lines_to_add(capsys):
    assert run(["init", "--hf"]) == 0
    assert "callbacks=[Follow(lambda: trainer.evaluate()" in capsys.readouterr().out


def test_two_beginnings_at_once_are_refused(capsys):
    assert run(["init", "--task", "--hf"]) == 2
    assert "--task and --hf begin different projects; give one of them" in capsys.readouterr().err
