"""What a worker process does: one spec at a time, its record written straight to the run directory."""

import multiprocessing
import os
import platform
import signal
from contextlib import closing
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, cast

import torch

from hpcheck import __version__
from hpcheck.data.cache import load_raw
from hpcheck.data.prepare import prepare as prepare_data
from hpcheck.engine import thread_timing
from hpcheck.engine.batches import OnDevice
from hpcheck.engine.checkpoints import ask_to_stop, stop_asked
from hpcheck.engine.distributed import team
from hpcheck.engine.loop import Data, train
from hpcheck.engine.pool.descendants import end_forks_with_this_process
from hpcheck.engine.pool.executor import is_at_work
from hpcheck.engine.pool.malloc import keep_freed_memory
from hpcheck.engine.pool.where import say_where_when_asked
from hpcheck.engine.tasks.contents import fingerprint as contents_of
from hpcheck.engine.tasks.describe import describe
from hpcheck.engine.tasks.load import OfTask
from hpcheck.engine.timing import is_out_of_memory, measure
from hpcheck.errors import ChangedError, InputError, RunFailedError, Stopped
from hpcheck.plugins.find import is_users_own
from hpcheck.plugins.undisturbed import undisturbed
from hpcheck.plugins.user_errors import UsersCodeError, as_theirs
from hpcheck.runs.identity import Fingerprints
from hpcheck.runs.records import RecordWriter, begun_with
from hpcheck.runs.spec import DataSpec, RunSpec, Spec, basis
from hpcheck.runs.spec import run_id as computed_id

LOADER_LOST = "DataLoader worker (pid"  # so torch's own words begin
CONTEXT_BYTES = 600 * 2**20  # ours, generous: what a process takes of a GPU before it computes anything

ONE_VALUE = (
    "BatchNorm has a single value a channel to take its statistics of; take larger batches (start.total_batch_size, batch.sizes), or fewer "
    "run.bn_splits"
)
ONE_VALUE_OF_A_TASK = (
    "BatchNorm has a single value a channel to take its statistics of; an epoch's last batch may hold one example: give the training "
    "loader drop_last=True, or take larger batches"
)


def start() -> None:
    """Set a worker up: its run stops when asked by SIGTERM, at once where there is none; stdout is for data."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _asked_to_end)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    os.dup2(2, 1)
    multiprocessing.set_start_method(None, force=True)  # the pool's own; the user's loaders start their processes as in a script
    end_forks_with_this_process()
    say_where_when_asked()
    keep_freed_memory()


def work(spec: Spec, run_id: str, directory: Path, device_name: str, threads: int) -> None:
    """Compute `spec` and leave its finished record at `directory`/`run_id`.jsonl. What the user's code raises is an `UsersCodeError`."""
    if stop_asked() and team.size() == 1:  # several stop together, after a step
        raise Stopped
    directory = directory.absolute()  # the user's steps may change the working directory
    path = directory / f"{run_id}.jsonl"
    try:
        threads = int(begun_with(path, run_id).get("threads", threads))  # an interrupted run goes on to the same numbers
        torch.set_num_threads(threads)
        with undisturbed():  # the next run of this process
            device = resolve_device(device_name)
            data, begun_in = begun(spec, run_id, device, threads)
            with closing(_record(path, run_id, spec, begun_in)) as record:
                if isinstance(spec, RunSpec):
                    train(spec, data, record, directory)
                else:
                    measure(spec, data, record, directory)
    except BaseException as error:  # of the user's code too: SIGINT, which would raise one, is ignored here
        if is_out_of_memory(error):
            raise RunFailedError(f"{spec.label or run_id}: {out_of_memory(spec, device_name)}") from None
        if "more than 1 value per channel" in str(error):  # torch's BatchNorm
            raise InputError(f"{spec.label or run_id}: {ONE_VALUE_OF_A_TASK if spec.data.task else ONE_VALUE}") from None
        refuse_lost_loader(spec, error)
        raise (as_theirs(error) or error) from None


def begun(spec: Spec, run_id: str, device: torch.device, threads: int) -> tuple[Data, dict[str, Any]]:
    """The data of a run on its device, and what its record says of where it was made. Raises `ChangedError` where the data or the user's
    code are no longer what `run_id` names."""
    data, fingerprint = data_of(spec, str(device))
    source = of_this_process().users_source(spec)
    if computed_id(spec, fingerprint, source) != run_id:
        refuse_random_data(spec.data, fingerprint)
        raise ChangedError(f"{spec.label}: your code or data changed while the command ran; give it again")
    return data, environment(device, threads) | {"data": fingerprint[:16], "identity": basis(fingerprint, source)}


def refuse_lost_loader(spec: Spec, error: BaseException) -> None:
    """Raise `RunFailedError` where a process of a DataLoader was killed or has ended itself. torch raises that wherever the run is."""
    if isinstance(error, RuntimeError) and str(error).startswith(LOADER_LOST):
        raise RunFailedError(
            f"{spec.label or spec.model.name}: {str(error).splitlines()[0].rstrip('. ')}: it was killed, most likely for want of memory "
            "(lower num_workers, run.jobs or the batch size), or your Dataset's code ends it; with num_workers=0 you see where"
        ) from None


def refuse_random_data(data: DataSpec, fingerprint: str) -> None:
    """Raise `UsersCodeError` where the user's loader returns other data whenever it is called: no run would ever be found again."""
    if not is_users_own(data.name) or data.task:  # of a task's examples it is known already whether a seed repeats them
        return
    if load_raw(data.name, Path(data.root), dict(data.options))[1] != fingerprint:
        raise UsersCodeError(
            f"data {data.name} returns other data each time it is called, so no run could be compared with another or found again: "
            "seed it, as in rng = numpy.random.default_rng(0), and draw from rng alone"
        )
    raise ChangedError(
        f"data {data.name} changed while the command ran; give it again. Where that does not help, the data differ from process to "
        "process: look for an order that a set, hash() or a listing of files gives, and sort it"
    )


def _record(path: Path, run_id: str, spec: Spec, begun_in: dict[str, Any]) -> RecordWriter:
    return RecordWriter(path, run_id, spec, begun_in) if team.is_first() else cast(RecordWriter, team.Unwritten(run_id, begun_in))


def out_of_memory(spec: Spec, device_name: str) -> str:
    """What ran out, and what to lower. Nothing is ever lowered unasked: it would be another run."""
    size = spec.total_batch_size if isinstance(spec, RunSpec) else max(spec.batch_sizes)
    return (
        f"out of memory on device {device_name} at batch size {size}; lower start.total_batch_size, batch.max_size or run.jobs, "
        "or take a smaller model"
    )


def resolve_device(name: str) -> torch.device:
    """The device behind `auto`, `cpu`, `cuda`, `cuda:N` or `mps`. Raises `InputError` where the machine has none such."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda" and (not torch.cuda.is_available() or (device.index or 0) >= torch.cuda.device_count()):
        raise InputError(f"run.device: this machine has no {name} ({torch.cuda.device_count()} CUDA devices; use auto or cpu)")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise InputError("run.device: this machine has no mps (use auto or cpu)")
    return device


def free_bytes_of(name: str) -> dict[str, int | None]:
    """The devices behind a name (`auto` and `cuda` are all the GPUs there are), each with its free bytes; None where nobody counts them.
    Raises `InputError` as `resolve_device` does."""
    device = resolve_device(name)
    if device.type != "cuda":
        return {str(device): None}
    numbers = range(torch.cuda.device_count()) if device.index is None else [device.index]
    return {f"cuda:{number}": torch.cuda.mem_get_info(number)[0] for number in numbers}


def measured(spec: Spec, run_id: str, directory: Path, device: str, threads: int) -> int | None:
    """`work`; returns the bytes that it took of a GPU, this process's context included, None on other devices."""
    if not device.startswith("cuda"):
        work(spec, run_id, directory, device, threads)
        return None
    torch.cuda.init()  # type: ignore[no-untyped-call]  # the figures of memory exist only then
    torch.cuda.reset_peak_memory_stats(device)
    work(spec, run_id, directory, device, threads)
    return torch.cuda.max_memory_reserved(device) + CONTEXT_BYTES


@cache
def of_this_process() -> Fingerprints:
    """Of the user's code as this process found it first: what it has imported, it does not import again."""
    return Fingerprints()


def threads_that_pay(spec: Spec, directory: Path, most: int) -> int | None:
    """The number of threads on a CPU, at most `most`, that pays for the steps of a run. None where they fail: the run will say of what."""
    try:
        return thread_timing.threads_that_pay(spec, data_of(spec, "cpu")[0], directory, most)
    except BaseException:  # of the user's code too, which may leave by SystemExit
        return None


def data_of(spec: Spec, device: str) -> tuple[Data, str]:
    """What a run is made of on its device, and the fingerprint of its data."""
    if not spec.data.task:
        return on_device(spec.data, device)
    task = OfTask.of(spec, torch.device(device))
    return task, task_contents(task)


@cache
def task_contents(task: OfTask) -> str:
    """The fingerprint of a task's data, as this process finds them first."""
    return contents_of(task.begin())[0]


def described(task_of: Spec, device_name: str, batch_size: int | None, default_batch_size: int, seed: int) -> dict[str, Any]:
    """What is told of a task before anything is planned. What the user's code raises is an `UsersCodeError`."""
    try:
        torch.set_num_threads(1)
        with undisturbed():
            return describe(OfTask.of(task_of, resolve_device(device_name)), batch_size, default_batch_size, seed)
    except BaseException as error:
        refuse_lost_loader(task_of, error)
        raise (as_theirs(error) or error) from None


@lru_cache(maxsize=2)
def on_device(spec: DataSpec, device: str) -> tuple[OnDevice, str]:
    """The data of a run on its device, kept between the runs of one process, and their fingerprint."""
    raw, fingerprint = load_raw(spec.name, Path(spec.root), dict(spec.options))
    prepared = prepare_data(
        raw,
        val_fraction=spec.val_fraction,
        validate_on=spec.validate_on,
        normalize=spec.normalize,
        limit=spec.limit,
        fit=spec.fit,
        crop=spec.crop,
        targets=spec.targets,
    )
    return OnDevice(prepared, torch.device(device)), fingerprint


def environment(device: torch.device, threads: int) -> dict[str, Any]:
    """What a record says of where it was made: an allowlist, nothing of the user's environment."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    return {
        "hpcheck": __version__,
        "torch": str(torch.__version__),  # torch has a class for it, which weights_only would not load
        "python": platform.python_version(),
        "device": device.type,
        "device_name": name,
        "threads": threads,
        **({"devices": team.size()} if team.size() > 1 else {}),
    }


def _asked_to_end(*_: object) -> None:
    if not is_at_work():
        os._exit(0)  # it may wait for a lock that a killed worker held
    ask_to_stop()
