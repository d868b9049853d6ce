"""A file that is damaged anywhere is read or refused in lines of its own, and never brings the command down."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hpcheck.config.problems import ConfigError
from hpcheck.curves.files import load_all
from tests.support.read_cases import caffe_log, csv, falling, record, trainer_log


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    folder = tmp_path_factory.mktemp("whole")
    written = [
        csv(folder / "a.csv", falling(12)),
        trainer_log(folder / "a.jsonl", falling(6)),
        record(folder / "b.jsonl", falling(6)),
        caffe_log(folder / "log", falling(6), [0.1] * 6),
    ]
    return [path.read_bytes() for path in written] + [text.encode() for text in others()]


def others() -> list[str]:
    """JSON by columns, lines without a header, a metric of MLflow's, a long table and console logs."""
    losses = list(enumerate(falling(12)))
    return [
        json.dumps({"train": {"loss": falling(12)}, "val": {"loss": falling(6)}}, indent=1),
        "\n".join(f"{i} {split} {loss}" for i, loss in losses for split in ("train", "val")),
        "\n".join(f"{1702000000000 + i} {loss} {i}" for i, loss in losses),
        "epoch,phase,loss\n" + "\n".join(f"{i},{split},{loss}" for i, loss in losses for split in ("train", "val")),
        "\n".join(
            f"Epoch {i}/12\n235/235 [=====] - 3s 12ms/step - loss: {loss:.4f} - val_loss: {loss:.4f} - lr: 0.1" for i, loss in losses
        ),
        "\n".join(f"[{i}]\ttrain-rmse:{loss}\teval-rmse:{loss}" for i, loss in losses),
        "\n".join(f"  Epoch    box_loss   cls_loss\n  {i}/12    {loss}    {loss}" for i, loss in losses),
        '"Step","fox - val/loss","fox - val/loss__MIN"\n' + "\n".join(f'"{i}","{loss}","{loss}"' for i, loss in losses),
    ]


@settings(max_examples=240, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_file_is_read_or_refused(whole: list[bytes], tmp_path: Path, data: st.DataObject) -> None:
    content = data.draw(st.sampled_from(whole))
    first = data.draw(st.integers(0, len(content)))
    last = data.draw(st.integers(first, min(first + 30, len(content))))
    put = data.draw(
        st.sampled_from([b"", b"nan", b"1e999", b"-5", b"\n", b",", b'"', b"{", b"\t", b"\xff", b"\0", b"loss = ", b"Iteration 3"])
    )
    path = tmp_path / "damaged"
    path.write_bytes(content[:first] + put + content[last:])
    found, refused = [], []
    try:
        found = load_all([path], {})
    except ConfigError as error:
        refused = str(error).splitlines()
    assert found or refused
    assert all(line.startswith(f"error: {path}") for line in refused)
    assert all((one.curve.step[1:] > one.curve.step[:-1]).all() for one in found)
