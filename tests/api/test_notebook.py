"""The notebook in examples/: every cell runs with real trainings, what it shows is there, and the committed one is small and executed."""

from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat", reason="NO NBFORMAT: the notebook is not tested (pip install '.[dev]')")
nbclient = pytest.importorskip("nbclient", reason="NO NBCLIENT: the notebook is not run (pip install '.[dev]')")
pytest.importorskip("ipykernel", reason="NO IPYKERNEL: the notebook is not run (pip install '.[dev]')")

NOTEBOOK = Path(__file__).parents[2] / "examples" / "notebook" / "digits.ipynb"
LARGEST = 250_000  # bytes


def shown(notebook):
    """What each cell of code put out: the kinds of its data, and its text."""
    outputs = [list(cell.outputs) for cell in notebook.cells if cell.cell_type == "code"]
    kinds = [{kind for output in of_cell for kind in output.get("data", {})} for of_cell in outputs]
    return kinds, "".join(output.get("text", "") for of_cell in outputs for output in of_cell)


@pytest.mark.filterwarnings("ignore")  # those of jupyter's own libraries
@pytest.mark.parametrize("which", ["committed", "run now"])
def test_every_cell_runs_and_shows_what_it_should(tmp_path, which):
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    if which == "run now":
        resources = {"metadata": {"path": str(tmp_path)}}
        nbclient.NotebookClient(notebook, timeout=280, kernel_name="python3", resources=resources).execute()
        assert (tmp_path / "runs" / "notebook" / "report.html").is_file()
    kinds, text = shown(notebook)
    assert {"text/html"} <= kinds[0]
    assert {"image/png"} <= kinds[2]
    assert {"text/html"} <= kinds[4]
    assert {"image/png"} <= kinds[5]
    assert "MAX_LR" in text
    assert not any(output.output_type == "error" for cell in notebook.cells for output in cell.get("outputs", []))


def test_the_committed_notebook_is_small_and_names_no_machine():
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert len(text.encode()) < LARGEST
    assert "/home/" not in text
    assert "/tmp/" not in text
