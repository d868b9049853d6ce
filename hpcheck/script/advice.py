"""`hpcheck init --script train.py`: looks at a script, without running it, and says which lines to add and where."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from hpcheck.errors import InputError

EVALUATIONS = ("valid", "val", "eval", "test")  # what functions that evaluate are called like
NOT_YET = {"LBFGS": "LBFGS", "FullyShardedDataParallel": "FSDP", "FSDP": "FSDP", "fully_shard": "FSDP", "deepspeed": "DeepSpeed"}


@dataclass
class Seen:
    """What was found in a script, each with its line."""

    optimizers: list[tuple[int, str]] = field(default_factory=list)
    batch_sizes: list[tuple[int, str]] = field(default_factory=list)
    seeds: list[tuple[int, str]] = field(default_factory=list)
    loops: list[tuple[int, str, str]] = field(default_factory=list)  # line, variable, length: of the loop around the updates
    losses: list[tuple[int, str]] = field(default_factory=list)  # of `loss.backward()`
    evaluations: list[tuple[int, str]] = field(default_factory=list)
    models: list[str] = field(default_factory=list)
    refused: list[tuple[int, str]] = field(default_factory=list)
    follows: bool = False


def advice(path: Path) -> list[str]:
    """The lines to add, in words. Raises `InputError` where the script cannot be read."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
    except SyntaxError as error:
        raise InputError(f"{path}:{error.lineno}: not Python ({error.msg})") from None
    seen = look(tree)
    if seen.follows:
        return [f"{path} calls hpcheck.follow already; next: hpcheck run -- python {path}"]
    return [
        *_refused(path, seen),
        f"{path}: add these lines (nothing is changed where nobody drives the script):",
        *_lines(seen),
        *_last(path),
    ]


def look(tree: ast.Module) -> Seen:
    """What there is in a script, by its text alone."""
    seen = Seen()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            _assigned(node, node.value, seen)
        if isinstance(node, ast.Call):
            _called(node, seen)
        elif isinstance(node, ast.FunctionDef) and node.name.lower().startswith(EVALUATIONS):
            seen.evaluations.append((node.lineno, node.name))
        elif (
            isinstance(node, ast.For)
            and _makes_updates(node)
            and isinstance(node.iter, ast.Call)
            and ast.unparse(node.iter.func) == "range"
        ):
            seen.loops.append((node.lineno, ast.unparse(node.target), ", ".join(map(ast.unparse, node.iter.args))))
    return seen


def _assigned(node: ast.Assign, call: ast.Call, seen: Seen) -> None:
    target, function = ast.unparse(node.targets[0]), ast.unparse(call.func)
    if ("optim." in function.lower() and "scheduler" not in function) or function in ("SGD", "Adam", "AdamW"):
        seen.optimizers.append((node.lineno, target))
    if target.split(".")[-1] in ("model", "net", "network"):
        seen.models.append(target)


def _called(node: ast.Call, seen: Seen) -> None:
    function = ast.unparse(node.func)
    last = function.split(".")[-1]
    if function == "hpcheck.follow":
        seen.follows = True
    if last == "manual_seed" and node.args:
        seen.seeds.append((node.lineno, ast.unparse(node.args[0])))
    if last == "backward":
        loss = (
            function.rpartition(".")[0]
            if last == "backward" and function != "accelerator.backward"
            else "".join(map(ast.unparse, node.args[:1]))
        )
        seen.losses.append((node.lineno, loss or "loss"))
    for keyword in node.keywords:
        if keyword.arg == "batch_size" and last == "DataLoader":
            seen.batch_sizes.append((node.lineno, ast.unparse(keyword.value)))
    name = NOT_YET.get(last) or NOT_YET.get(function.split(".")[0])
    if name:
        seen.refused.append((node.lineno, name))


def _makes_updates(loop: ast.For) -> bool:
    """Whether there is a `.step()` inside."""
    return any(isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "step" for node in ast.walk(loop))


def _refused(path: Path, seen: Seen) -> Iterator[str]:
    for line, name in seen.refused:
        yield f"{path}:{line}: {name} cannot be followed yet"
    if len({name for _, name in seen.optimizers}) > 1:
        names = ", ".join(f"{name} (line {line})" for line, name in seen.optimizers)
        yield f"{path}: several optimizers ({names}) cannot be followed yet"


def _lines(seen: Seen) -> Iterator[str]:
    """The lines to add, each with its place."""
    yield "  import hpcheck"
    line, seed = seen.seeds[0] if seen.seeds else (0, "0")
    yield f"  torch.manual_seed(hpcheck.seed({seed}))    # {_place(line, 'first of all')}"
    line, size = seen.batch_sizes[0] if seen.batch_sizes else (0, "BATCH_SIZE")
    yield f"  batch_size=hpcheck.total_batch_size({size})    # {_place(line, 'where it is set')}, divided by the number of processes"
    line, optimizer = seen.optimizers[0] if seen.optimizers else (0, "optimizer")
    at_evaluation, evaluate = seen.evaluations[0] if seen.evaluations else (0, "validate")
    given = ", ".join([optimizer, evaluate, *[f"model={model}" for model in seen.models[:1]], "train_examples=len(TRAIN)"])
    after = f"after {_place(line, 'the optimizer is made')}, before the loop"
    yield f"  hp = hpcheck.follow({given}, val_examples=len(VAL), metric='accuracy')    # {after}"
    seen_at = f" (line {at_evaluation})" if at_evaluation else ""
    yield f"      # {evaluate}(){seen_at} takes no argument and returns (loss, metric) over the whole validation set"
    line, variable, length = min(seen.loops) if seen.loops else (0, "epoch", "EPOCHS")
    yield f"  for {variable} in hp.epochs({length}):    # {_place(line, 'the loop over epochs')}; hp.steps where it counts updates"
    line, loss = seen.losses[0] if seen.losses else (0, "loss")
    yield f"  hp.loss({loss})    # after {_place(line, 'the backward pass')}, before the optimizer's step"


def _place(line: int, otherwise: str) -> str:
    return f"line {line}" if line else otherwise


def _last(path: Path) -> list[str]:
    return [f"then: hpcheck lr-range -- python {path} (the first step), or hpcheck run -- python {path} (everything)"]
