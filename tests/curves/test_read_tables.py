"""Tables as people have them: encodings, rules, words around them, spellings of numbers. Every input is of our own making."""

import gzip
import math
from pathlib import Path

import pytest

from hpcheck.config.problems import ConfigError
from hpcheck.curves.files import load_all
from hpcheck.curves.load import Loaded
from tests.support.read_cases import falling

VAL, TRAIN = [round(loss, 4) for loss in falling(12)], [round(loss, 4) for loss in falling(12, seed=1)]
ROWS = [(at, TRAIN[at], VAL[at]) for at in range(12)]
PLAIN = "epoch,train_loss,val_loss\n" + "".join(f"{e},{t},{v}\n" for e, t, v in ROWS)


def one(path: Path, content: str | bytes) -> Loaded:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    (found,) = load_all([path], {})
    return found


def refused(path: Path, content: str | bytes) -> str:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigError) as error:
        load_all([path], {})
    (line,) = str(error.value).splitlines()
    return line


def drawn(head: str, row: str, foot: str = "") -> str:
    return head + "".join(row.format(e=e, t=t, v=v) for e, t, v in ROWS) + foot


def comma(value: float) -> str:
    return str(value).replace(".", ",")


CARD = "---\nlicense: mit\n---\n# my-model\n- Loss: 0.5\n- Accuracy: 0.7\n\nlearning_rate: 0.1\n\n| a | b |\n|---|---|\n| x | y |\n\n"
TABLES: dict[str, str | bytes] = {
    "plain": PLAIN,
    "byte order mark": b"\xef\xbb\xbf" + PLAIN.encode(),
    "windows": PLAIN.replace("\n", "\r\n"),
    "utf-16": PLAIN.encode("utf-16"),
    "utf-16 without a mark": PLAIN.encode("utf-16-le"),
    "utf-16, the other order": PLAIN.encode("utf-16-be"),
    "packed": gzip.compress(PLAIN.encode()),
    "markdown": drawn("| epoch | train_loss | val_loss |\n|:---|---:|:---:|\n", "| {e} | {t} | {v} |\n"),
    "model card": drawn("| Training Loss | Epoch | Validation Loss |\n|:-:|:-:|:-:|\n", "| {t} | {e}.0 | {v} |\n").replace(
        f"| {TRAIN[0]} |", "| No log |"
    ),
    "a whole model card": CARD
    + drawn("| Epoch | Validation Loss |\n|:-:|:-:|\n", "| {e}.0 | {v} |\n", "\n### Versions\n\n- Pytorch 1.9.1\n"),
    "boxes": drawn("+---+---+\n| epoch | val_loss |\n+===+===+\n", "| {e} | {v} |\n", "+---+---+\n"),
    "rich": drawn("┏━━━┳━━━┓\n┃ epoch ┃ val_loss ┃\n┡━━━╇━━━┩\n", "│ {e} │ {v} │\n", "└───┴───┘\n"),
    "psql": drawn(" epoch | val_loss\n-------+----------\n", " {e} | {v}\n", "(12 rows)\n"),
    "data frame": drawn("    epoch  train_loss  val_loss\n", "{e}   {e}  {t}  {v}\n"),
    "words above": f"Run of today\nmodel: resnet\n\n{PLAIN}",
    "words below": f"{PLAIN}Training finished in 3 min\n",
    "padded names": drawn("                  epoch,             train/loss,               val/loss\n", "{e:>20},{t:>20},{v:>20}\n"),
    "on its side": ",".join(["", *map(str, range(12))])
    + "\n"
    + "".join(",".join([name, *map(str, column)]) + "\n" for name, column in (("loss", TRAIN), ("val_loss", VAL))),
    "on its side, with epochs": "".join(
        ",".join([name, *map(str, column)]) + "\n" for name, column in (("epoch", range(12)), ("train_loss", TRAIN), ("val_loss", VAL))
    ),
    "of twelve": drawn("Epoch,Val Loss\n", "{e}/12,{v}\n"),
    "best marked": drawn("epoch,val_loss\n", "{e},{v}*\n"),
    "deviations": drawn("epoch,val_loss\n", "{e},{v} ± 0.01\n"),
    "fortran": "it,val_loss\n" + "".join(f"{e},{v * 100:.6f}D-02\n" for e, _, v in ROWS),
    "accents": drawn("époque,perte_val\n", "{e},{v}\n"),
    "japanese": drawn("エポック,検証損失\n", "{e},{v}\n"),
    "decimal commas": "epoch;val_loss\n" + "".join(f"{e};{comma(v)}\n" for e, _, v in ROWS),
    "decimal commas and dates": "date;epoch;val_loss\n" + "".join(f"01.02.2026;{e};{comma(v)}\n" for e, _, v in ROWS),
    "quoted decimal commas": "epoch,val_loss\n" + "".join(f'{e},"{comma(v)}"\n' for e, _, v in ROWS),
    "decimal commas in percent": "epoch;val_loss;val_acc\n" + "".join(f"{e};{comma(v)};{comma(v)}%\n" for e, _, v in ROWS),
    "units": drawn("epoch,time,val_loss,speed\n", "{e},0.12s,{v},10.2k tok/s\n"),
    "repeated names": PLAIN.replace("\n6,", "\nepoch,train_loss,val_loss\n6,"),
    "names that change on a resume": "epoch,val_loss\n"
    + "".join(f"{e},{v}\n" for e, _, v in ROWS[:6])
    + "epoch,val_loss,lr\n"
    + "".join(f"{e},{v},0.1\n" for e, _, v in ROWS[6:]),
    "units below the names": drawn("epoch,train_loss,val_loss\n(count),(nats),(nats)\n", "{e},{t},{v}\n"),
    "one column": "val_loss\n" + "".join(f"{v}\n" for v in VAL),
    "twice a time": drawn("epoch,time,val_loss,time\n", "{e},1,{v},2\n"),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_read_without_help(tmp_path: Path, name: str) -> None:
    found = one(tmp_path / "log.csv", TABLES[name])
    assert [round(float(loss), 4) for loss in found.curve.val_loss] == VAL
    assert found.of == "validation"
    assert "step" in found.columns or "entry" in found.unit or found.unit == "row"


def test_words_around_a_table_are_said(tmp_path: Path) -> None:
    assert "2 lines above the names are passed over" in one(tmp_path / "a.csv", TABLES["words above"]).notes
    assert any(note.startswith("line 14") for note in one(tmp_path / "b.csv", TABLES["words below"]).notes)


def test_percent_with_commas_are_percent(tmp_path: Path) -> None:
    found = one(tmp_path / "a.csv", TABLES["decimal commas in percent"])
    assert found.curve.accuracy is not None
    assert list(found.curve.accuracy) == VAL


@pytest.mark.parametrize("spelled", ["#NUM!", "NaN", "-nan(ind)", "1.#QNAN", "nan(0x1)"])
def test_a_loss_that_is_lost_is_lost_in_any_spelling(tmp_path: Path, spelled: str) -> None:
    found = one(tmp_path / "a.csv", PLAIN + "".join(f"{e},1,{spelled}\n" for e in range(12, 15)))
    assert math.isnan(found.curve.val_loss[-1])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("epoch,train_loss,val_loss\n", "only a line of names"),
        ("My notes on the training.\nIt went well.\n", "words, and neither a table nor names with values"),
        ('Traceback (most recent call last):\n  File "a.py", line 3, in run\n    a , b = run()\nKeyError: 5\n', "words, and neither"),
        (b"PAR1" + bytes(range(256)), "a Parquet file"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "a picture"),
        (b"BZh91AY&SY" + bytes(range(256)), "compressed by bzip2"),
        (gzip.compress(PLAIN.encode())[:-20], "damaged or cut short"),
        ("a,b,val_loss\n" + "1,2,0.5\n" * 9 + "1,2,3,0.5\n" * 3, "the number of columns changes (got 4 cells from line 11 on; 3 names"),
    ],
)
def test_what_is_no_table_is_called_what_it_is(tmp_path: Path, content: str | bytes, said: str) -> None:
    assert said in refused(tmp_path / "a.csv", content)


def test_rows_that_diverge_are_not_taken_for_words(tmp_path: Path) -> None:
    found = one(tmp_path / "a.csv", PLAIN + "12,nan,nan\n13,nan,nan\n")
    assert len(found.curve) == 14


def test_packed_logs_of_a_directory_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(PLAIN.encode()))
    (tmp_path / "b.csv").write_text(PLAIN)
    assert len(load_all([tmp_path], {})) == 2
