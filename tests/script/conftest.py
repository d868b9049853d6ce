"""A job for the process of the tests, as a launched script has one."""

import sys

import pytest


@pytest.fixture
def drive(tmp_path, monkeypatch):
    """Have this process launched for a job; `drive(spec)` returns where its record will be."""
    from torch.optim.lr_scheduler import OneCycleLR
    from torch.optim.optimizer import _global_optimizer_post_hooks
    from torch.utils.data import dataloader

    from hpcheck.runs.spec import to_dict
    from hpcheck.script import api
    from hpcheck.script.job import JOB, Job
    from tests.support.followed import SPEC

    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(dataloader._BaseDataLoaderIter, "__next__", dataloader._BaseDataLoaderIter.__next__)
    monkeypatch.setattr(OneCycleLR, "get_lr", OneCycleLR.get_lr)

    def begin(spec=SPEC, mode="run", run_id="a" * 16, **more):
        folder = tmp_path / f"job-{run_id}-{mode}"
        folder.mkdir()
        job = Job(
            mode, seed=spec.seed, total_batch_size=spec.total_batch_size, run_id=run_id, records=str(tmp_path), spec=to_dict(spec), **more
        )
        job.write(folder)
        monkeypatch.setenv(JOB, str(folder))
        api._driven.cache_clear()
        return tmp_path / f"{run_id}.jsonl"

    yield begin
    _global_optimizer_post_hooks.clear()
    api._driven.cache_clear()
