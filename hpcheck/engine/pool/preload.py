"""What the server imports that workers are forked from: torch once for all of them, and its compiler, which torch has imported when the
first optimizer is made; each worker would take seconds for it in which it hears of no signal."""

import torch

torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
