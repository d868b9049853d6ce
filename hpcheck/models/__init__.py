"""The shipped networks, one file each: `build(input_shape, outputs, *, options) -> nn.Module`."""
