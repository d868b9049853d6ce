"""What the package never does: run text as code, unpickle, start a shell, or obey what a run directory says."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import hpcheck
from hpcheck import config as configs
from hpcheck.config import ConfigError

PACKAGE = Path(hpcheck.__file__).parent
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__", "breakpoint"}
FORBIDDEN_IMPORTS = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "pty", "telnetlib"}
FORBIDDEN_ATTRIBUTES = {"os.system", "os.popen", "os.execv", "os.execvp", "os.spawnv", "yaml.load", "yaml.unsafe_load", "yaml.full_load"}
UNSAFE_LOADERS = {"Loader", "FullLoader", "UnsafeLoader", "CLoader"}


def trees() -> Iterator[tuple[str, ast.AST]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield str(path.relative_to(PACKAGE)), ast.parse(path.read_text(encoding="utf-8"))


def dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "?"


def offences(node: ast.AST) -> Iterator[str]:
    """What is wrong with one node of a syntax tree."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
        yield from (f"imports {name}" for name in names if name.split(".")[0] in FORBIDDEN_IMPORTS)
    if isinstance(node, ast.Attribute) and dotted(node) in FORBIDDEN_ATTRIBUTES:
        yield dotted(node)
    if isinstance(node, ast.Attribute) and node.attr in UNSAFE_LOADERS and dotted(node).startswith("yaml."):
        yield dotted(node)
    if not isinstance(node, ast.Call):
        return
    name, keywords = dotted(node.func), {word.arg: word.value for word in node.keywords}
    if name in FORBIDDEN_CALLS:
        yield f"calls {name}"
    if name.endswith("torch.load") and not _is(keywords.get("weights_only"), True):
        yield "torch.load without weights_only=True"
    if name.endswith(".load") and name.split(".")[0] in ("np", "numpy") and not _is(keywords.get("allow_pickle"), False):
        yield "np.load without allow_pickle=False"
    if name.startswith("subprocess.") and not (node.args and isinstance(node.args[0], ast.List)):
        yield f"{name} of something that is not written out as a list"
    if "shell" in keywords and not _is(keywords["shell"], False):
        yield "shell=True"
    if any(keyword == "weights_only" and not _is(value, True) for keyword, value in keywords.items()):
        yield "weights_only that is not True"


def _is(node: ast.expr | None, value: bool) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def test_the_package_runs_no_text_unpickles_nothing_and_starts_no_shell() -> None:
    found = [f"{name}:{getattr(node, 'lineno', 0)}: {what}" for name, tree in trees() for node in ast.walk(tree) for what in offences(node)]
    assert found == []


@pytest.mark.parametrize(
    "text",
    [
        "eval('1')",
        "exec('1')",
        "import pickle",
        "from pickle import loads",
        "import os; os.system('ls')",
        "subprocess.run(command)",
        "subprocess.run('ls')",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "torch.load(path, weights_only=not trusted)",
        "yaml.load(text, Loader=yaml.Loader)",
        "yaml.unsafe_load(text)",
        "np.load(path)",
        "run(command, shell=True)",
    ],
)
def test_the_search_finds_what_it_is_for(text: str) -> None:
    assert [what for node in ast.walk(ast.parse(text)) for what in offences(node)]


def test_snapshots_and_checkpoints_are_loaded_in_one_place() -> None:
    places = [name for name, tree in trees() for node in ast.walk(tree) if isinstance(node, ast.Call) and dotted(node.func) == "torch.load"]
    assert places == ["engine/snapshots.py"]


@pytest.mark.parametrize(
    "settings",
    [
        {"model": "os:system"},
        {"data": {"name": "os:system"}},
        {"optimizer": "os:system"},
        {"momentum": {"max": 0.9, "min": "os:system"}},
        {"learning_rate": {"max": "os:system"}},
        {"total_batch_size": ["os:system"]},
        {"weight_decay": {"__class__": "x"}},
    ],
)
def test_a_recommendation_carries_values_and_never_names_of_code(settings: dict[str, object]) -> None:
    config = configs.parse("data: digits\nmodel: mlp", "c.yaml")
    with pytest.raises(ConfigError):
        configs.overlay(config, settings)


def test_a_recommendation_s_other_text_goes_nowhere() -> None:
    config = configs.parse("data: digits\nmodel: mlp", "c.yaml")
    assert configs.overlay(config, {"learning_rate": {"max": 0.1, "policy": "os:system"}}).model == config.model


def test_a_record_cannot_name_code_that_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is run comes from the config; a record's spec is looked at and never built."""
    from hpcheck.plugins import find
    from hpcheck.runs import records
    from hpcheck.runs.records import seal

    monkeypatch.setattr(find, "load", lambda *_: pytest.fail("code was looked up"))
    path = tmp_path / "0123456789abcdef.jsonl"
    head = {
        "record": 1,
        "run_id": path.stem,
        "spec": {
            "kind": "TimingSpec",
            "model": {"name": "os:system", "options": []},
            "optimizer": {"name": "sgd", "options": []},
            "data": {"name": "os:system", "options": []},
            "batch_sizes": [1],
        },
        "environment": {},
    }
    path.write_text(seal(head) + seal({"status": "finished", "result": {"sizes": []}}))
    assert records.read(path) is not None


def test_the_environment_in_a_record_is_an_allowlist(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from hpcheck.engine.pool.worker import environment

    monkeypatch.setenv("SECRET_TOKEN", "do-not-write-this")
    found = environment(torch.device("cpu"), 1)
    assert set(found) <= {
        "hpcheck",
        "torch",
        "python",
        "device",
        "device_name",
        "threads",
        "numpy",
        "cuda",
        "cudnn",
        "cpu",
        "deterministic",
    }
    assert "do-not-write-this" not in json.dumps(found)


def test_terminal_markup_in_values_is_shown_and_not_obeyed() -> None:
    import io

    from rich.console import Console

    from hpcheck.cli import summary

    content = {
        "settings": {"total_batch_size": 32, "weight_decay": 0.1, "momentum": {"max": 0.9, "min": 0.9}},
        "evidence": {"weight_decay": {"status": "chosen", "confidence": "high", "reason": "[bold red]red[/] [link=http://x]x[/link]"}},
        "results": {},
        "provenance": {"cost": {}},
    }
    out = io.StringIO()
    summary.show(content, Console(file=out, force_terminal=True, width=300), Path("runs"))
    assert "[bold red]red[/] [link=http://x]x[/link]" in out.getvalue()
