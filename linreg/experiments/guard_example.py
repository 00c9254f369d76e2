"""A training loop with the thread's bug in it, under the guard."""

import torch
from torch import nn

from linreg import no_silent_broadcast


def main() -> None:
    x = 100 * torch.randn(1_000, 2)
    y = x @ torch.tensor([5.0, 3.0]) + torch.randn(1_000)  # (1000,)
    model, criterion = nn.Linear(2, 1, bias=False), nn.MSELoss()
    optimizer = torch.optim.RMSprop(model.parameters(), lr=0.01)
    with no_silent_broadcast():
        for batch_x, batch_y in zip(x.split(100), y.split(100), strict=True):
            prediction = model(batch_x)
            loss = criterion(prediction, batch_y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


if __name__ == "__main__":
    main()
