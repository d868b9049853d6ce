"""The config: what is read, what overrides and overlays change, what is written, and its JSON schema."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcheck.config import Config, ConfigError, MomentumRange, dump, load, overlay, parse, schema, yaml12
from tests.support.config_cases import LEAST, few_plugins


@pytest.fixture(scope="module", autouse=True)
def _shipped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with few_plugins(tmp_path_factory.mktemp("package")):
        yield


def test_least_config_has_the_documented_defaults() -> None:
    config = parse(LEAST, "c.yaml")
    assert (config.name, config.seed, config.data.name, config.model.name, config.optimizer.name) == ("", 0, "digits", "net", "sgd")
    assert (config.budget.epochs, config.budget.short_steps, config.budget.evals, config.budget.eval_size) == (25.0, None, None, None)
    assert (config.start.total_batch_size, config.start.max_lr, config.start.weight_decay) == (128, None, 1e-4)
    assert config.start.momentum == MomentumRange(max=0.95, min=0.85)
    assert (config.momentum.values, config.momentum.floor, config.momentum.cyclical) == (None, 0.85, True)
    assert (config.lr_range.max_extensions, config.lr_range.min_lr_rule, config.lr_range.weight_decays) == (2, None, ())
    assert (config.wd_grid.values, config.wd_grid.mode, config.wd_grid.max_rounds, config.batch.sizes) == (None, "cycle", 3, None)
    assert (config.train.repeats, config.train.compare, config.train.fit, config.train.cycle_fraction) == (None, (), "train", 0.9)
    assert (config.confirm.trainings, config.confirm.weight_decays, config.confirm.sure) == (None, None, False)
    assert (config.run.dir, config.run.device, config.run.precision, config.run.jobs) == ("runs", "auto", "fp32", None)


def test_bare_names_and_numbers_are_short_for_mappings() -> None:
    short = parse("data: digits\nmodel: net\noptimizer: adamw\nstart: {momentum: 0.9}", "c.yaml")
    full = "data: {name: digits}\nmodel: {name: net}\noptimizer: {name: adamw}\nstart: {momentum: {max: 0.9, min: 0.9}}"
    assert short == parse(full, "c.yaml")


def test_section_left_empty_keeps_its_defaults() -> None:
    assert parse(f"{LEAST}budget:\n  # epochs: 5\nrun:\n", "c.yaml") == parse(LEAST, "c.yaml")


def test_further_keys_are_options_of_what_is_named() -> None:
    config = parse("data: {name: fashion-mnist, download: true}\nmodel: {name: net, width: 8, hidden: [3, 4]}\n", "c.yaml")
    assert config.data.options() == {"download": True}
    assert config.model.options() == {"width": 8, "hidden": [3, 4]}
    assert config.optimizer.options() == {}


def test_folder_and_image_size_are_options_of_the_loader_that_takes_them() -> None:
    config = parse("data: {name: image-folder, folder: cats, image_size: 32}\nmodel: net\n", "c.yaml")
    assert config.data.options() == {"folder": "cats", "image_size": 32}


def test_users_own_code_takes_any_option_and_is_not_imported() -> None:
    config = parse("data: nowhere.at_all:load\nmodel: {name: 'my:Net', depth: 3, act: gelu, dims: [1, 2.5]}\n", "c.yaml")
    assert config.model.options() == {"depth": 3, "act": "gelu", "dims": [1, 2.5]}


def test_whole_numbers_may_be_written_as_floats() -> None:
    assert parse(f"{LEAST}budget: {{short_steps: 1e3}}", "c.yaml").budget.short_steps == 1000


def test_config_is_frozen_and_hashable() -> None:
    config = parse(LEAST, "c.yaml")
    assert hash(config) == hash(parse(LEAST, "c.yaml"))
    with pytest.raises(ValueError, match="frozen"):
        config.seed = 3


def test_data_root_is_the_config_s_then_the_environment_s_then_data(monkeypatch: pytest.MonkeyPatch) -> None:
    config = parse(LEAST, "c.yaml")
    monkeypatch.delenv("HPCHECK_DATA", raising=False)
    assert config.data.data_root() == Path("data")
    monkeypatch.setenv("HPCHECK_DATA", "/elsewhere")
    assert config.data.data_root() == Path("/elsewhere")
    assert parse(LEAST, "c.yaml", ["data.root=/mine"]).data.data_root() == Path("/mine")


OVERRIDES = [
    ("seed=3", ("seed",), 3),
    ("start.weight_decay=1e-3", ("start", "weight_decay"), 1e-3),
    ("batch.sizes=[64, 128]", ("batch", "sizes"), (64, 128)),
    ("start.momentum.max=0.97", ("start", "momentum", "max"), 0.97),
    ("data.limit=10", ("data", "limit"), 10),
    ("data=fashion-mnist", ("data", "name"), "fashion-mnist"),
    ("model=my.own:net", ("model", "name"), "my.own:net"),
    ("train={repeats: 2}", ("train", "repeats"), 2),
    ("run.dir= a=b ", ("run", "dir"), "a=b"),
    ("data.root=", ("data", "root"), None),
]


@pytest.mark.parametrize(("override", "path", "value"), OVERRIDES)
def test_override_sets_a_value(override: str, path: tuple[str, ...], value: object) -> None:
    found: Any = parse(LEAST, "c.yaml", [override])
    for key in path:
        found = getattr(found, key)
    assert found == value


def test_later_override_wins_and_one_of_two_momenta_can_be_set() -> None:
    config = parse(f"{LEAST}start: {{momentum: 0.9}}", "c.yaml", ["seed=1", "seed=2", "start.momentum.min=0.5"])
    assert (config.seed, config.start.momentum) == (2, MomentumRange(max=0.9, min=0.5))


def test_name_comes_from_the_file_unless_given(tmp_path: Path) -> None:
    path = tmp_path / "my first run.yaml"
    path.write_bytes(b"\xef\xbb\xbfdata: digits\r\nmodel: net\r\n")
    assert load(path).name == "my-first-run"
    assert load(path, ["name=other"]).name == "other"


def test_hpcheck_yaml_has_the_name_of_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "my net"
    folder.mkdir()
    (folder / "hpcheck.yaml").write_text("data: {name: digits}\nmodel: {name: net}\n")
    assert load(folder / "hpcheck.yaml").name == "my-net"
    monkeypatch.chdir(folder)
    assert load(Path("hpcheck.yaml")).name == "my-net"


def test_dump_writes_every_default_and_reads_back_equal() -> None:
    config = parse("data: {name: fashion-mnist, download: true}\nmodel: {name: net, hidden: [1]}\nname: 'no'", "c.yaml")
    text = dump(config)
    assert parse(text, "config.yaml") == config
    assert "\nmomentum:\n  cyclical: true\n  values: null\n  floor: 0.85\n" in text


@st.composite
def configs(draw: st.DrawFn) -> dict[str, Any]:
    rate = st.floats(1e-12, 1e6)
    momenta = st.lists(st.floats(0, 0.999), min_size=1, max_size=4, unique=True)
    option = st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text("aé no1e-~:#'\"", max_size=6)
    low, high = sorted(draw(st.tuples(rate, rate.map(lambda x: x * 1e3))))
    values = draw(momenta)
    return {
        "name": draw(st.sampled_from(["", "no", "1e-4", "12", "a-b_c.d"])),
        "seed": draw(st.integers(0, 2**32 - 1)),
        "data": {"name": "my:load", "val_fraction": draw(st.floats(0.01, 0.99)), "root": draw(st.none() | st.sampled_from(["~", "a b"]))},
        "model": {"name": "my:net"}
        | draw(st.dictionaries(st.text("abyn1~:", min_size=1, max_size=4), option | st.lists(option, max_size=3))),
        "start": {"weight_decay": draw(rate), "momentum": draw(st.floats(0, 0.999))},
        "lr_range": {"min": low, "max": high} if low < high else {},
        "batch": {"sizes": draw(st.none() | st.lists(st.integers(1, 10**6), min_size=1, max_size=5, unique=True))},
        "momentum": {"values": values, "floor": draw(st.floats(0, max(values)))},
    }


@settings(max_examples=60, deadline=None)
@given(configs())
def test_any_config_survives_being_dumped(values: dict[str, Any]) -> None:
    config = parse(yaml12.write(values), "c.yaml")
    assert parse(dump(config), "c.yaml") == config


SETTINGS = {
    "total_batch_size": 256,
    "learning_rate": {"policy": "1cycle", "max": 0.005, "min": 0.0005, "final": 5e-07, "cycle_epochs": 35, "epochs": 40},
    "momentum": {"max": 0.9, "min": 0.8},
    "weight_decay": 0.003,
}


def test_overlay_starts_from_recommended_settings_and_changes_nothing_else() -> None:
    config = parse(LEAST, "c.yaml")
    started = overlay(config, SETTINGS)
    assert (started.start.total_batch_size, started.start.weight_decay) == (256, 0.003)
    assert (started.start.max_lr, started.start.min_lr, started.budget.epochs) == (0.005, 0.0005, 40)
    assert started.start.momentum == MomentumRange(max=0.9, min=0.8)
    assert started.model_copy(update={"start": config.start, "budget": config.budget}) == config


def test_overlay_keeps_what_is_not_recommended() -> None:
    config = parse(f"{LEAST}start: {{max_lr: 0.1, total_batch_size: 32}}", "c.yaml")
    assert overlay(config, {"weight_decay": 0, "learning_rate": {"policy": "1cycle"}}).start.max_lr == 0.1
    assert overlay(config, {}) == config


def test_what_is_overridden_is_so_whatever_is_recommended() -> None:
    def started(*overrides: str) -> Config:
        return overlay(parse(LEAST, "c.yaml", overrides), SETTINGS, "r.yaml", overrides)

    assert started("budget.epochs=2").budget.epochs == 2
    assert started("start.momentum.max=0.97").start.momentum == MomentumRange(max=0.97, min=0.8)
    assert started("start.momentum=0.7").start.momentum == MomentumRange(max=0.7, min=0.7)
    larger = started("start.max_lr=0.05", "seed=3")
    assert (larger.start.max_lr, larger.start.min_lr, larger.seed, larger.start.weight_decay) == (0.05, None, 3, 0.003)
    both = started("start.max_lr=0.05", "start.min_lr=0.01").start
    assert (both.max_lr, both.min_lr) == (0.05, 0.01)
    with pytest.raises(ConfigError, match=r"error: -s start.momentum.min: reversed range .got 0.92; expected at most max, 0.9."):
        started("start.momentum.min=0.92")
    with pytest.raises(ConfigError, match=r"error: r.yaml: start.momentum.min: reversed range .got 0.8; expected at most max, 0.7."):
        overlay(parse(LEAST, "c.yaml"), SETTINGS, "r.yaml", ["start.momentum.max=0.7"])


def test_every_key_is_described_in_one_line_in_the_json_schema() -> None:
    described = schema()
    sections = [described, *(node["anyOf"][1] if "anyOf" in node else node for node in described["$defs"].values())]
    keys = [key for section in sections for key in section["properties"].items()]
    assert len(keys) > 60
    assert all(10 < len(node["description"]) < 100 for _, node in keys)


def test_json_schema_states_ranges_and_short_forms() -> None:
    definitions = schema()["$defs"]
    evals = definitions["Budget"]["properties"]["evals"]["anyOf"][0]
    assert (evals["minimum"], evals["maximum"]) == (7, 200)
    sizes = definitions["Batch"]["properties"]["sizes"]["anyOf"][0]
    assert (sizes["items"]["minimum"], sizes["minItems"], sizes["maxItems"]) == (1, 1, 100)
    assert "A-Za-z" in schema()["properties"]["name"]["pattern"]
    assert [definitions[section]["anyOf"][0]["type"] for section in ("Data", "Model", "Optimizer", "MomentumRange")] == [
        *["string"] * 3,
        "number",
    ]


def test_config_class_can_be_made_in_python() -> None:
    assert Config.model_validate({"data": "digits", "model": "net"}) == parse(LEAST, "c.yaml")


def test_importing_the_config_is_quick_and_brings_no_torch() -> None:
    script = """
import sys, time
began = time.process_time()  # what else the machine does is not counted
import hpcheck.config
hpcheck.config.schema()
heavy = {"torch", "numpy", "scipy", "sklearn", "matplotlib"} & set(sys.modules)
print(time.process_time() - began, *heavy)
"""
    answers = [subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split() for _ in range(3)]
    assert min(float(seconds) for seconds, *_ in answers) < 0.4
    assert all(heavy == [] for _, *heavy in answers)
