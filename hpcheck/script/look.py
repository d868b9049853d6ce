"""Looks at a training script, and at the modules beside it that it imports, by their text alone: optimizers, loaders, loops, updates."""

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

MOST_FILES = 30  # ours: modules beside a script that are looked at
OPTIMIZERS = {"SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "NAdam", "RAdam", "Adamax", "Adafactor", "Lion", "LAMB", "Muon"}
EVALUATES = re.compile(r"^_*(run_|do_|compute_|get_)?(valid|val|eval|estimate|test)", re.IGNORECASE)
NO_UPDATE = re.compile(r"sched|scaler|prof|pbar|env|ema|swa|early", re.IGNORECASE)  # what else has a method `step`
NOT_YET = {"LBFGS": "LBFGS", "FullyShardedDataParallel": "FSDP", "FSDP": "FSDP", "fully_shard": "FSDP", "deepspeed": "DeepSpeed"}
Loop = ast.For | ast.While


@dataclass(frozen=True)
class Found:
    """Something in a file: `text` is what it is called there, `scope` the function it stands in, "" outside of all."""

    path: Path
    line: int
    text: str
    scope: str
    node: ast.AST
    loops: tuple[Loop, ...] = ()  # of the same function, around it, the outermost first
    guard: ast.expr | None = None  # the condition right around it


@dataclass
class Seen:
    """What was found, in the order of files and lines."""

    optimizers: list[Found] = field(default_factory=list)
    loaders: list[Found] = field(default_factory=list)  # text: what it is assigned to
    seeds: list[Found] = field(default_factory=list)  # text: the seed
    updates: list[Found] = field(default_factory=list)  # text: the optimizer
    losses: list[Found] = field(default_factory=list)
    models: list[Found] = field(default_factory=list)
    evaluations: list[Found] = field(default_factory=list)  # functions
    functions: list[Found] = field(default_factory=list)
    calls: list[Found] = field(default_factory=list)
    refused: list[Found] = field(default_factory=list)
    follows: bool = False


def look(path: Path) -> Seen:
    """What there is in a script and in the modules of its folder that it imports. Raises OSError, UnicodeDecodeError and SyntaxError."""
    seen, waiting, known = Seen(), [path], {path.resolve()}
    while waiting and len(known) <= MOST_FILES:
        at = waiting.pop(0)
        try:
            tree = ast.parse(at.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, SyntaxError):
            if at == path:
                raise
            continue
        _Visitor(at, seen).visit(tree)
        for module in _imported(tree, path.parent):
            if module.resolve() not in known:
                known.add(module.resolve())
                waiting.append(module)
    receivers = {one.text.rpartition(".")[0] for one in seen.calls if one.text.endswith(".zero_grad")}
    named = {one.text for one in seen.optimizers} | receivers
    seen.updates = [one for one in seen.updates if one.text in named or "opt" in one.text.lower()]
    return seen


def _imported(tree: ast.Module, folder: Path) -> Iterator[Path]:
    """The files in the script's folder that a module imports."""
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            beside = folder.joinpath(*name.split("."))
            yield from (one for one in (beside.with_suffix(".py"), beside / "__init__.py") if one.is_file())


class _Visitor(ast.NodeVisitor):
    """Goes through one file with the function, the loops and the condition that it is in."""

    def __init__(self, path: Path, seen: Seen) -> None:
        self.path, self.seen = path, seen
        self.scope: list[str] = []
        self.loops: list[Loop] = []
        self.guard: ast.expr | None = None

    def _found(self, node: ast.expr | ast.stmt, text: str) -> Found:
        return Found(self.path, node.lineno, text, ".".join(self.scope), node, tuple(self.loops), self.guard)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._inside(node, node.name)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        here = self._found(node, node.name)
        self.seen.functions.append(here)
        if EVALUATES.match(node.name):
            self.seen.evaluations.append(here)
        for argument in node.args.args:
            if argument.arg in ("model", "net", "network"):
                self.seen.models.append(Found(self.path, node.lineno, argument.arg, ".".join([*self.scope, node.name]), node))
        self._inside(node, node.name)

    def _inside(self, node: ast.ClassDef | ast.FunctionDef, name: str) -> None:
        before, self.loops, self.guard = (self.loops, self.guard), [], None
        self.scope.append(name)
        self.generic_visit(node)
        self.scope.pop()
        self.loops, self.guard = before

    def visit_For(self, node: ast.For) -> None:
        self._round(node)

    def visit_While(self, node: ast.While) -> None:
        self._round(node)

    def _round(self, node: Loop) -> None:
        before, self.guard = self.guard, None
        self.loops.append(node)
        self.generic_visit(node)
        self.loops.pop()
        self.guard = before

    def visit_If(self, node: ast.If) -> None:
        self.visit(node.test)
        before, self.guard = self.guard, node.test
        for one in node.body:
            self.visit(one)
        self.guard = before
        for one in node.orelse:
            self.visit(one)

    def visit_Assign(self, node: ast.Assign) -> None:
        target = ast.unparse(node.targets[0])
        if isinstance(node.value, ast.Call):
            function = ast.unparse(node.value.func)
            last = function.split(".")[-1]
            is_part = re.search(r"scheduler|swa", function)
            if last in OPTIMIZERS or ("optim." in f"{function.lower()}" and not is_part) or last.endswith("Optimizer"):
                self.seen.optimizers.append(self._found(node, target))
            if last == "DataLoader":
                self.seen.loaders.append(Found(self.path, node.lineno, target, ".".join(self.scope), node.value, tuple(self.loops)))
        if target.split(".")[-1] in ("model", "net", "network"):
            self.seen.models.append(self._found(node, target))
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        function = ast.unparse(node.func)
        last, receiver = function.split(".")[-1], function.rpartition(".")[0]
        self.seen.calls.append(self._found(node, function))
        self.seen.follows |= function == "hpcheck.follow"
        if node.args and (function in ("torch.manual_seed", "manual_seed") or last in ("set_seed", "seed_everything")):
            self.seen.seeds.append(self._found(node, ast.unparse(node.args[0])))
        if last == "backward":
            self.seen.losses.append(self._found(node, _loss(node, receiver)))
        if last == "step" and "scaler" in receiver.lower() and node.args:
            self.seen.updates.append(self._found(node, ast.unparse(node.args[0])))
        elif last == "step" and receiver and not NO_UPDATE.search(receiver.split(".")[-1]):
            self.seen.updates.append(self._found(node, receiver))
        name = NOT_YET.get(last) or NOT_YET.get(function.split(".")[0])
        if name:
            self.seen.refused.append(self._found(node, name))
        self.generic_visit(node)


def _loss(call: ast.Call, receiver: str) -> str:
    """The loss of a batch in `(loss / 2).backward()`, `scaler.scale(loss).backward()`, `accelerator.backward(loss)`."""
    if call.args and "loss" not in receiver.lower():
        return ast.unparse(call.args[0])
    assert isinstance(call.func, ast.Attribute)
    loss = call.func.value
    if isinstance(loss, ast.Call) and ast.unparse(loss.func).endswith("scale") and loss.args:
        loss = loss.args[0]
    if isinstance(loss, ast.BinOp) and isinstance(loss.op, ast.Div):
        loss = loss.left
    return ast.unparse(loss)


def loops_around(update: Found, seen: Seen, depth: int = 3) -> list[tuple[Found, Loop]]:
    """The loops around an update, the outermost first: those around the calls of its function, then its own. Each with what is in it."""
    own = [(update, loop) for loop in update.loops]
    function = update.scope.split(".")[-1]
    if not depth or not function:
        return own
    callers = [one for one in seen.calls if one.text.split(".")[-1] == function and one.scope != update.scope]
    chains = [loops_around(one, seen, depth - 1) for one in callers]
    return [*max(chains, key=len, default=[]), *own]


def makes_optimizer(loop: Loop, path: Path, seen: Seen) -> bool:
    """Whether an optimizer is made in a loop, or a function is called in it that makes one: each round is a training of its own."""
    makers = {one.scope.split(".")[-1] for one in seen.optimizers if one.scope}
    called = {ast.unparse(node.func).split(".")[-1] for node in ast.walk(loop) if isinstance(node, ast.Call)}
    return any(one.path == path and loop in one.loops for one in seen.optimizers) or bool(makers & called - {"__init__"})


def of_train(loaders: Sequence[Found], looped: str) -> Found | None:
    """The loader of the training among several: the one that is looped over, else one that is called so or shuffles."""

    def rank(loader: Found) -> tuple[bool, bool, bool]:
        keywords = {one.arg: ast.unparse(one.value) for one in getattr(loader.node, "keywords", ())}
        name = loader.text.split(".")[-1].lower()
        return (
            bool(re.search(rf"(?<![\w.]){re.escape(loader.text)}(?!\w)", looped)),
            "train" in name,
            keywords.get("shuffle") == "True" or "sampler" in keywords,
        )

    return max(loaders, key=rank, default=None)
