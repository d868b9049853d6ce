"""The section `run` of a config: where and how runs are computed."""

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from hpcheck.config.types import Count, Device, Positive, Section, Text, refused


class Run(Section):
    """Where and how runs are computed."""

    dir: Text = Field(default="runs", description="Folder that holds run directories")
    device: Device = Field(default="auto", description="auto, cpu, cuda, cuda:N or mps")
    precision: Literal["fp32", "bf16"] = Field(
        default="fp32", description="Precision of the arithmetic; hpcheck doctor says whether this CPU has bf16"
    )
    jobs: Count | None = Field(default=None, description="Runs side by side; null: one a core on a CPU, one on a GPU")
    threads: Count | None = Field(default=None, description="Threads of one run; null: cores shared among the jobs")
    devices: Count = Field(default=1, description="Devices that compute one run together (DDP), each its part of the batch")
    timeout: Positive = Field(default=600.0, description="Seconds without an update or an evaluation after which a script is ended")
    bn_splits: Count | None = Field(
        default=None,
        description="Parts of a batch with BatchNorm statistics of their own; null: one a device; 1: synchronised",
    )
    engine: Literal["local", "ray"] = Field(
        default="local", description="local: processes here; ray: tasks on a Ray cluster (hpcheck[ray])"
    )
    address: Text | None = Field(default=None, description="Ray cluster to join, such as auto or host:6379; null: one started here")
    together: Literal["off", "auto", "branches", "compiled"] = Field(
        default="auto",
        description="How a GPU computes the runs of a round; auto tries how, off is step by step, others are graphs",
    )

    @field_validator("devices")
    @classmethod
    def _devices_of_a_kind(cls, devices: int, info: ValidationInfo) -> int:
        device = info.data.get("device", "auto")
        if devices > 1 and device not in ("auto", "cpu", "cuda"):
            raise refused(f"run.device is {device}, which is one device", "1, or run.device auto, cpu or cuda")
        return devices

    @field_validator("bn_splits")
    @classmethod
    def _shared_out(cls, splits: int | None, info: ValidationInfo) -> int | None:
        devices = int(info.data.get("devices", 1))
        if splits not in (None, 1) and splits % devices:
            raise refused(f"run.devices is {devices}", f"a multiple of {devices}, 1 or null")
        return splits

    @field_validator("engine")
    @classmethod
    def _one_way_to_spread(cls, engine: str, info: ValidationInfo) -> str:
        if engine == "ray" and info.data.get("devices", 1) > 1:
            raise refused("does not spread one run over several devices", "local, or run.devices 1")
        if engine == "ray" and info.data.get("device", "auto") not in ("auto", "cpu", "cuda"):
            raise refused("gives each run the device that is free", "local, or run.device auto, cpu or cuda")
        return engine

    @field_validator("address")
    @classmethod
    def _of_ray(cls, address: str | None, info: ValidationInfo) -> str | None:
        if address is not None and info.data.get("engine") == "local":
            raise refused("the local engine joins no cluster", "null, or run.engine ray")
        return address

    @field_validator("together", mode="before")
    @classmethod
    def _no_longer(cls, together: object) -> object:
        if together == "vmapped":
            raise refused("was slower than branches everywhere and is gone", "auto, branches, compiled or off")
        return together

    @field_validator("together")
    @classmethod
    def _on_one_device(cls, together: str, info: ValidationInfo) -> str:
        if together not in ("off", "auto") and (info.data.get("engine") == "ray" or info.data.get("devices", 1) > 1):
            raise refused("computes several runs on one device", "auto, off, or run.engine local and run.devices 1")
        return together

    def parts(self) -> int:
        """Parts of a batch that BatchNorm sees one by one."""
        return self.bn_splits or self.devices

    def cut_into(self) -> int:
        """Parts that a batch must come out in: BatchNorm's, or one for each device."""
        return max(self.parts(), self.devices)
