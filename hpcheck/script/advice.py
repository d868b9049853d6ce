"""`hpcheck init --script train.py`: looks at a script, without running it, and says which lines to add and where."""

import ast
from collections.abc import Iterator
from pathlib import Path

from hpcheck.errors import InputError
from hpcheck.script.look import Found, Loop, Seen, look, loops_around, makes_optimizer, of_train

SEVERAL = {"init_process_group", "get_world_size", "DistributedSampler", "DistributedDataParallel", "Accelerator", "Fabric"}  # processes


def advice(path: Path) -> list[str]:
    """The lines to add, in words. Raises `InputError` where the script cannot be read."""
    try:
        seen = look(path)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
    except SyntaxError as error:
        raise InputError(f"{path}:{error.lineno}: not Python ({error.msg})") from None
    if seen.follows:
        return [f"{path} calls hpcheck.follow already; next: hpcheck run -- python {path}"]
    refused = list(_refused(seen))
    if refused:
        return [*refused, "so there are no lines to add yet"]
    training = Training(path, seen)
    return [
        f"{path}: add these lines (they do nothing when you start the script yourself):",
        *training.lines(),
        *training.warnings(),
        f"then: hpcheck lr-range -- python {path} (the first step), or hpcheck run -- python {path} (everything)",
    ]


def _refused(seen: Seen) -> Iterator[str]:
    for one in seen.refused:
        yield f"{one.path}:{one.line}: {one.text} cannot be followed yet"
    stepped = {one.text for one in seen.updates}
    names = {one.text: one for one in reversed(seen.optimizers) if one.text in stepped}
    if len(names) > 1:
        listed = ", ".join(f"{one.text} (line {one.line})" for one in sorted(names.values(), key=lambda one: one.line))
        yield f"{next(iter(names.values())).path}: several optimizers ({listed}) cannot be followed yet"


class Training:
    """The training that was found: its update, the loops around it, and what hpcheck needs of it."""

    def __init__(self, path: Path, seen: Seen) -> None:
        self.path, self.seen = path, seen
        chains = [(one, loops_around(one, seen)) for one in seen.updates]
        self.update = max(chains, key=lambda one: len(one[1]))[0] if chains else None
        chain = loops_around(self.update, seen) if self.update is not None else []
        self.outer = [one for one in chain if makes_optimizer(one[1], one[0].path, seen)]
        self.chain = [one for one in chain if one not in self.outer]
        self.at: Found | None = self.chain[0][0] if self.chain else self.update  # in the function of the training's loop
        self.loop: Loop | None = self.chain[0][1] if self.chain else None
        self.loss = next((one for one in seen.losses if self.update and one.scope == self.update.scope), next(iter(seen.losses), None))
        self.accumulated = _accumulated(self.update)
        self.several = any(one.text.split(".")[-1] in SEVERAL for one in seen.calls)
        own = "self." if self.at is not None and _class(self.at.scope) and self.loss and _class(self.loss.scope) else ""
        self.hp = f"{own}hp"

    def lines(self) -> Iterator[str]:
        """The lines to add, each with its place."""
        yield "  import hpcheck"
        seed = next(iter(self.seen.seeds), None)
        yield f"  torch.manual_seed(hpcheck.seed({seed.text if seed else '0'}))    # {self._place(seed, 'first of all')}"
        yield self._batch_size()
        yield from self._follow()
        yield self._loop()
        loss = self.loss
        where = f"after {self._place(loss, 'the backward pass')}, before the optimizer's step"
        yield f"  {self.hp}.loss({loss.text if loss else 'loss'})    # {where}"

    def _batch_size(self) -> str:
        looped = " ".join(ast.unparse(loop.iter) for _, loop in self.chain if isinstance(loop, ast.For))
        loader = of_train(self.seen.loaders, looped)
        size = None if loader is None else _size_of(loader.node)
        if size is None:
            many = f"{self.accumulated} * BATCH_SIZE) // {self.accumulated}" if self.accumulated else "BATCH_SIZE)"
            return f"  hpcheck.total_batch_size({many}    # in place of the number of examples of a batch, where it is set"
        place = self._place(loader, "")
        many = f" // {self.accumulated}" if self.accumulated else ""
        text, whole = ast.unparse(size), ast.unparse(size)
        if isinstance(size, ast.BinOp) and isinstance(size.op, ast.FloorDiv):
            whole, many = ast.unparse(size.left), f" // {ast.unparse(size.right)}{many}"
        if self.accumulated and "//" not in text:
            whole = f"{self.accumulated} * {whole}"
        divided = "; divide it by the number of processes" if self.several and not many else ""
        return f"  batch_size=hpcheck.total_batch_size({whole}){many}    # {place}{divided}"

    def _follow(self) -> Iterator[str]:
        optimizer, model = self._optimizer(), self._here(self.seen.models)
        evaluation, call = self._evaluation()
        train, val = self._examples()
        given = ", ".join([optimizer, call, *([f"model={model}"] if model else []), f"train_examples={train}"])
        place = f"before line {self.loop.lineno}{self._of(self.at)}" if self.loop and self.at else "after the optimizer is made"
        yield f"  {self.hp} = hpcheck.follow({given}, val_examples={val}, metric='accuracy')    # {place}"
        name = evaluation.text if evaluation else "validate"
        where = f" ({self._place(evaluation, '')})" if evaluation else ", which you write,"
        yield f"      # {name}(){where} returns (loss, metric) over the whole validation set; metric_is='lower' where less is better"

    def _loop(self) -> str:
        loop = self.loop
        if loop is None:
            return f"  for epoch in {self.hp}.epochs(EPOCHS):    # the loop over epochs; {self.hp}.steps where it counts updates"
        kind = "epochs" if len(self.chain) > 1 else "steps"
        place = self._place(Found(self.at.path, loop.lineno, "", self.at.scope, loop) if self.at else None, "")
        if isinstance(loop, ast.While):
            length = _limit(loop)
            many = length if kind == "steps" else "EPOCHS"
            return f"  for _ in {self.hp}.{kind}({many}):    # {place}, in place of `while {ast.unparse(loop.test)}`"
        target, counted = ast.unparse(loop.target), _range(loop.iter)
        if counted is None:
            return f"  for _, {target} in zip({self.hp}.{kind}({kind.upper()}), {ast.unparse(loop.iter)}):    # {place}"
        first, length = counted
        begins = "" if first == "0" else f"; {target} begins at 0, not at {first}"
        return f"  for {target} in {self.hp}.{kind}({length}):    # {place}{begins}"

    def warnings(self) -> Iterator[str]:
        """What in the script would end a run, or mix one with another."""
        for found, loop in self.outer:
            yield (
                f"  # {self._place(found, '', loop.lineno)}: each round of this loop is a training of its own (folds, seeds?); "
                "hpcheck follows the first, and the script ends after it"
            )
        if self.loss and self.hp == "hp" and not self._is_known(self.loss):
            made = (_in(self.at.scope) if self.at else "") or " outside of all functions"
            yield f"  # hp is made{made}: give it to {self.loss.scope.split('.')[-1]}() as an argument"
        for line in sorted({line for _, loop in self.chain for line in _ends(loop)}):
            yield f"  # line {line}: it ends the training by itself; have it only where `not {self.hp}.active`"
        for one in self.seen.calls:
            if one.text == "torch.save" and self.loop is not None and self.loop in one.loops:
                yield f"  # {self._place(one, '')}: every launch of a search saves there, over what is there: keep a copy of what must stay"
            if one.text == "torch.load" and not one.loops:
                yield f"  # {self._place(one, '')}: pretrained weights are fine; no run may go on from what an earlier one saved"

    def _is_known(self, found: Found) -> bool:
        """Whether what is made before the loop is known where this stands: in its function, in one inside it, or everywhere in the file."""
        scope = self.at.scope if self.at is not None else ""
        inside = found.scope == scope or found.scope.startswith(f"{scope}.") or not scope
        return self.at is None or (found.path == self.at.path and inside)

    def _optimizer(self) -> str:
        """What the optimizer is called where the loop stands."""
        if self.update is None or self.at is None:
            return self._here(self.seen.optimizers) or "optimizer"
        if self.update.scope == self.at.scope or self.update.text.startswith("self."):
            return self.update.text
        return self._here(self.seen.optimizers) or self.update.text

    def _here(self, found: list[Found]) -> str | None:
        """What one of these is called where the loop stands: in its function, its class, or outside of all functions."""
        scope = self.at.scope if self.at is not None else ""
        known = [one for one in found if one.scope in (scope, "") and (self.at is None or one.path == self.at.path)]
        known += [one for one in found if one.text.startswith("self.") and _class(scope) and _class(one.scope) == _class(scope)]
        return known[0].text if known else found[0].text if found and self.at is None else None

    def _evaluation(self) -> tuple[Found | None, str]:
        """The function that evaluates, and how hpcheck calls it."""
        updating = {self.update.scope.split(".")[-1]} if self.update else set()
        made = [one for one in self.seen.evaluations if one.text not in updating]
        called = {one.text: [call for call in self.seen.calls if call.text.split(".")[-1] == one.text] for one in made}
        found = max(made, key=lambda one: (bool(called[one.text]), not one.text.lower().startswith("test")), default=None)
        if found is None or not isinstance(found.node, ast.FunctionDef):
            return None, "validate"
        calls = sorted(called[found.text], key=lambda call: call.scope != (self.at.scope if self.at else ""))
        words = ast.unparse(calls[0].node) if calls else f"{found.text}(...)"
        parameters = [one.arg for one in found.node.args.args if one.arg != "self"]
        return found, f"lambda: {words}" if parameters else words.removesuffix("()") if calls else found.text

    def _examples(self) -> tuple[str, str]:
        """How many examples there are, by the loaders."""
        scope = self.at.scope if self.at is not None else ""
        here = [one for one in self.seen.loaders if one.scope in (scope, "") or (one.text.startswith("self.") and _class(scope))]
        looped = " ".join(ast.unparse(loop.iter) for _, loop in self.chain if isinstance(loop, ast.For))
        train = of_train(here, looped)
        others = [one.text for one in here if any(part in one.text.lower() for part in ("val", "test", "eval"))]
        of_val = f"len({others[0]}.dataset)" if others else "len(VAL)"
        return (f"len({train.text}.dataset)" if train is not None and train.text not in others else "len(TRAIN)"), of_val

    def _of(self, found: Found | None) -> str:
        """Where a line stands, for people: the function, and the file where it is not the script."""
        if found is None:
            return ""
        return (f" of {found.path}" if found.path != self.path else "") + _in(found.scope)

    def _place(self, found: Found | None, otherwise: str, line: int = 0) -> str:
        return otherwise if found is None else f"line {line or found.line}{self._of(found)}"


def _in(scope: str) -> str:
    """A scope in words.

    >>> _in("Trainer.fit"), _in("Trainer"), _in("")
    (' in Trainer.fit()', ' in class Trainer', '')
    """
    named = scope.split(".")[-1]
    return f" in class {scope}" if named[:1].isupper() else f" in {scope}()" if scope else ""


def _class(scope: str) -> str:
    """The class that a method's scope names, "" where there is none.

    >>> _class("Trainer.fit"), _class("main")
    ('Trainer', '')
    """
    first, _, rest = scope.partition(".")
    return first if rest and first[:1].isupper() else ""


def _size_of(loader: ast.AST) -> ast.expr | None:
    """The batch size that a DataLoader is made with."""
    assert isinstance(loader, ast.Call)
    given = [one.value for one in loader.keywords if one.arg == "batch_size"]
    return given[0] if given else loader.args[1] if len(loader.args) > 1 else None


def _accumulated(update: Found | None) -> str:
    """The number of batches of an update, in `if (i + 1) % ACCUMULATE == 0:` right around it; "" where there is none."""
    for node in ast.walk(update.guard) if update is not None and update.guard is not None else ():
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
            return ast.unparse(node.right)
    return ""


def _range(over: ast.expr) -> tuple[str, str] | None:
    """Where a loop over numbers begins, and how many there are: of `range`, `trange`, and a bar around them."""
    if not isinstance(over, ast.Call) or not over.args:
        return None
    if ast.unparse(over.func).split(".")[-1] not in ("range", "trange"):
        return _range(over.args[0])
    if len(over.args) == 1:
        return "0", ast.unparse(over.args[0])
    first, until = over.args[:2]
    start = ast.unparse(first)
    if isinstance(until, ast.BinOp) and isinstance(until.op, ast.Add) and ast.unparse(until.right) == start:
        return start, ast.unparse(until.left)
    return start, f"{ast.unparse(until)} - {start}" if start != "0" else ast.unparse(until)


def _limit(loop: ast.While) -> str:
    """What a `while` compares its counter with."""
    test = loop.test
    return ast.unparse(test.comparators[0]) if isinstance(test, ast.Compare) else "STEPS"


def _ends(loop: Loop) -> Iterator[int]:
    """Lines in a loop that leave it, but for those of loops inside, which are asked for themselves."""
    waiting: list[ast.AST] = [*loop.body]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Break | ast.Return):
            yield node.lineno
        elif not isinstance(node, ast.For | ast.While | ast.FunctionDef | ast.Lambda | ast.ClassDef):
            waiting += ast.iter_child_nodes(node)
