"""What a config may not say: each bad value is one line with its place, its key and what is allowed."""

from collections.abc import Iterator
from typing import Any

import pytest

from hpcheck.config import ConfigError, overlay, parse
from tests.support.config_cases import LEAST, few_plugins, problems


@pytest.fixture(scope="module", autouse=True)
def _shipped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with few_plugins(tmp_path_factory.mktemp("package")):
        yield


BAD = [  # what is added to the least config, the key that the error names, part of the rest
    ("seed: -1", "seed", "out of range (got -1; expected a whole number >= 0 and <= 4294967295)"),
    ("seed: 1.5", "seed", "not a whole number (got 1.5"),
    ("seed: true", "seed", "not a whole number (got true"),
    ("seed: null", "seed", "not a whole number (got null"),
    ("seed: '0'", "seed", "got '0'"),
    ("seed: 4294967296", "seed", "out of range"),
    ("name: ../up", "name", "not a name (got '../up'"),
    ("name: a b", "name", "not a name"),
    ("name: .hidden", "name", "a letter or digit first"),
    ('name: "a\\n"', "name", "not a name (got 'a\\n'"),
    (f"name: {'x' * 65}", "name", "at most 64"),
    ("name: 12", "name", "not text (got 12; expected text)"),
    ("sead: 1", "sead", "unknown key; did you mean 'seed'? (expected one of name, seed"),
    ("weight_decay: 1", "weight_decay", "unknown key; did you mean 'start.weight_decay'?"),
    ("lr: 0.1", "lr", "did you mean 'start.max_lr'?"),
    ("batch_size: 8", "batch_size", "did you mean 'start.total_batch_size'?"),
    ("epochs: 3", "epochs", "did you mean 'budget.epochs'?"),
    ("budget: 3", "budget", "another kind of value (got 3; expected a mapping with keys epochs, hold, short_steps"),
    ("budget: [1]", "budget", "got [1]"),
    ("budget: {epochs: 0}", "budget.epochs", "out of range (got 0; expected a number > 0)"),
    ("budget: {epochs: .inf}", "budget.epochs", "not a finite number (got .inf"),
    ("budget: {epochs: .nan}", "budget.epochs", "not a finite number (got .nan"),
    ("budget: {epochs: 1e999}", "budget.epochs", "not a finite number (got .inf"),
    ("budget: {epochs: 12:30}", "budget.epochs", "not a number (got '12:30'"),
    ("budget: {epochs: true}", "budget.epochs", "not a number (got true"),
    ("budget: {evals: 6}", "budget.evals", "expected a whole number >= 7 and <= 200"),
    ("budget: {evals: 201}", "budget.evals", "out of range"),
    ("budget: {short_steps: 12.5}", "budget.short_steps", "not a whole number (got 12.5; expected a whole number >= 14"),
    ("budget: {short_steps: 13}", "budget.short_steps", "out of range"),
    ("lr_range: {steps: 13}", "lr_range.steps", "out of range"),
    ("lr_range: {sweep_steps: 13}", "lr_range.sweep_steps", "out of range"),
    ("batch: {steps: 13}", "batch.steps", "out of range"),
    ("momentum: {steps: 13}", "momentum.steps", "out of range"),
    ("wd_grid: {steps: 13}", "wd_grid.steps", "out of range"),
    ("budget: {short_steps: 1e12}", "budget.short_steps", "got 1000000000000.0"),
    ("budget: {epohcs: 3}", "budget.epohcs", "did you mean 'epochs'?"),
    ("start: {total_batch_size: 0}", "start.total_batch_size", "out of range"),
    ("start: {total_batch_size: no}", "start.total_batch_size", "not a whole number (got 'no'"),
    ("start: {max_lr: 0}", "start.max_lr", "expected a number > 0 or null"),
    ("start: {weight_decay: -1e-4}", "start.weight_decay", "out of range (got -0.0001; expected a number >= 0)"),
    ("start: {momentum: 1}", "start.momentum", "out of range (got 1; expected a number >= 0 and < 1)"),
    ("start: {momentum: {max: 1, min: 1}}", "start.momentum.min", "out of range (got 1; expected a number >= 0 and < 1)"),
    ("start: {min_lr: 0.1}", "start.min_lr", "without a larger max_lr"),
    ("start: {max_lr: 0.1, min_lr: 0.1}", "start.min_lr", "without a larger max_lr (got 0.1; expected less than start.max_lr"),
    ("train: {policy: cosine}", "train.policy", "1cycle, constant, step, inv, exp"),
    ("start: {momentum: true}", "start.momentum", "expected a number or a mapping with keys max, min"),
    ("start: {momentum: {max: 0.8, min: 0.9}}", "start.momentum.min", "reversed range (got 0.9; expected at most max, 0.8)"),
    ("start: {momentum: {max: 0.8}}", "start.momentum.min", "reversed range (got 0.85"),
    ("start: {momentum: {top: 0.8}}", "start.momentum.top", "unknown key"),
    ("lr_range: {min: 1, max: 0.5}", "lr_range.max", "reversed range (got 0.5; expected more than min, 1.0)"),
    ("lr_range: {min: 1, max: 1}", "lr_range.max", "reversed range"),
    ("lr_range: {sweep_from: 1, sweep_to: 0.1}", "lr_range.sweep_to", "reversed range"),
    ("lr_range: {sweep_to: 1e-6}", "lr_range.sweep_to", "reversed range (got 1e-06; expected more than sweep_from, 1e-05 unless"),
    ("lr_range: {sweep_from: 20}", "lr_range.sweep_from", "reversed range (got 20.0; expected less than sweep_to, 10 unless"),
    ("lr_range: {sweep_from: 2}\noptimizer: adamw", "lr_range.sweep_from", "expected less than sweep_to, 1 unless it is given too"),
    ("lr_range: {cycles: no}", "lr_range.cycles", "neither true nor false (got 'no'; expected true or false)"),
    ("lr_range: {sweep_from: 0}", "lr_range.sweep_from", "out of range"),
    ("lr_range: {max_extensions: -1}", "lr_range.max_extensions", "out of range"),
    ("lr_range: {momentum: 0.9}", "lr_range.momentum", "expected one of falling, constant"),
    ("lr_range: {policy: onecycle}", "lr_range.policy", "not one of the choices; did you mean '1cycle'?"),
    ("lr_range: {min_lr_rule: max/5}", "lr_range.min_lr_rule", "max/10, max/20, max/3, max/4, runs"),
    ("lr_range: {weight_decays: 0.1}", "lr_range.weight_decays", "not a list (got 0.1"),
    ("lr_range: {weight_decays: [0, -0.1]}", "lr_range.weight_decays[1]", "out of range (got -0.1"),
    ("lr_range: {weight_decays: [1, 1.0]}", "lr_range.weight_decays", "1.0 is repeated"),
    ("batch: {sizes: []}", "batch.sizes", "empty (got []"),
    ("batch: {sizes: [64, 64]}", "batch.sizes", "64 is repeated"),
    ("batch: {sizes: [64, true]}", "batch.sizes[1]", "not a whole number (got true"),
    ("batch: {sizes: [64, 12.5]}", "batch.sizes[1]", "got 12.5"),
    ("batch: {sizes: [0]}", "batch.sizes[0]", "out of range"),
    ("batch: {sizes: 64}", "batch.sizes", "not a list"),
    ("batch: {sizes: [[64]]}", "batch.sizes[0]", "got [64]"),
    ("batch: {sizes: [64, 256], max_size: 128}", "batch.sizes", "above batch.max_size (got [64, 256]; expected sizes <= 128)"),
    (f"batch: {{sizes: {list(range(1, 102))}}}", "batch.sizes", "too many values"),
    ("momentum: {values: []}", "momentum.values", "empty"),
    ("momentum: {values: [0.9, 1.0]}", "momentum.values[1]", "out of range (got 1.0"),
    ("momentum: {values: [0.9, 0.9]}", "momentum.values", "0.9 is repeated"),
    ("momentum: {values: [0.5, 0.8]}", "momentum.floor", "above every value to try (got 0.85; expected at most 0.8"),
    ("momentum: {cyclical: 1}", "momentum.cyclical", "neither true nor false (got 1; expected true or false)"),
    ("momentum: {cyclical: yes}", "momentum.cyclical", "got 'yes'"),
    ("wd_grid: {values: []}", "wd_grid.values", "empty"),
    ("wd_grid: {values: [1e-3, .nan]}", "wd_grid.values[1]", "not a finite number"),
    ("wd_grid: {mode: rnage}", "wd_grid.mode", "did you mean 'range'?"),
    ("wd_grid: {from_snapshot: 0}", "wd_grid.from_snapshot", "neither true nor false"),
    ("train: {repeats: 33}", "train.repeats", "out of range"),
    ("confirm: {trainings: 3}", "confirm.trainings", "too few to compare and to confirm"),
    ("confirm: {trainings: -1}", "confirm.trainings", "out of range"),
    ("confirm: {trainings: 5, weight_decays: [1e-4, 1e-3, 1e-2, 1e-1]}", "confirm.weight_decays", "leaves no two trainings"),
    ("train: {compare: start}", "train.compare", "not a list"),
    ("train: {compare: [start, stap]}", "train.compare[1]", "did you mean 'step'?"),
    ("train: {compare: [start, start]}", "train.compare", "start is repeated"),
    ("train: {cycle_fraction: 0}", "train.cycle_fraction", "expected a number > 0 and <= 1"),
    ("train: {fit: true}", "train.fit", "expected one of train, all"),
    ("run: {device: gpu}", "run.device", "unknown device (got 'gpu'; expected auto, cpu, cuda, cuda:N or mps)"),
    ("run: {device: 'cuda:x'}", "run.device", "unknown device"),
    ("run: {dir: ''}", "run.dir", "empty, or not printable"),
    ('run: {dir: "a\\0b"}', "run.dir", "not printable"),
    ("run: {jobs: 0}", "run.jobs", "out of range"),
    ("run: {precision: fp16}", "run.precision", "did you mean 'bf16'?"),
    ("optimizer: sdg", "optimizer", "unknown optimizer; did you mean 'sgd'? (got 'sdg'; expected adamw, sgd or pkg.module:function)"),
    ("optimizer: {nestrov: true}", "optimizer.nestrov", "did you mean 'nesterov'?"),
    ("optimizer: {name: adamw, nesterov: true}", "optimizer.nesterov", "unknown key (expected one of name, beta2, eps)"),
    ("optimizer: {nesterov: 1}", "optimizer.nesterov", "got 1; expected true or false, as its default true"),
    ("optimizer: {name: adamw, eps: .inf}", "optimizer.eps", "not a finite number"),
    ("optimizer: {name: adamw, eps: [1e-8]}", "optimizer.eps", "expected a number"),
    ("optimizer: {velocity: {a: 1}}", "optimizer.velocity", "too deep for an option"),
    ("optimizer: my.module", "optimizer", "unknown optimizer"),
    ("optimizer: 'my.module:'", "optimizer", "not the name of a function"),
    ("optimizer: 'a-b:c'", "optimizer", "not the name of a function (got 'a-b:c'; expected pkg.module:function)"),
    ("optimizer: 'os:system:x'", "optimizer", "not the name of a function"),
    ("optimizer: 3", "optimizer", "text or a mapping with keys name"),
]


@pytest.mark.parametrize(("addition", "key", "words"), BAD)
def test_bad_value_is_one_line_with_its_place_key_and_what_is_allowed(addition: str, key: str, words: str) -> None:
    (line,) = problems(LEAST + addition)
    assert line.startswith(f"error: c.yaml:3: {key}: ")
    assert words in line


BAD_PARTS = [  # a whole config, the start of the error, part of the rest
    ("model: net", "c.yaml: data: ", "is required (expected text or a mapping"),
    ("data: digits", "c.yaml: model: ", "is required"),
    ("data:\nmodel: net", "c.yaml:1: data.name: ", "is required (expected text)"),
    ("data: {name: digits, val_fraction: 1}\nmodel: net", "c.yaml:1: data.val_fraction: ", "expected a number > 0 and < 1"),
    ("data: {name: digits, val_fraction: 0}\nmodel: net", "c.yaml:1: data.val_fraction: ", "out of range"),
    ("data: {name: digits, limit: true}\nmodel: net", "c.yaml:1: data.limit: ", "got true"),
    ("data: {name: image-folder, folder: ../x}\nmodel: net", "c.yaml:1: data.folder: ", "leaves data.root"),
    ("data: {name: image-folder, folder: /x}\nmodel: net", "c.yaml:1: data.folder: ", "leaves data.root"),
    ("data: {name: image-folder, folder: 'C:\\x'}\nmodel: net", "c.yaml:1: data.folder: ", "leaves data.root"),
    ("data: {name: digits, image_size: 32}\nmodel: net", "c.yaml:1: data.image_size: ", "not an option of this one"),
    ("data: {name: digits, loss: huber}\nmodel: net", "c.yaml:1: data.loss: ", "auto, cross_entropy, mse or pkg.module:function"),
    ("data: {name: digits, metric: 'a:'}\nmodel: net", "c.yaml:1: data.metric: ", "not one of the choices"),
    ("data: {name: digits, metric_is: lower}\nmodel: net", "c.yaml:1: data.metric_is: ", "data.metric is auto, of which more is better"),
    ("data: {name: digits, metric: r2, metric_is: lower}\nmodel: net", "c.yaml:1: data.metric_is: ", "or a data.metric of your own"),
    ("data: {name: digits, augment: flip}\nmodel: net", "c.yaml:1: data.augment: ", "none, mirror, mirror-crop"),
    ("data: {name: digits, nromalize: unit}\nmodel: net", "c.yaml:1: data.nromalize: ", "did you mean 'normalize'?"),
    ("data: fashion_mnist\nmodel: net", "c.yaml:1: data: ", "did you mean 'fashion-mnist'?"),
    ("data: {name: fashion-mnist, downlod: true}\nmodel: net", "c.yaml:1: data.downlod: ", "did you mean 'download'?"),
    ("data: digits\nmodel: {name: nte}", "c.yaml:2: model.name: ", "unknown model; did you mean 'net'?"),
    ("data: digits\nmodel:\n  name: net\n  widht: 3", "c.yaml:4: model.widht: ", "unknown key; did you mean 'width'?"),
    ("data: digits\nmodel: {name: net, width: 2.5}", "c.yaml:2: model.width: ", "expected a whole number, as its default 64"),
    ("data: digits\nmodel: {name: net, width: true}", "c.yaml:2: model.width: ", "got true"),
    ("data: digits\nmodel: {name: net, dropout: '0'}", "c.yaml:2: model.dropout: ", "expected a number"),
    ("data: digits\nmodel: {name: net, hidden: 3}", "c.yaml:2: model.hidden: ", "expected a list, as its default [64, 64]"),
    ("data: digits\nmodel: {name: net, kind: 3}", "c.yaml:2: model.kind: ", "expected text"),
    ("data: digits\nmodel: {name: 'my:net', size: {a: 1}}", "c.yaml:2: model.size: ", "too deep for an option"),
    ("data: digits\nmodel: {name: 'my:net', size: .nan}", "c.yaml:2: model.size: ", "not a finite number"),
    ("data: digits\nmodel: [net]", "c.yaml:2: model: ", "got ['net']"),
    ("", "c.yaml: ", "is empty"),
    ("# only a note", "c.yaml: ", "is empty"),
    ("- a", "c.yaml: ", "not a mapping (got ['a']"),
    ("just words", "c.yaml: ", "not a mapping"),
    ("data: digits\nmodel: net\ndata: digits", "c.yaml:3: ", "given twice"),
    ("data: !!python/name:os.system x", "c.yaml:1: ", "tags are not read"),
]


@pytest.mark.parametrize(("text", "start", "words"), BAD_PARTS)
def test_bad_part_or_document_is_one_line_with_its_place(text: str, start: str, words: str) -> None:
    (line,) = problems(text)
    assert line.startswith(f"error: {start}")
    assert words in line


def test_all_problems_come_at_once_each_with_its_line() -> None:
    text = "data: digits\nmodel:\n  name: net\n  widht: 3\nseed: -1\nbatch:\n  sizes:\n  - 1\n  - 0\nruns: 1\n"
    found = [line.split(" ")[1:3] for line in problems(text, "start.max_lr=-1", "nonsense")]
    assert sorted(found) == [
        ["-s", "'nonsense':"],
        ["-s", "start.max_lr:"],
        ["c.yaml:10:", "runs:"],
        ["c.yaml:4:", "model.widht:"],
        ["c.yaml:5:", "seed:"],
        ["c.yaml:9:", "batch.sizes[1]:"],
    ]


def test_long_values_are_shortened_and_long_lists_of_problems_cut() -> None:
    (line,) = problems(f"{LEAST}name: '{'x' * 5000}'")
    assert len(line) < 250
    assert problems(LEAST + "".join(f"k{number}: 1\n" for number in range(70)))[50:] == ["error: and 20 more"]


def test_error_escapes_what_a_terminal_would_obey() -> None:
    assert all(line.isprintable() for line in problems(f'{LEAST}"a\\e[2J\\nb": 1\nname: "\\e[31m"'))


def test_problem_carries_its_parts() -> None:
    with pytest.raises(ConfigError) as caught:
        parse(f"{LEAST}seed: -1", "c.yaml")
    (problem,) = caught.value.problems
    assert (problem.file, problem.line, problem.key, problem.problem, problem.got) == ("c.yaml", 3, "seed", "out of range", "-1")


BAD_SETTINGS: list[tuple[dict[str, Any], str]] = [
    ({"weight_decay": -1}, "error: r.yaml: settings.weight_decay: out of range (got -1; expected a number >= 0)"),
    ({"learning_rate": {"max": "x"}}, "error: r.yaml: settings.learning_rate.max: not a number (got 'x'; expected a number > 0 or null)"),
    ({"learning_rate": {"epochs": 0}}, "error: r.yaml: settings.learning_rate.epochs: out of range (got 0; expected a number > 0)"),
    ({"learning_rate": {"max": 0.1, "min": 0.2}}, "error: r.yaml: settings.learning_rate.min: without a larger max_lr (got 0.2"),
    ({"learning_rate": {"maximum": 0.3}}, "error: r.yaml: settings.learning_rate.maximum: unknown key; did you mean 'max'?"),
    ({"momentum": {"maximum": 0.9}}, "error: r.yaml: settings.momentum.maximum: unknown key; did you mean 'max'?"),
    ({"momentum": {"max": 2}}, "error: r.yaml: settings.momentum.max: out of range (got 2; expected a number >= 0 and <= 1)"),
    (
        {"momentum": {"max": 0.9, "min": 0.8, "shape": "up"}},
        "error: r.yaml: settings.momentum.shape: not one of the choices (got 'up'",
    ),
    ({"total_batch_size": "os:system"}, "error: r.yaml: settings.total_batch_size: not a whole number"),
    ({"model": "os:system"}, "error: r.yaml: settings.model: unknown key"),
]


@pytest.mark.parametrize(("recommended", "start"), BAD_SETTINGS)
def test_overlay_refuses_what_no_recommendation_says(recommended: dict[str, Any], start: str) -> None:
    with pytest.raises(ConfigError) as caught:
        overlay(parse(LEAST, "c.yaml"), recommended, "r.yaml")
    assert str(caught.value).startswith(start)


def test_what_is_gone_is_told_in_one_line() -> None:
    assert problems("data: digits\nmodel: net\nrun: {together: vmapped}\n") == [
        "error: c.yaml:3: run.together: was slower than branches everywhere and is gone "
        "(got 'vmapped'; expected auto, branches, compiled or off)"
    ]
