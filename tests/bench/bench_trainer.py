"""Both sides of a comparison, everything recorded, against two plain scripts that record nothing:
`make bench`.

The two alternate, so that a busy machine slows both alike; what counts is the ratio, and DESIGN's
limit for it is 0.75."""

import statistics
import time
import warnings

import torch

from linreg import Settings, make_data, train

ROUNDS = 7


def plain_script(X, y, squeezed):
    torch.manual_seed(0)
    net = torch.nn.Linear(2, 1, bias=False)
    criterion = torch.nn.MSELoss()
    optimizer = torch.optim.RMSprop(net.parameters(), lr=0.01)
    for _ in range(30):
        batch = 0
        while batch * 100 < X.shape[0]:
            batch_x = X[batch * 100 : (batch + 1) * 100, :]
            batch_y = y[batch * 100 : (batch + 1) * 100]
            pred_y = net(batch_x)
            loss = criterion(pred_y.squeeze(-1) if squeezed else pred_y, batch_y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            batch += 1


def seconds(work):
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    warnings.simplefilter("ignore", UserWarning)
    sides = [Settings(), Settings(wiring="squeeze")]
    table = make_data(sides[0].data)
    X, y = torch.tensor(table.X, dtype=torch.float32), torch.tensor(table.y, dtype=torch.float32)
    train(sides, table)  # the first run of a process is slower
    pairs = []
    for _ in range(ROUNDS):
        plain = seconds(lambda: [plain_script(X, y, squeezed) for squeezed in (False, True)])
        pairs.append((plain, seconds(lambda: train(sides, table))))
    ratios = [ours / plain for plain, ours in pairs]
    print(f"two plain scripts  {min(plain for plain, _ in pairs):.2f} s (best of {ROUNDS})")
    print(f"linreg.train       {min(ours for _, ours in pairs):.2f} s")
    print(
        f"ratio              {statistics.median(ratios):.2f} (median; {min(ratios):.2f} to"
        f" {max(ratios):.2f}; limit 0.75)"
    )
