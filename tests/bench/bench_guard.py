"""The thread's loop with the guard on, against the same loop without: `PYTHONPATH=. python
tests/bench/bench_guard.py`.

The two alternate, so that a busy machine slows both alike; what counts is the ratio, and its limit
is 1.40."""

import statistics
import time
from contextlib import nullcontext

import torch

from linreg import Settings, make_data
from linreg.guard.watch import no_silent_broadcast

ROUNDS = 11
EPOCHS = 5


def loop(X, y, around):
    torch.manual_seed(0)
    net = torch.nn.Linear(2, 1, bias=False)
    criterion = torch.nn.MSELoss()
    optimizer = torch.optim.RMSprop(net.parameters(), lr=0.01)
    started = time.process_time()
    with around:
        for _ in range(EPOCHS):
            for first in range(0, len(X), 100):
                batch_x, batch_y = X[first : first + 100], y[first : first + 100]
                loss = criterion(net(batch_x).squeeze(-1), batch_y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
    return time.process_time() - started


if __name__ == "__main__":
    table = make_data(Settings().data)
    X, y = torch.tensor(table.X, dtype=torch.float32), torch.tensor(table.y, dtype=torch.float32)
    loop(X, y, no_silent_broadcast())  # the first run of a process is slower
    pairs = [(loop(X, y, nullcontext()), loop(X, y, no_silent_broadcast())) for _ in range(ROUNDS)]
    ratios = [guarded / plain for plain, guarded in pairs]
    steps = EPOCHS * len(X) // 100
    print(
        f"plain loop  {min(plain for plain, _ in pairs) / steps * 1e6:.0f} µs a step (best of"
        f" {ROUNDS})"
    )
    print(f"guarded     {min(guarded for _, guarded in pairs) / steps * 1e6:.0f} µs a step")
    print(
        f"ratio       {statistics.median(ratios):.2f} (median; {min(ratios):.2f} to"
        f" {max(ratios):.2f}; limit 1.40)"
    )
