"""A recommended.yaml that somebody edited, or made to do harm: one clear line for what is wrong, and nothing of it is shown or used."""

import ast
import copy
import io
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from hpcheck import config as configs
from hpcheck.__main__ import run
from hpcheck.cli import summary
from hpcheck.config import ConfigError, yaml12
from hpcheck.errors import InputError
from hpcheck.recommendation import drift, recommended, snippets

SHIPPED = Path(__file__).parents[1] / "support" / "recommended_of_before.yaml"  # format 1, with all that it may hold
TEXT = SHIPPED.read_text(encoding="utf-8")
SHOWN = ("settings", "evidence", "provenance")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a run directory, whose recommended.yaml a test writes."""
    (tmp_path / "runs" / "c").mkdir(parents=True)
    (tmp_path / "c.yaml").write_text("data: digits\nmodel: mlp\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def put(folder: Path, text: str) -> None:
    (folder / "runs" / "c" / "recommended.yaml").write_text(text, encoding="utf-8")
    (folder / "recommended.yaml").write_text(text, encoding="utf-8")


COMMANDS = [
    ["show", "c.yaml"],
    ["show", "c.yaml", "--json"],
    *(["show", "c.yaml", "--snippet", name] for name in snippets.SNIPPETS),
    ["check", "c.yaml"],
    ["train", "c.yaml", "--from", "recommended.yaml"],
]
INJECTED = "0.2; import os; os.system('true') #"
TEST_SPLIT = TEXT[TEXT.index("      test:\n") : TEXT.index("    schedule:")]
OVERFITS = "{weight_decay: 1, larger_weight_decays: [1], lowest_after_epochs: 1, of_epochs: 1, budget_epochs: 1}"
HOSTILE = [
    ("    max: 0.18", f'    max: "{INJECTED}"', "6: settings.learning_rate.max: not a number"),
    ("    epochs: 100.0", f'    epochs: "{INJECTED}"', "10: settings.learning_rate.epochs: not a number"),
    ("    epochs: 100.0", "    epochs: 1e300", "10: settings.learning_rate.epochs: out of range"),
    ("    epochs: 100.0", f"    epochs: 1{'0' * 400}", "10: settings.learning_rate.epochs: not a number"),
    ("    max: 0.95", f'    max: "{INJECTED}"', "12: settings.momentum.max: not a number"),
    ("    max: 0.95", "    max: 0.5", "13: settings.momentum.min: reversed range"),
    ("weight_decay: 0.0018", f'weight_decay: "{INJECTED}"', "14: settings.weight_decay: not a number"),
    ("weight_decay: 0.0018", "weight_decay: .nan", "14: settings.weight_decay: "),
    ("weight_decay: 0.0018", "weight_decay: true", "14: settings.weight_decay: not a number"),
    ("total_batch_size: 128", 'total_batch_size: "128; import os"', "3: settings.total_batch_size: not a whole number"),
    ("policy: 1cycle", 'policy: "1cycle\\nimport os"', "5: settings.learning_rate.policy: not one of the choices"),
    ("  weight_decay: 0.0018", "  weight_decay: 0.0018\n  model: os:system", "15: settings.model: unknown key"),
    ("reason: maxima", 'reason: "\\e]0;title\\a" #', "20: evidence.learning_rate.reason: not allowed"),
    ("reason: maxima", 'reason: "\\u202Ereversed" #', "20: evidence.learning_rate.reason: not allowed"),
    ("interval: [0.1537, 0.3282]", "interval: [0.1537, 1, 2]", "22: evidence.learning_rate.interval: not allowed"),
    ("status: chosen", "status: [1]", "18: evidence.learning_rate.status: not allowed"),
    ("  lr_limit:", '  "lr \\e[2J":', "41: evidence.'lr \\x1b[2J': not a name"),
    ("    - step: lr-range", "    - step: [1]", "38: evidence.learning_rate.earlier[0].step: not allowed"),
    ("each: [0.975,", "each: [a,", "130: results.train.recommended.val.each: not allowed"),
    ("metric: 0.9826", "metrics: 0.9826", "131: results.train.recommended.test.metric: is required"),
    (TEST_SPLIT, "      test: true\n", "131: results.train.recommended.test: not a mapping"),
    ("      runs: [29ab", "      ran: [29ab", "124: results.train.recommended.runs: is required"),
    ("      runs: [29ab54d8735678a0,", "      runs: [1,", "125: results.train.recommended.runs: not allowed"),
    ("    schedule:", "    start: 1\n    schedule:", "135: results.train.start: not a mapping"),
    ("    schedule:", f"    overfits: {OVERFITS}\n    schedule:", "135: results.train.overfits.steps: is required"),
    ("results:", "results:\n  confirm: {considered: []}", "123: results.confirm.trainings: is required"),
    ("results:", "results:\n  confirm: {trainings: 8, considered: [1]}", "123: results.confirm.considered: not allowed"),
    ("      runs: 44", "      runs: many", "152: provenance.cost.search.runs: not allowed"),
    ("    torch: 2.14.1", "    torch: [1] #", "145: provenance.environment.torch: not allowed"),
]


ALL = [(command, *HOSTILE[0]) for command in COMMANDS] + [(COMMANDS[0], *hostile) for hostile in HOSTILE[1:]]


@pytest.mark.parametrize(("command", "old", "new", "said"), ALL, ids=[f"{' '.join(one[0])}: {one[3]}" for one in ALL])
def test_what_no_recommendation_says_is_one_line_and_exit_2(
    folder: Path, capsys: pytest.CaptureFixture[str], command: list[str], old: str, new: str, said: str
) -> None:
    assert old in TEXT
    put(folder, TEXT.replace(old, new, 1))
    assert run(command) == 2
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    assert line.startswith("error: ")
    assert f"recommended.yaml:{said}" in line
    assert line.isprintable()


@pytest.mark.parametrize(
    ("old", "place"),
    [
        ("  total_batch_size: 128\n", "settings.total_batch_size"),
        ("    min: 0.018\n", "settings.learning_rate.min"),
        ("    cycle_epochs: 89.7862\n", "settings.learning_rate.cycle_epochs"),
        ("  momentum:\n    max: 0.95\n    min: 0.85\n", "settings.momentum.max"),
        ("  weight_decay: 0.0018\n", "settings.weight_decay"),
    ],
)
def test_what_is_shown_must_be_there(folder: Path, capsys: pytest.CaptureFixture[str], old: str, place: str) -> None:
    assert old in TEXT
    put(folder, TEXT.replace(old, "", 1))
    for command in (["show", "c.yaml"], ["show", "c.yaml", "--snippet", "pytorch"]):
        assert run(command) == 2
        assert f"{place}: is required" in capsys.readouterr().err.splitlines()[0]


def test_a_training_may_start_from_a_part_of_it(folder: Path) -> None:
    (folder / "part.yaml").write_text("settings: {total_batch_size: 1e3, learning_rate: 0.2, momentum: 0.9}\n")
    started = configs.overlay(configs.load(Path("c.yaml")), recommended.read(Path("part.yaml"))["settings"])
    assert (started.start.total_batch_size, started.start.max_lr, started.start.momentum.min) == (1000, 0.2, 0.9)


def test_the_shipped_one_is_shown_whole(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(folder, TEXT)
    assert run(["show", "c.yaml"]) == 0
    assert "0.18" in capsys.readouterr().out
    assert run(["show", "c.yaml", "--snippet", "pytorch"]) == 0
    assert "MAX_LR, MIN_LR, FLOOR = 0.18, 0.018, 1.8e-05" in capsys.readouterr().out


@pytest.mark.parametrize("value", ["0.1", True, float("nan"), None, [0.1]])
def test_code_to_paste_is_made_of_numbers_alone(value: Any) -> None:
    settings = yaml12.read(TEXT).value["settings"]
    settings["weight_decay"] = value
    with pytest.raises(InputError, match="weight_decay is not a number"):
        snippets.write("pytorch", settings, "sgd", {})


def test_options_of_an_optimizer_that_is_not_shipped_do_not_become_code() -> None:
    settings = yaml12.read(TEXT).value["settings"]
    code = snippets.write("pytorch", settings, "own:optimizer", {"nesterov": "True); import os", "eps": [1]})
    assert "import os" not in code
    assert "nesterov=True" in code


ODD = [
    None,
    True,
    -1,
    0,
    1e300,
    10**400,
    float("inf"),
    float("nan"),
    "",
    "x",
    "\x1b[31m",
    "\u202e",
    "a\nb",
    [],
    {},
    [[]],
    {"a": {"b": 1}},
    [1, "x"],
]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a nest of mappings and lists."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inside:
        yield (*path, key)
        yield from places(item, (*path, key))


def altered(content: dict[str, Any], draw: random.Random) -> dict[str, Any]:
    """`content` with one or two of its values another's, taken away, or under another name."""
    content = copy.deepcopy(content)
    for _ in range(draw.choice((1, 1, 2))):
        *around, key = draw.choice(list(places(content)))
        inner: Any = content
        for name in around:
            inner = inner[name]
        how = draw.random()
        if how < 0.2 and isinstance(inner, dict):
            inner[draw.choice(("x", "a b", "\x1b", "é", ""))] = inner.pop(key)
        elif how < 0.3:
            del inner[key]
        else:
            inner[key] = copy.deepcopy(draw.choice(ODD))
    return content


def use(path: Path) -> None:
    """All that is done with a recommendation that was read."""
    whole = recommended.read(path, SHOWN, whole=True)
    out = io.StringIO()
    summary.show(whole, Console(file=out, width=200), path.parent)
    assert out.getvalue().replace("\n", "").isprintable()
    drift.checked(whole, str(path))
    configs.overlay(configs.parse("data: digits\nmodel: mlp", "c.yaml"), recommended.read(path)["settings"])
    for name in snippets.SNIPPETS if not snippets.refused(whole["settings"]) else ():
        code = snippets.write(name, whole["settings"], "sgd", {})
        if name != "timm":
            imported = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Import | ast.ImportFrom)]
            assert len(imported) <= 3


def test_any_alteration_is_used_or_refused_and_never_our_own_error(tmp_path: Path) -> None:
    draw = random.Random(0)
    content = yaml12.read(TEXT).value
    path = tmp_path / "recommended.yaml"
    refusals: list[str] = []
    for _ in range(300):
        path.write_text(yaml12.write(altered(content, draw)), encoding="utf-8")
        try:
            use(path)
        except ConfigError as error:
            refusals.append(str(error))
    assert 100 < len(refusals) < 290
    assert all(line.isprintable() for refusal in refusals for line in refusal.splitlines())
