"""What the guard costs in a training step: `make bench-guard`.

Each step runs with the guard on and off in turn, so that a busy machine slows both alike; what
counts is the ratio of the processor times. Its limits are 1.25 for the models, and 1.40 for the
loop of the thread, which does nearly nothing else than call PyTorch."""

import statistics
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

from linreg import Settings, make_data
from linreg.guard.watch import no_silent_broadcast

ROUNDS = 21


class Block(nn.Module):
    """A block of a transformer, with the mask of a language model or without."""

    def __init__(self, width, heads, causal):
        super().__init__()
        self.heads, self.causal = heads, causal
        self.before, self.after = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, x):  # (B, T, C)
        B, T, C = x.shape
        q, k, v = (
            part.view(B, T, self.heads, -1).transpose(1, 2)  # (B, H, T, C / H)
            for part in self.qkv(self.before(x)).chunk(3, -1)
        )
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        x = x + self.out(mixed.transpose(1, 2).reshape(B, T, C))
        return x + self.mlp(self.after(x))


class GPT(nn.Module):
    """Two layers of width 128 on 64 tokens."""

    def __init__(self):
        super().__init__()
        self.token, self.position = nn.Embedding(256, 128), nn.Embedding(64, 128)
        self.blocks = nn.Sequential(Block(128, 4, True), Block(128, 4, True))
        self.head = nn.Linear(128, 256)

    def forward(self, tokens):  # (B, T)
        x = self.token(tokens) + self.position(torch.arange(tokens.shape[1]))  # (B, T, C)
        return self.head(self.blocks(x))


class ViT(nn.Module):
    """Four layers of width 192 on the 64 patches of a picture of 64 × 64."""

    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, 192, 8, 8)
        self.position = nn.Parameter(torch.zeros(64, 192))
        self.blocks = nn.Sequential(*(Block(192, 3, False) for _ in range(4)))
        self.head = nn.Linear(192, 10)

    def forward(self, images):  # (B, 3, 64, 64)
        x = self.patches(images).flatten(2).transpose(1, 2) + self.position  # (B, T, C)
        return self.head(self.blocks(x).mean(1))


class Residual(nn.Module):
    """A block of ResNet-18, with batch normalisation."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.second = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(outputs) for _ in range(3))
        self.skip = nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x):
        y = self.norms[0](self.first(x)).relu()
        return (self.norms[1](self.second(y)) + self.norms[2](self.skip(x))).relu()


def resnet():
    widths = (32, 32, 64, 128, 256)
    blocks = [
        Residual(before, after, 1 if before == after else 2) for before, after in pairwise(widths)
    ]
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(256, 10)]
    return nn.Sequential(nn.Conv2d(3, 32, 3, padding=1), *blocks, *head)


def mlp():
    return nn.Sequential(
        nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 1)
    )


def step(model, optimizer, loss):
    """An ordinary step of training."""
    optimizer.zero_grad()
    loss(model).backward()
    optimizer.step()


def training(model, loss):
    return partial(step, model, torch.optim.AdamW(model.parameters(), lr=1e-4), loss)


def steps() -> dict[str, tuple[Callable[[], object], int, float]]:
    """Each with how often it runs in a round, and the limit of its ratio."""
    x, y = torch.randn(128, 64), torch.randn(128)
    tokens = torch.randint(0, 256, (8, 65))
    images, labels = torch.randn(8, 3, 64, 64), torch.randint(0, 10, (8,))

    def next_token(model):
        return F.cross_entropy(model(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())

    def label(model):
        return F.cross_entropy(model(images), labels)

    return {
        "the thread's loop": (thread_loop(), 1, 1.40),
        "MLP, 3 layers": (training(mlp(), lambda net: F.mse_loss(net(x).squeeze(-1), y)), 20, 1.25),
        "GPT, 2 × 128": (training(GPT(), next_token), 2, 1.25),
        "ViT, 4 × 192": (training(ViT(), label), 2, 1.25),
        "ResNet, 4 blocks": (training(resnet(), label), 2, 1.25),
    }


def thread_loop():
    """100 batches of the regression that the app is about."""
    table = make_data(Settings().data)
    X, y = torch.tensor(table.X, dtype=torch.float32), torch.tensor(table.y, dtype=torch.float32)
    net = nn.Linear(2, 1, bias=False)
    criterion, optimizer = nn.MSELoss(), torch.optim.RMSprop(net.parameters(), lr=0.01)

    def epoch():
        for first in range(0, 10_000, 100):
            loss = criterion(net(X[first : first + 100]).squeeze(-1), y[first : first + 100])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    return epoch


def seconds(run, times, guard):
    with guard:
        started = time.process_time()
        for _ in range(times):
            run()
        return (time.process_time() - started) / times


if __name__ == "__main__":
    torch.manual_seed(0)
    torch.set_num_threads(1)
    print(f"{'':18} {'plain':>10} {'guarded':>10}  ratio (median of {ROUNDS}; quartiles)")
    for name, (run, times, limit) in steps().items():
        seconds(run, times, no_silent_broadcast())  # the first steps of a process are slower
        pairs = []
        for turn in range(ROUNDS):
            both = [nullcontext(), no_silent_broadcast()]
            order = both if turn % 2 else both[::-1]
            took = [seconds(run, times, guard) for guard in order]
            pairs.append(took if turn % 2 else took[::-1])
        ratios = [guarded / plain for plain, guarded in pairs]
        plain, guarded = (1e3 * statistics.median(side) for side in zip(*pairs, strict=True))
        low, _, high = statistics.quantiles(ratios)
        middle = statistics.median(ratios)
        print(
            f"{name:18} {plain:7.2f} ms {guarded:7.2f} ms  {middle:.3f}"
            f" ({low:.3f} to {high:.3f}; limit {limit:.2f})"
        )
