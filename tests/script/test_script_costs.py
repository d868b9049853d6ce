"""What following costs: on a mocked device no update waits for it, and on a CPU an update costs a few operations."""

import sys
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.utils.data import dataloader

from hpcheck.engine.divergence import CHECK_EVERY
from hpcheck.runs import records
from hpcheck.runs.spec import evenly
from tests.support.followed import SPEC, Script

WAIT = {"item", "tolist", "cpu", "numpy", "__float__", "__bool__", "__int__", "__format__", "nonzero", "is_nonzero", "equal"}
MOST_CALLS = 12  # of functions of Python, between two looks; ours: 8 were counted


class Device:
    """A device that notes at which update somebody waited for it, and for what."""

    def __init__(self):
        self.update, self.waits = 0, []
        device = self

        class OnDevice(torch.Tensor):
            @classmethod
            def __torch_function__(cls, function, types, args=(), kwargs=None):
                name, of = getattr(function, "__name__", ""), repr(getattr(function, "__self__", ""))
                if name == "__get__" and ("is_cpu" in of or "is_cuda" in of):
                    return "is_cuda" in of
                if name == "to" and "cpu" in args[1:]:
                    if not (kwargs or {}).get("non_blocking"):
                        device.waits.append((device.update, name))
                    return args[0].as_subclass(torch.Tensor).clone()
                if name in WAIT:
                    device.waits.append((device.update, name))
                return super().__torch_function__(function, types, args, kwargs or {})

        self.kind = OnDevice

    def tensor(self, value):
        return value.detach().as_subclass(self.kind)

    def event(self):
        device = self

        class Event:
            def record(self):
                self.at = device.update

            def synchronize(self):
                device.waits.append((device.update, device.update - self.at))

        return Event()


@pytest.mark.parametrize("accumulate", [1, 2, 3])
def test_no_update_waits_for_the_device_and_all_losses_are_in_the_record(drive, monkeypatch, accumulate):
    device = Device()
    monkeypatch.setattr(torch.cuda, "Event", device.event)
    path = drive(replace(SPEC, steps=100, evaluate_after=(50, 100)))
    script, told = Script(), []
    hp = script.follow()

    def train():
        for _ in hp.steps(1):
            device.update += 1
            for _ in range(accumulate):
                rows = torch.randint(0, 640, (script.batch_size,))
                loss = nn.functional.cross_entropy(script.model(script.x[rows]), script.y[rows])
                (loss / accumulate).backward()
                told.append(float(loss.detach()))
                hp.loss(device.tensor(loss))
            script.optimizer.step()
            script.optimizer.zero_grad()

    with pytest.raises(SystemExit):
        train()
    late = [(at, since) for at, since in device.waits if not isinstance(since, int)]
    assert late == [], "a loss was fetched at once"
    fetched = [(at, since) for at, since in device.waits if at not in (50, 100)]
    assert len(fetched) >= 7
    assert all(since >= CHECK_EVERY - 1 for _, since in fetched), fetched
    halves = [told[: 50 * accumulate], told[50 * accumulate :]]
    means = [sum(half) / len(half) for half in halves]
    assert [row["train_loss"] for row in records.read(path).rows] == pytest.approx(means)


def test_a_tensor_on_the_cpu_is_taken_as_it_is_when_it_is_told(drive):
    path = drive(replace(SPEC, steps=20, evaluate_after=(20,)))
    script = Script()
    hp = script.follow()
    held = torch.tensor(1.0)
    script.model(script.x).sum().backward()

    def train():
        for step in hp.steps(1):
            held.fill_(10 + step)
            hp.loss(held)
            held.fill_(1e9)  # as a script that computes the next loss into it
            script.optimizer.step()

    with pytest.raises(SystemExit):
        train()
    assert records.read(path).rows[0]["train_loss"] == pytest.approx(19.5)


def test_between_two_looks_an_update_calls_a_few_functions(drive):
    drive(replace(SPEC, steps=200, evaluate_after=evenly(200, 2)))
    script = Script()
    hp = script.follow()
    script.model(script.x).sum().backward()
    loss, counts = torch.tensor(0.5), []

    def noting(frame, event, argument):
        if event == "call" and "hpcheck" in frame.f_code.co_filename:
            counts[-1] += 1

    for number in hp.steps(1):
        counts.append(0)
        sys.setprofile(noting)
        hp.loss(loss)
        script.optimizer.step()
        sys.setprofile(None)
        if number == 60:
            break
    between = [count for number, count in enumerate(counts, 1) if number > 15 and number % CHECK_EVERY]
    assert max(between) <= MOST_CALLS, between
    assert max(counts) > MOST_CALLS


def test_batches_are_counted_until_it_is_known_that_their_size_is_right(drive):
    before = dataloader._BaseDataLoaderIter.__next__
    drive(replace(SPEC, steps=30, evaluate_after=(30,)))
    script = Script()
    hp = script.follow()
    assert dataloader._BaseDataLoaderIter.__next__ is not before
    with pytest.raises(SystemExit):
        script.train(hp, hp.epochs(1))
    assert dataloader._BaseDataLoaderIter.__next__ is before
