"""The thread's script as anyone would write it: the independent route to every weight and loss of
the trainer.

It shares no code with linreg; what an optimizer's name stands for is written out again here.
"""

import warnings

import numpy as np
import torch

NO_MOMENTUM = ("Adagrad", "Adadelta", "Adam", "AdamW", "NAdam", "RAdam", "Adamax")


def make_optimizer(name, parameters, lr, momentum):
    if name in NO_MOMENTUM:
        return getattr(torch.optim, name)(parameters, lr=lr)
    if name == "RMSprop":
        return torch.optim.RMSprop(parameters, lr=lr, momentum=momentum)
    if name in ("SGD", "Nesterov"):
        return torch.optim.SGD(parameters, lr=lr, momentum=momentum, nesterov=name == "Nesterov")
    raise ValueError(f"write down here what the optimizer {name} stands for")


class Net(torch.nn.Module):
    def __init__(self, wiring, init, bias, dtype):
        super().__init__()
        self.wiring = wiring
        self.layer1 = torch.nn.Linear(2, 1, bias=bias, dtype=dtype)
        values = self.layer1.weight.tolist()[0] if init is None else list(init[:2])
        if wiring == "weight_1d":
            self.layer1.weight = torch.nn.Parameter(torch.tensor(values, dtype=dtype))
        elif init is not None or wiring == "weight_2d":
            self.layer1.weight = torch.nn.Parameter(torch.tensor([values], dtype=dtype))
        if init is not None and len(init) == 3:
            self.layer1.bias = torch.nn.Parameter(torch.tensor([init[2]], dtype=dtype))

    def forward(self, x):
        x = self.layer1(x)
        if self.wiring == "noop_squeeze":
            x.squeeze()
        return x


def plain_run(X, y, settings, dtype=torch.float32):
    """Weights (T + 1, P) and losses (T,) of one script that trains one model."""
    train_x, train_y = torch.tensor(X, dtype=dtype), torch.tensor(y, dtype=dtype)
    torch.manual_seed(settings.seed)
    net = Net(settings.wiring, settings.init, settings.bias, dtype)
    criterion = torch.nn.MSELoss()
    optimizer = make_optimizer(settings.optimizer, net.parameters(), settings.lr, settings.momentum)
    shuffler = np.random.default_rng(settings.seed)
    weights, losses = (
        [[value for p in net.parameters() for value in p.detach().reshape(-1).tolist()]],
        [],
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        for _ in range(settings.epochs):
            order = torch.as_tensor(
                shuffler.permutation(len(y)) if settings.shuffle else np.arange(len(y))
            )
            for first in range(0, len(y), settings.batch_size):
                rows = order[first : first + settings.batch_size]
                batch_x, batch_y = train_x[rows], train_y[rows]
                pred_y = net(batch_x)
                if settings.wiring == "squeeze":
                    pred_y = pred_y.squeeze(-1)
                if settings.wiring == "unsqueeze":
                    batch_y = batch_y.unsqueeze(1)
                loss = criterion(pred_y, batch_y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                losses.append(loss.item())
                weights.append(
                    [value for p in net.parameters() for value in p.detach().reshape(-1).tolist()]
                )
    return np.array(weights), np.array(losses)
