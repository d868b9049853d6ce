"""The shipped optimizers, one file each: `build(groups, *, options) -> torch.optim.Optimizer`."""
