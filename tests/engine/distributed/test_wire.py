"""Specs and errors pass between processes as text, and come out as they went in."""

from dataclasses import replace

import pytest

from hpcheck.data.arrays import DataError
from hpcheck.engine.distributed.wire import error_from_text, error_to_text, spec_from_text, spec_to_text
from hpcheck.errors import ChangedError, InputError, RunFailedError
from hpcheck.plugins.user_errors import UsersCodeError
from hpcheck.runs.files import StorageError
from hpcheck.runs.spec import Spec, TimingSpec, run_id
from tests.support.engine_runs import DIGITS, RUN

SPECS = [
    replace(RUN, data=replace(DIGITS, root="where/the data lie", options=(("crop", (3, 4)),)), parent="0123456789abcdef", keep="best"),
    TimingSpec(DIGITS, RUN.model, RUN.optimizer, (16, 32)),
]


@pytest.mark.parametrize("spec", SPECS)
def test_a_spec_comes_out_as_it_went_in(spec: Spec) -> None:
    again = spec_from_text(spec_to_text(spec))
    assert again == spec
    assert again.data.root == spec.data.root
    assert run_id(again, "x") == run_id(spec, "x")


@pytest.mark.parametrize("kind", [ChangedError, DataError, RunFailedError, StorageError, UsersCodeError, InputError])
def test_what_is_said_for_people_keeps_its_kind_and_words(kind: type[Exception]) -> None:
    again = error_from_text(error_to_text(kind("what, and what to do\nin two lines")))
    assert type(again) is kind
    assert str(again) == "what, and what to do\nin two lines"


def test_any_other_error_is_a_run_that_failed_and_names_itself() -> None:
    again = error_from_text(error_to_text(KeyError("hidden")))
    assert type(again) is RunFailedError
    assert str(again) == "KeyError: 'hidden'"
