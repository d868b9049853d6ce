"""The command `hpcheck read`: what is printed where, the exit codes, the picture, and that torch is never imported."""

import io
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from hpcheck.__main__ import run
from hpcheck.curves import files, judge, terminal
from tests.support.read_cases import csv, falling, noise, ramp, turning


def test_the_table_is_on_stdout_and_notes_are_on_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["read", str(csv(tmp_path / "a.csv", falling()))]) == 0
    out, err = capsys.readouterr()
    assert "a: 40 evaluations (csv), iteration 10 to 400" in out
    assert "plateau" in out
    assert err == f"{tmp_path / 'a.csv'}: no column is the learning rate by its name: --lr says which\n"


def test_quiet_keeps_the_table_and_drops_the_notes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["read", "-q", str(csv(tmp_path / "a.csv", falling()))]) == 0
    out, err = capsys.readouterr()
    assert "plateau" in out
    assert err == ""


def test_json_holds_plain_values(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    losses = turning()
    losses[-1] = math.nan
    path = csv(tmp_path / "a.csv", losses, lr=ramp(60))
    assert run(["read", "--json", str(path)]) == 0
    content = json.loads(capsys.readouterr().out, parse_constant=lambda name: pytest.fail(name))
    (one,) = content["curves"]
    assert (one["file"], one["format"], one["evaluations"], one["step"]) == (str(path), "csv", 60, [10, 600])
    assert one["columns"] == {"step": "iteration", "lr": "lr", "val_loss": "val_loss"}
    assert one["range"]["lr_limit"]["value"] == pytest.approx(0.41, abs=0.1)
    assert "inf" in [clue["strength"] for clue in one["clues"]]
    assert (content["comparison"], content["abstained"]) == (None, False)


def test_json_of_a_comparison_names_the_best(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [csv(tmp_path / f"{wd}.csv", falling(end=end), wd=[wd] * 40) for wd, end in ((1e-3, 0.5), (1e-4, 0.9))]
    assert run(["read", "--json", *map(str, files)]) == 0
    found = json.loads(capsys.readouterr().out)["comparison"]
    assert (found["varies"], found["status"], found["value"], found["best"]) == (["weight_decay"], "chosen", 1e-3, ["0.001"])
    assert [one["verdict"] for one in found["candidates"]] == ["behind", "best"]


@pytest.mark.parametrize("losses", [noise(), [2.3] * 40, [2.0, 1.5, 1.2], [math.nan] * 40])
@pytest.mark.parametrize("rising", [True, False])
def test_what_cannot_be_read_exits_6_without_a_number(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], losses: list[float], rising: bool
) -> None:
    lr = ramp(len(losses)) if rising else [0.1] * len(losses)
    path = csv(tmp_path / "a.csv", losses, lr=lr)
    assert run(["read", "--json", str(path), "--plot", str(tmp_path / "a.png")]) == 6
    content = json.loads(capsys.readouterr().out)
    (one,) = content["curves"]
    assert one["abstained"]
    assert one["range"] is None or one["range"]["lr_limit"]["value"] is None
    assert run(["read", str(path)]) == 6
    assert f"abstained: {one['abstained']}" in " ".join(capsys.readouterr().out.split())


def test_a_comparison_with_one_unreadable_curve_still_answers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [csv(tmp_path / "a.csv", falling(end=0.9)), csv(tmp_path / "b.csv", falling()), csv(tmp_path / "c.csv", [2.0, 1.0])]
    assert run(["read", *map(str, files)]) == 0
    assert "c has too few evaluations and is left out" in capsys.readouterr().out


def test_bad_input_exits_2_with_a_line_for_each_problem_and_no_traceback(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad, ambiguous = tmp_path / "bad.csv", tmp_path / "two.csv"
    bad.write_text("step,val_loss\n1,x\n")
    ambiguous.write_text("step,val_loss,valid_loss\n1,2,3\n")
    assert run(["read", str(bad), str(ambiguous), str(tmp_path / "none.csv")]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        f"error: {bad}:2: val_loss: not a number (got 'x'; expected a number, or nothing)",
        f"error: {ambiguous}:1: several columns could be the validation loss "
        "(got 'val_loss', 'valid_loss'; expected one of them with --val-loss, or their sum by giving it for each)",
        f"error: {tmp_path / 'none.csv'}: no such file or directory",
    ]


def test_columns_are_mapped_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.csv"
    path.write_text("t,eta,nll\n" + "".join(f"{i},{0.01 * i},{loss}\n" for i, loss in enumerate(falling(), start=1)))
    assert run(["read", "--json", "--step", "t", "--lr", "eta", "--val-loss", "nll", str(path)]) == 0
    assert json.loads(capsys.readouterr().out)["curves"][0]["columns"] == {"step": "t", "lr": "eta", "val_loss": "nll"}


@pytest.mark.parametrize(("x", "label"), [("lr", "learning rate"), ("iteration", "iteration"), ("epoch", "epoch")])
def test_x_is_a_step_or_the_lr(tmp_path: Path, x: str, label: str) -> None:
    from hpcheck.curves import describe, files, judge

    path = csv(tmp_path / "a.csv", turning(), lr=ramp(60), epoch=range(60))
    (loaded,) = files.load_all([path], {}, x=x)
    assert describe.panels(judge.read_all([loaded]))[0].x_label == label


def test_an_x_that_is_no_column_exits_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["read", "--x", "tokens", str(csv(tmp_path / "a.csv", falling()))]) == 2
    assert "--x: no column 'tokens'" in capsys.readouterr().err


def test_a_picture_is_written_for_one_curve_and_for_several(tmp_path: Path) -> None:
    one, other = csv(tmp_path / "_$x^$.csv", turning(), lr=ramp(60)), csv(tmp_path / "b.csv", falling(60), lr=ramp(60))
    picture = tmp_path / "a.png"
    assert run(["read", "-q", str(one), "--plot", str(picture)]) == 0
    assert picture.read_bytes()[:4] == b"\x89PNG"
    assert run(["read", "-q", str(one), str(other), "--plot", str(tmp_path / "b.svg")]) == 0
    assert b"<svg" in (tmp_path / "b.svg").read_bytes()


def test_a_picture_that_cannot_be_written_is_said_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["read", "-q", str(csv(tmp_path / "a.csv", falling())), "--plot", str(tmp_path / "none" / "a.png")]) == 5
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_names_from_files_cannot_act_on_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a\x1b[31m[bold]b.csv"
    path.write_text("\x1b]0;t\x07step,val_loss\n" + "".join(f"{i},{loss}\n" for i, loss in enumerate(falling())))
    assert run(["read", "--step", "\x1b]0;t\x07step", str(path)]) == 0
    out, err = capsys.readouterr()
    assert "\x1b" not in out + err
    assert "\x07" not in out + err
    assert "[bold]b" in out


def test_reading_never_imports_torch(tmp_path: Path) -> None:
    path = csv(tmp_path / "a.csv", turning(), lr=ramp(60))
    program = (
        "import sys\n"
        "from hpcheck.__main__ import run\n"
        f"assert run(['read', '-q', {str(path)!r}, {str(path)!r}, '--plot', {str(tmp_path / 'a.png')!r}]) == 0\n"
        "assert not {'torch', 'torchvision', 'tensorflow', 'tensorboard'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"})


@pytest.mark.parametrize("width", [None, 60, 80])
def test_a_table_fits_the_terminal_and_is_a_line_for_each_row_in_a_pipe(tmp_path: Path, width: int | None) -> None:
    paths = [csv(tmp_path / "a.csv", turning(), lr=ramp(60)), csv(tmp_path / "b.csv", falling())]
    out = io.StringIO()
    terminal.show(
        judge.read_all(files.load_all(paths, {}, None, None, {})),
        Console(file=out, width=width or 80, force_terminal=width is not None, color_system=None),
    )
    lines = out.getvalue().splitlines()
    assert [line for line in lines if line != line.rstrip()] == []
    clues = [line for line in lines if "[section" in line]
    if width is None:
        assert max(map(len, clues)) > 120
        assert all(line.count("[section") == line.count("]") == 1 for line in clues)
        assert not any("\u2500" in line for line in lines)
    else:
        assert max(map(len, lines)) <= width
