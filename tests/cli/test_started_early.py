"""Workers' server starts before its command knows what to run: only where runs will be made, and by nothing of the user's own."""

from pathlib import Path

import pytest

from hpcheck.checklist.run import Checklist
from hpcheck.cli.steps import will_need_workers
from hpcheck.config import parse
from hpcheck.drawing import png
from hpcheck.runs.spec import RunSpec
from hpcheck.steps.step import Missing
from hpcheck.terminal.progress import Progress
from tests.support.engine_runs import RUN
from tests.support.simulated_engine import simulate

CONFIG = "data: digits\nmodel: mlp\nname: search\n"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_fresh_directory_needs_workers_and_one_with_records_may_not() -> None:
    config = parse(CONFIG, "search")
    assert will_need_workers(config)
    records = Path("runs/search/records")
    records.mkdir(parents=True)
    assert will_need_workers(config)
    (records / "0123456789abcdef.jsonl").touch()
    assert not will_need_workers(config)


@pytest.mark.parametrize("other", ["run.engine=ray", "run.devices=2", "data=mine:load", "model=mine:build", "optimizer=mine:build"])
def test_other_engines_and_the_users_own_code_come_first(other: str) -> None:
    assert not will_need_workers(parse(CONFIG, "search", [other]))


def test_what_draws_is_imported_with_the_first_runs_and_not_where_none_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    imported: list[str] = []
    simulate(monkeypatch)
    monkeypatch.setattr(png, "get_ready", lambda: imported.append("now"))
    with Checklist(parse(CONFIG, "search"), Progress(quiet=True)) as checklist:
        assert imported == []
        for seed in range(2):
            spec = RunSpec(**{**vars(RUN), "seed": seed})
            checklist._execute("lr-range", Missing((spec,), 1))
        assert checklist._getting_ready is not None
        checklist._getting_ready.join()
    assert imported == ["now"]
