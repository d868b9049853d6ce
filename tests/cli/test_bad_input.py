"""Whatever is given wrong is said in one line each, with exit code 2, no traceback, and nothing written."""

import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from hpcheck.__main__ import run

LEAST = "data: digits\nmodel: mlp\n"
OWN = "data: digits\nmodel: {name: 'own:build'}\n"
DATA = "data: 'own:load'\nmodel: mlp\n"
FOLDER = "data: {name: image-folder, root: images}\nmodel: mlp\n"
Prepare = Callable[[], object]


def png(side: int = 4) -> bytes:
    """A grey image of `side` x `side`."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    rows = zlib.compress(b"".join(b"\0" + bytes([100 + row] * side) for row in range(side)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def images(**counts: int) -> Prepare:
    """An image folder: `train_a=3` is three images of class a in the train split."""

    def write() -> None:
        for place, count in counts.items():
            folder = Path("images", *place.split("_"))
            folder.mkdir(parents=True, exist_ok=True)
            for number in range(count):
                (folder / f"{number}.png").write_bytes(png())

    return write


def file(name: str, content: str | bytes) -> Prepare:
    return lambda: Path(name).write_bytes(content.encode() if isinstance(content, str) else content)


def both(*steps: Prepare) -> Prepare:
    return lambda: [step() for step in steps]


def own(body: str) -> Prepare:
    """The user's module: numpy, and a function of that body."""
    return file("own.py", f"import numpy as np\n{body}\n")


def arrays(train: str, test: str = "(np.zeros((4, 3), np.float32), np.array([0, 1, 0, 1]))") -> Prepare:
    return own(f"def load():\n    return {train}, {test}")


def symlink(name: str, target: str) -> Prepare:
    def make() -> None:
        Path("elsewhere").mkdir()
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).symlink_to(Path(target).absolute())

    return make


def newer_record() -> None:
    """Each record of an imagined version 2: the name is found by asking for it."""
    from hpcheck import config as configs
    from hpcheck.checklist.data_facts import facts
    from hpcheck.checklist.forecast import known_now
    from hpcheck.runs.directory import RunDirectory
    from hpcheck.runs.identity import identify
    from hpcheck.runs.records import seal
    from hpcheck.steps.step import Asked

    config = configs.load(Path("c.yaml"))
    runs = RunDirectory.of(config)
    runs.records.mkdir(parents=True)
    for _, spec in known_now(Asked(config, facts(config)), runs):
        (runs.records / f"{identify(spec)}.jsonl").write_text(seal({"record": 2, "novelty": True}) + seal({"status": "finished"}))


def nothing() -> None:
    pass


FILES: list[tuple[Prepare, str]] = [  # what c.yaml is, what is said of it
    (nothing, "c.yaml: no such file"),
    (lambda: Path("c.yaml").mkdir(), "c.yaml: a folder"),
    (file("c.yaml", ""), "is empty"),
    (file("c.yaml", "# a note\n"), "is empty"),
    (file("c.yaml", b"\x7fELF\0\0"), "a binary file"),
    (file("c.yaml", "data: x".encode("utf-16")), "a binary file"),
    (file("c.yaml", b"data: \xff\n"), "c.yaml:1: not UTF-8"),
    (file("c.yaml", "#" * (1 << 21)), "larger than 1 MiB"),
    (file("c.yaml", "just words"), "not a mapping"),
    (file("c.yaml", "- data"), "not a mapping"),
    (file("c.yaml", "data: [digits"), "not YAML"),
    (file("c.yaml", LEAST + "---\n" + LEAST), "more than one YAML document"),
    (file("c.yaml", "data:\n\tname: digits\n"), "a tab where YAML wants spaces"),
    (file("c.yaml", LEAST + "data: mnist\n"), "c.yaml:3: the key 'data' is given twice"),
    (
        file(
            "c.yaml",
            "a: &a [x,x,x,x,x,x,x,x,x]\n"
            + "".join(f"{n}: &{n} [{','.join(f'*{p}' for _ in range(9))}]\n" for p, n in zip("abcdefgh", "bcdefghi", strict=True)),
        ),
        "aliases that unfold",
    ),
    (file("c.yaml", "data: " + "[" * 10_000), "nested more than 100 levels"),
    (file("c.yaml", "data: " + "{a: " * 10_000), "nested more than 100 levels"),
    (file("c.yaml", "data: !!python/object/apply:os.system ['touch pwned']\n"), "tags are not read"),
    (file("c.yaml", "data: !!python/name:os.system\n"), "tags are not read"),
    (file("c.yaml", "data: !own digits\n"), "tags are not read"),
    (file("c.yaml", LEAST + "seed: \x07\n"), "a character that YAML does not allow"),
    (symlink("c.yaml", "c.yaml"), "c.yaml: cannot be read"),
]

TEXTS: list[tuple[str, str]] = [  # what is added to the least config, what is said
    ("sead: 1", "c.yaml:3: sead: unknown key; did you mean 'seed'?"),
    ("lr: 1", "did you mean 'start.max_lr'?"),
    ("seed: x", "seed: not a whole number (got 'x'"),
    ("seed: -1", "seed: out of range"),
    ("seed: 010.5", "seed: not a whole number"),
    ("budget: {epochs: 12:30}", "budget.epochs: not a number (got '12:30'"),
    ("budget: {epochs: .nan}", "budget.epochs: not a finite number"),
    ("budget: {epochs: -.inf}", "budget.epochs: not a finite number"),
    ("budget: {epochs: 0}", "budget.epochs: out of range"),
    ("budget: {epochs: -3}", "budget.epochs: out of range"),
    ("budget: 7", "budget: another kind of value"),
    ("start: {momentum: 1}", "start.momentum: out of range"),
    ("start: {momentum: true}", "start.momentum: another kind of value (got true"),
    ("start: {momentum: {max: 0.8, min: 0.9}}", "start.momentum.min: reversed range"),
    ("start: {total_batch_size: 0}", "start.total_batch_size: out of range"),
    ("start: {total_batch_size: 12.5}", "start.total_batch_size: not a whole number"),
    ("start: {total_batch_size: 100000}", "start.total_batch_size: larger than the training set (got 100000"),
    ("start: {max_lr: no}", "start.max_lr: not a number (got 'no'"),
    ("lr_range: {min: 1, max: 0.1}", "lr_range.max: reversed range"),
    ("batch: {sizes: []}", "batch.sizes: empty"),
    ("batch: {sizes: [64, 64]}", "batch.sizes: 64 is repeated"),
    ("batch: {sizes: [64, 4000]}", "batch.sizes: larger than the training set (got 4000"),
    (
        "run: {bn_splits: 8}\nstart: {total_batch_size: 7}",
        "start.total_batch_size: cannot be cut into the 8 parts that run.bn_splits asks for (got 7; expected a multiple, such as 8)",
    ),
    ("run: {devices: 2}\nbatch: {sizes: [64, 1]}", "batch.sizes: cannot be cut into the 2 parts that run.devices asks for (got 1"),
    ("batch: {max_size: 1}\nrun: {devices: 2}", "batch.max_size: leaves no batch size that can be cut into 2 parts (got 1)"),
    ("momentum: {values: [0.9, 1.0]}", "momentum.values[1]: out of range"),
    ("wd_grid: {values: []}", "wd_grid.values: empty"),
    ("wd_grid: {values: [1e-3, 1e-3]}", "wd_grid.values: 0.001 is repeated"),
    ("optimizer: sdg", "did you mean 'sgd'? (got 'sdg'; expected adamw, prodigy, schedule_free, sgd or pkg.module:function)"),
    ("optimizer: {name: sgd, nestrov: true}", "did you mean 'nesterov'?"),
    ("optimizer: {eps: 1e-8}", "optimizer.eps: unknown key"),
    ("run: {device: gpu}", "run.device: unknown device"),
    ("run: {dir: ''}", "run.dir: empty"),
    ("name: ../up", "name: not a name"),
    ("name: a/b", "name: not a name"),
    ("name: 'a\\b'", "name: not a name"),
    ('name: "a\\nb"', "name: not a name"),
    ('name: "\\e[31mred"', "name: not a name"),
    (f"name: {'x' * 300}", "name: not a name"),
]

WHOLE: list[tuple[str, Prepare, str]] = [  # c.yaml, what lies beside it, what is said
    ("model: mlp\n", nothing, "data: is required"),
    ("data: digits\n", nothing, "model: is required"),
    ("data: digist\nmodel: mlp\n", nothing, "unknown data; did you mean 'digits'?"),
    ("data: digits\nmodel: mpl\n", nothing, "unknown model; did you mean 'mlp'?"),
    ("data: digits\nmodel: {name: mlp, hiden: [3]}\n", nothing, "did you mean 'hidden'?"),
    ("data: digits\nmodel: {name: mlp, dropout: yes}\n", nothing, "model.dropout: "),
    ("data: {name: digits, validate_on: tset}\nmodel: mlp\n", nothing, "did you mean 'test'?"),
    ("data: {name: digits, val_fraction: 1e-9}\nmodel: mlp\n", nothing, "data.val_fraction: leaves"),
    ("data: {name: digits, limit: 1}\nmodel: mlp\n", nothing, "data.val_fraction: leaves"),
    ("data: {name: mnist, root: c.yaml}\nmodel: mlp\n", nothing, "MNIST is not in"),
    (FOLDER, nothing, "has no folder train"),
    (FOLDER, images(train_a=3), "at least 2 are needed"),
    (FOLDER, images(train_a=3, train_b=0), "has no images"),
    (FOLDER, images(train_a=3, train_b=3, val_a=2, val_c=2), "do not have the same classes: b, c"),
    (FOLDER, both(images(train_a=3, train_b=3), lambda: Path("images/train/a/1.png").write_bytes(b"no image")), "images/train/a/1.png"),
    (FOLDER, both(images(train_a=3, train_b=3), lambda: Path("images/train/a/1.png").write_bytes(png()[:-30])), "images/train/a/1.png"),
    (FOLDER, both(images(train_a=3, train_b=3), lambda: Path("images/train/b/2.png").write_bytes(png(5))), "images differ in size"),
    (FOLDER.replace("}", ", folder: ../x}"), nothing, "data.folder: leaves data.root"),
    (DATA, nothing, "own:load: there is no module own"),
    (DATA, own("x = 1"), "own.py has no function load"),
    (DATA, own("load = 3"), "own.py has no function load"),
    (DATA, own("def load():\n    return 3"), "returned a int"),
    (DATA, arrays("(np.zeros((4, 3), np.float32), np.array([0, 1, 0]))"), "has 4 x and 3 y"),
    (DATA, arrays("(np.zeros((4, 2), np.float32), np.array([0, 1, 0, 1]))"), "x of train is ndarray (4, 2) float32"),
    (DATA, arrays("(np.full((4, 3), np.nan, np.float32), np.array([0, 1, 0, 1]))"), "NaN or infinite values"),
    (DATA, arrays(*["(np.zeros((40, 3), np.float32), np.zeros(40, int))"] * 2), "at least two classes are needed"),
    (DATA, arrays("(np.zeros((4, 3), np.float32), np.array([0, -1, 0, 1]))"), "class -1"),
    (DATA, arrays("(np.zeros((4, 3), complex), np.array([0, 1, 0, 1]))"), "expected uint8 images"),
    (DATA, arrays("(np.zeros((0, 3), np.float32), np.array([], int))"), "has 0 x and 0 y"),
    (LEAST, symlink("runs/c", "elsewhere"), "runs/c: a symbolic link that leads out of the run directory"),
    (LEAST, symlink("runs/c/records", "elsewhere"), "runs/c/records: a symbolic link that leads out"),
    (LEAST, symlink("runs/c/recommended.yaml", "own.py"), "runs/c/recommended.yaml: a symbolic link that leads out"),
    (LEAST, symlink("runs/c/records/0123456789abcdef.jsonl", "own.py"), "a symbolic link that leads out"),
]

ARGUMENTS: list[tuple[list[str], Prepare, str]] = [  # beside a good c.yaml
    (["frobnicate"], nothing, "No such command"),
    (["run", "c.yaml", "--frob"], nothing, "No such option"),
    (["run", "c.yaml", "d.yaml"], nothing, "unexpected extra argument"),
    (["run", "c.yaml", "-s"], nothing, "requires an argument"),
    (["run", "c.yaml", "-s", "batch.sizes"], nothing, "not an override"),
    (["run", "c.yaml", "-s", "batch.sizes=[1"], nothing, "-s batch.sizes: not YAML"),
    (["run", "c.yaml", "-s", "seed.x=1"], nothing, "-s seed.x: seed: not a whole number"),
    (["run", "c.yaml", "-s", "name=../../up"], nothing, "-s name: not a name"),
    (["run", "c.yaml", "--from", "r.yaml"], nothing, "r.yaml: no such file"),
    (["run", "c.yaml", "--from", "r.yaml"], file("r.yaml", "{"), "r.yaml:1: not YAML"),
    (["run", "c.yaml", "--from", "r.yaml"], file("r.yaml", "evidence: {}"), "r.yaml: settings: is missing"),
    (["run", "c.yaml", "--from", "r.yaml"], file("r.yaml", "settings: {model: 'os:system'}"), "settings.model: unknown key"),
    (["run", "c.yaml", "--from", "r.yaml"], file("r.yaml", "settings: {weight_decay: 'os:system'}"), "weight_decay: not a number"),
    (["run", "c.yaml", "--from", "r.yaml"], file("r.yaml", "settings: {weight_decay: !!python/name:os.system x}"), "tags are not read"),
    (["show", "c.yaml"], nothing, "recommended.yaml: no such file"),
    (["plan", "c\0.yaml"], nothing, "embedded null byte"),
    (["plan", "c.yaml/x"], nothing, "cannot be read"),
    (["plan", "x" * 5000], nothing, "cannot be read"),
]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "own", raising=False)
    monkeypatch.setenv("HPCHECK_DATA", str(tmp_path / "data"))


def tree() -> list[tuple[str, int]]:
    found = (Path(folder, name) for folder, folders, names in os.walk(".") for name in (*folders, *names))
    return sorted((str(path), path.lstat().st_size) for path in found if "__pycache__" not in path.parts)


def refused(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Run it; one line for each problem, exit code 2, no traceback, nothing on stdout, nothing written."""
    before = tree()
    assert run(arguments) == 2
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == ""
    assert lines
    assert all(line.startswith("error: ") and line.isprintable() for line in lines)
    assert words in err
    assert tree() == before
    return lines


@pytest.mark.parametrize("command", ["plan", "run"])
@pytest.mark.parametrize(("prepare", "words"), FILES, ids=[words for _, words in FILES])
def test_a_file_that_is_no_config_is_refused(prepare: Prepare, words: str, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    prepare()
    assert len(refused([command, "c.yaml"], words, capsys)) == 1


@pytest.mark.parametrize(("text", "words"), TEXTS, ids=[text[:40] for text, _ in TEXTS])
def test_a_bad_value_is_refused(text: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("c.yaml").write_text(LEAST + text)
    assert len(refused(["run", "c.yaml"], words, capsys)) == 1


@pytest.mark.parametrize(("text", "prepare", "words"), WHOLE, ids=[words for _, _, words in WHOLE])
def test_bad_data_code_or_run_directory_is_refused(text: str, prepare: Prepare, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("c.yaml").write_text(text)
    prepare()
    assert len(refused(["run", "c.yaml"], words, capsys)) == 1


@pytest.mark.parametrize(("arguments", "prepare", "words"), ARGUMENTS, ids=[words for _, _, words in ARGUMENTS])
def test_bad_arguments_are_refused(arguments: list[str], prepare: Prepare, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("c.yaml").write_text(LEAST)
    prepare()
    assert len(refused(arguments, words, capsys)) == 1


def test_the_table_has_seventy_cases() -> None:
    assert len(FILES) + len(TEXTS) + len(WHOLE) + len(ARGUMENTS) >= 70


def test_all_problems_of_a_config_come_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    Path("c.yaml").write_text("data: digist\nmodel: mpl\nseed: -1\nlr: 0.1\n")
    assert len(refused(["run", "c.yaml", "-s", "nonsense"], "did you mean", capsys)) == 5


def test_a_users_function_that_raises_shows_their_traceback_and_not_ours(capsys: pytest.CaptureFixture[str]) -> None:
    Path("c.yaml").write_text(DATA)
    own("def load():\n    return inner()\n\ndef inner():\n    return [][3]")()
    assert run(["run", "c.yaml"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("error: ")
    assert "own.py:3: load raised IndexError" in lines[0]
    assert lines[-1] == "IndexError: list index out of range"
    assert not any("hpcheck/" in line for line in lines)
    assert not Path("runs").exists()


def test_a_users_module_that_cannot_be_parsed_shows_where(capsys: pytest.CaptureFixture[str]) -> None:
    Path("c.yaml").write_text(DATA)
    own("def load(:")()
    assert run(["plan", "c.yaml"]) == 2
    err = capsys.readouterr().err
    assert "own.py" in err
    assert "SyntaxError" in err
    assert "hpcheck/" not in err


def test_what_a_users_module_cannot_import_is_their_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    Path("c.yaml").write_text(DATA)
    own("import nowhere_to_be_found")()
    assert run(["plan", "c.yaml"]) == 2
    assert "No module named 'nowhere_to_be_found'" in capsys.readouterr().err


def test_a_newer_run_directory_is_refused_and_its_records_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    Path("c.yaml").write_text(LEAST)
    newer_record()
    before = {path: path.read_bytes() for path in Path("runs/c/records").iterdir()}
    for command in ("plan", "run"):
        assert run([command, "c.yaml"]) == 2
        assert "written by a newer hpcheck (record version 2; this one reads 1)" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in Path("runs/c/records").iterdir()} == before


@pytest.mark.parametrize("folder", ["/dev/null/x", "c.yaml"])
def test_output_that_cannot_be_written_is_named(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("c.yaml").write_text(LEAST)
    before = tree()
    assert run(["run", "c.yaml", "-s", f"run.dir={folder}"]) == 5
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {folder}/c: cannot be made")
    assert tree() == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_read_only_run_directory_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    Path("c.yaml").write_text(LEAST)
    Path("runs").mkdir(mode=0o555)
    assert run(["run", "c.yaml"]) == 5
    assert "runs/c: cannot be made" in capsys.readouterr().err


ACCEPTED = [
    LEAST + "start: {weight_decay: 1e-4, max_lr: 1e+3}\n",
    (LEAST + "seed: 1\n").replace("\n", "\r\n"),
    "\ufeff" + LEAST,
    f"# first\n{LEAST}# last",
    LEAST + "seed: 010\n",
    "data: {name: digits, root: 'données/数据'}\nmodel: mlp\n",
]


@pytest.mark.parametrize("text", ACCEPTED)
def test_what_yaml_allows_is_accepted(text: str) -> None:
    Path("c.yaml").write_text(text, encoding="utf-8", newline="")
    assert run(["plan", "c.yaml"]) == 0


def test_no_escape_sequence_reaches_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", "\x1b[31mc.yaml\x1b]0;title\x07"]) == 2
    assert capsys.readouterr().err.replace("\n", "").isprintable()
