"""`hpcheck init --script`: the lines to add are those that fit the script, wherever its loop stands; what would go wrong is said."""

import textwrap
from pathlib import Path

import pytest

from hpcheck.errors import InputError
from hpcheck.script.advice import advice

HEAD = """
import torch
from torch import nn, optim
from torch.utils.data import DataLoader
torch.Generator().manual_seed(5)
torch.manual_seed(42)
net = nn.Linear(3, 1)
train_loader = DataLoader(train_set, 32, shuffle=True)
val_loader = DataLoader(val_set, batch_size=256)
opt = optim.SGD(net.parameters(), lr=0.1)
scheduler = optim.lr_scheduler.StepLR(opt, 3)
def evaluate(net, loader):
    return 0.0, 0.0
"""
LOOP = """
for epoch in range(10):
    for x, y in train_loader:
        loss = net(x).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    scheduler.step()
    print(evaluate(net, val_loader))
"""


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def advised(text, **files):
    """The advice on a script, and each line of it without its place."""
    for name, content in {"train": text, **files}.items():
        path = Path(*name.split("__")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(content), encoding="utf-8")
    words = advice(Path("train.py"))
    return "\n".join(words), [line.strip().split("    #")[0].strip() for line in words]


def test_the_lines_name_what_the_script_has():
    words, lines = advised(HEAD + LOOP)
    assert lines[1:-1] == [
        "import hpcheck",
        "torch.manual_seed(hpcheck.seed(42))",
        "batch_size=hpcheck.total_batch_size(32)",
        "hp = hpcheck.follow(opt, lambda: evaluate(net, val_loader), model=net, train_examples=len(train_loader.dataset), "
        "val_examples=len(val_loader.dataset), metric='accuracy')",
        "# evaluate() (line 12) returns (loss, metric) over the whole validation set; metric_is='lower' where less is better",
        "for epoch in hp.epochs(10):",
        "hp.loss(loss)",
    ]
    assert "before line 15" in words
    assert "after line 19, before the optimizer's step" in words


@pytest.mark.parametrize(
    ("loop", "line", "place"),
    [
        ("for epoch in range(1, EPOCHS + 1):", "for epoch in hp.epochs(EPOCHS):", "epoch begins at 0, not at 1"),
        ("for epoch in range(first, EPOCHS):", "for epoch in hp.epochs(EPOCHS - first):", "epoch begins at 0, not at first"),
        ("for epoch in tqdm(range(EPOCHS), desc='x'):", "for epoch in hp.epochs(EPOCHS):", "line 15"),
        ("for epoch in trange(EPOCHS):", "for epoch in hp.epochs(EPOCHS):", "line 15"),
        ("while step < LAST:", "for _ in hp.epochs(EPOCHS):", "line 15, in place of `while step < LAST`"),
    ],
)
def test_loops_are_counted_however_they_are_written(loop, line, place):
    words, lines = advised(HEAD + LOOP.replace("for epoch in range(10):", loop))
    assert line in lines
    assert place in words


@pytest.mark.parametrize(
    ("loop", "line"),
    [
        ("for it in range(500):", "for it in hp.steps(500):"),
        ("while it < 500:", "for _ in hp.steps(500):"),
        ("for x, y in stream:", "for _, (x, y) in zip(hp.steps(STEPS), stream):"),
    ],
)
def test_a_loop_whose_every_round_is_an_update_counts_steps(loop, line):
    _, lines = advised(f"{HEAD}\n{loop}\n    loss = f()\n    loss.backward()\n    opt.step()\n")
    assert line in lines


def test_a_method_of_a_trainer_has_the_follower_as_an_attribute():
    text = """
    class Trainer:
        def __init__(self, model, data):
            self.model = model
            self.optimizer = torch.optim.AdamW(model.parameters())
            self.loader = DataLoader(data, batch_size=args.batch)
        def one_epoch(self):
            for x, y in self.loader:
                loss = self.model(x).mean()
                loss.backward()
                self.optimizer.step()
        def validate(self):
            return 0.0, 0.0
        def fit(self):
            for epoch in range(self.epochs):
                self.one_epoch()
                print(self.validate())
                torch.save(self.model.state_dict(), "best.pt")
                if bad:
                    break
    """
    words, lines = advised(text)
    expected = (
        "self.hp = hpcheck.follow(self.optimizer, self.validate, model=self.model, train_examples=len(self.loader.dataset), "
        "val_examples=len(VAL), metric='accuracy')"
    )
    assert {expected, "for epoch in self.hp.epochs(self.epochs):", "self.hp.loss(loss)"} <= set(lines)
    assert "before line 15 in Trainer.fit()" in words
    assert "line 20: it ends the training by itself; have it only where `not self.hp.active`" in words
    assert "line 18 in Trainer.fit(): every launch of a search saves there" in words


def test_a_loop_in_a_package_beside_the_script_is_found():
    engine = """
    def train(model, loader, optimizer, epochs):
        for epoch in range(epochs):
            one_epoch(model, loader, optimizer)
    def one_epoch(model, loader, optimizer):
        for x in loader:
            loss = model(x)
            (loss / 2).backward()
            optimizer.step()
    """
    script = HEAD + "\nfrom lib.engine import train\ntrain(net, train_loader, opt, 5)\n"
    words, lines = advised(script, lib____init__="", lib__engine=engine)
    assert "for epoch in hp.epochs(epochs):" in lines
    assert "hp.loss(loss)" in lines
    assert "before line 3 of lib/engine.py in train()" in words
    assert "# hp is made in train(): give it to one_epoch() as an argument" in words
    assert "give it to" not in advised(HEAD + "def step():\n" + textwrap.indent("loss.backward()\nopt.step()\n", "    ") + LOOP)[0]


def test_accumulated_batches_make_one_update():
    guarded = LOOP.replace("        opt.step()\n", "        if (i + 1) % 4 == 0:\n            opt.step()\n")
    _, lines = advised(HEAD + guarded)
    assert "batch_size=hpcheck.total_batch_size(4 * 32) // 4" in lines


def test_a_batch_size_that_is_divided_among_processes_is_asked_for_as_a_whole():
    _, lines = advised(HEAD.replace("train_set, 32", "train_set, size // world") + LOOP)
    assert "batch_size=hpcheck.total_batch_size(size) // world" in lines
    words, _ = advised(f"dist.init_process_group('gloo')\n{HEAD}{LOOP}")
    assert "divide it by the number of processes" in words
    assert "number of processes" not in advised(HEAD + LOOP)[0]


def test_a_scaler_and_accelerate_have_the_loss_and_the_optimizer_inside():
    loop = LOOP.replace("loss.backward()", "scaler.scale(loss).backward()").replace("opt.step()", "scaler.step(opt)")
    _, lines = advised(HEAD + loop)
    assert "hp.loss(loss)" in lines
    assert any(line.startswith("hp = hpcheck.follow(opt, ") for line in lines)
    _, lines = advised(HEAD + LOOP.replace("loss.backward()", "accelerator.backward(loss)"))
    assert "hp.loss(loss)" in lines


def test_folds_and_checkpoints_that_are_resumed_are_spoken_of():
    folds = "for fold in range(5):\n" + textwrap.indent(HEAD + LOOP, "    ") + "torch.load('x.pt')\n"
    words, lines = advised(folds)
    assert "for epoch in hp.epochs(10):" in lines
    assert "line 1: each round of this loop is a training of its own" in words
    assert "no run may go on from what an earlier one saved" in words


def test_several_optimizers_are_refused_and_nothing_is_to_be_added():
    second = "other = optim.Adam(net.parameters())\nother.step()\n"
    assert advise_lines(HEAD + LOOP + second) == [
        "train.py: several optimizers (opt (line 10), other (line 23)) cannot be followed yet",
        "so there are no lines to add yet",
    ]
    one_of_two = HEAD.replace("opt = optim.SGD", "if fast:\n    opt = optim.Adam(net.parameters())\nelse:\n    opt = optim.SGD")
    assert "import hpcheck" in advised(one_of_two + LOOP)[1]


def advise_lines(text):
    Path("train.py").write_text(text, encoding="utf-8")
    return advice(Path("train.py"))


def test_a_script_without_a_training_gets_the_lines_in_general():
    _, lines = advised("print('hello')\n")
    assert "for epoch in hp.epochs(EPOCHS):" in lines


@pytest.mark.parametrize("text", ["def f(:\n", None])
def test_what_is_no_script_is_one_line(text):
    if text is not None:
        Path("train.py").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"train\.py"):
        advice(Path("train.py"))
