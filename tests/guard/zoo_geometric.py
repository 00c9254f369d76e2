"""Graph networks of PyTorch Geometric, on graphs with as many edges as nodes and twice as many."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor, nn
from torch_geometric import nn as gnn
from zoo_cases import Case, Criterion, Step

F = 8  # features


def mlp(inputs: int = F, outputs: int = F) -> nn.Module:
    return nn.Sequential(nn.Linear(inputs, F), nn.ReLU(), nn.Linear(F, outputs))


# called with (x, edge_index)
CONVOLUTIONS: dict[str, Callable[[], nn.Module]] = {
    "GCNConv": lambda: gnn.GCNConv(F, F),
    "ChebConv": lambda: gnn.ChebConv(F, F, K=3),
    "SAGEConv": lambda: gnn.SAGEConv(F, F),
    "SAGEConv with max": lambda: gnn.SAGEConv(F, F, aggr="max"),
    "GraphConv": lambda: gnn.GraphConv(F, F),
    "GatedGraphConv": lambda: gnn.GatedGraphConv(F, 2),
    "ResGatedGraphConv": lambda: gnn.ResGatedGraphConv(F, F),
    "GATConv": lambda: gnn.GATConv(F, F // 4, heads=4),
    "GATv2Conv": lambda: gnn.GATv2Conv(F, F // 4, heads=4),
    "TransformerConv": lambda: gnn.TransformerConv(F, F // 4, heads=4, beta=True),
    "AGNNConv": gnn.AGNNConv,
    "TAGConv": lambda: gnn.TAGConv(F, F),
    "GINConv": lambda: gnn.GINConv(mlp(), train_eps=True),
    "ARMAConv": lambda: gnn.ARMAConv(F, F, num_stacks=2, num_layers=2),
    "SGConv": lambda: gnn.SGConv(F, F, K=2),
    "SSGConv": lambda: gnn.SSGConv(F, F, alpha=0.1, K=2),
    "APPNP": lambda: gnn.APPNP(K=3, alpha=0.1),
    "MFConv": lambda: gnn.MFConv(F, F),
    "FeaStConv": lambda: gnn.FeaStConv(F, F, heads=2),
    "LEConv": lambda: gnn.LEConv(F, F),
    "ClusterGCNConv": lambda: gnn.ClusterGCNConv(F, F),
    "GENConv": lambda: gnn.GENConv(F, F, aggr="softmax", learn_t=True),
    "HypergraphConv": lambda: gnn.HypergraphConv(F, F),
    "SuperGATConv": lambda: gnn.SuperGATConv(F, F, heads=2, concat=False),
    "EGConv": lambda: gnn.EGConv(F, F, num_heads=4),
    "GeneralConv": lambda: gnn.GeneralConv(F, F),
    "LGConv": gnn.LGConv,
    "MixHopConv": lambda: gnn.MixHopConv(F, F),
    "FiLMConv": lambda: gnn.FiLMConv(F, F),
    "AntiSymmetricConv": lambda: gnn.AntiSymmetricConv(F),
    "DirGNNConv": lambda: gnn.DirGNNConv(gnn.GCNConv(F, F)),
    "EdgeConv": lambda: gnn.EdgeConv(mlp(2 * F)),
    "PMLP": lambda: gnn.PMLP(F, F, F, 2),
    "GPSConv": lambda: gnn.GPSConv(F, gnn.GCNConv(F, F), heads=2),
    "GCN": lambda: gnn.GCN(F, F, 2, norm="batch"),
    "GIN": lambda: gnn.GIN(F, F, 2, norm="layer"),
    "PNA": lambda: gnn.PNA(
        F, F, 2, aggregators=["mean", "std", "max"], scalers=["identity", "amplification"],
        deg=torch.tensor([0, 4, 4]),
    ),
    "DeepGCN": lambda: gnn.DeepGCNLayer(gnn.GENConv(F, F), gnn.LayerNorm(F), nn.ReLU()),
    "GraphUNet": lambda: gnn.GraphUNet(F, F, F, depth=2),
}  # fmt: skip

# called with (x, batch); each gives a row for every graph
READOUTS: dict[str, Callable[[], nn.Module]] = {
    "mean": gnn.MeanAggregation,
    "softmax": lambda: gnn.SoftmaxAggregation(learn=True),
    "power mean": lambda: gnn.PowerMeanAggregation(learn=True),
    "std": gnn.StdAggregation,
    "median": gnn.MedianAggregation,
    "set to set": lambda: gnn.Set2Set(F, 2),
    "sort": lambda: gnn.SortAggregation(k=3),
    "attention": lambda: gnn.AttentionalAggregation(mlp(outputs=1)),
    "equilibrium": lambda: gnn.EquilibriumAggregation(F, F, [F], 1),
    "deep sets": lambda: gnn.DeepSetsAggregation(mlp(), mlp()),
    "set transformer": lambda: gnn.SetTransformerAggregation(F, heads=2),
    "graph multiset transformer": lambda: gnn.GraphMultisetTransformer(F, k=4, heads=2),
}

NORMS: dict[str, Callable[[], nn.Module]] = {
    "GraphNorm": lambda: gnn.GraphNorm(F),
    "InstanceNorm": lambda: gnn.InstanceNorm(F, affine=True),
    "PairNorm": gnn.PairNorm,
    "MeanSubtractionNorm": gnn.MeanSubtractionNorm,
    "DiffGroupNorm": lambda: gnn.DiffGroupNorm(F, groups=2),
    "GraphSizeNorm": gnn.GraphSizeNorm,
    "MessageNorm": lambda: gnn.MessageNorm(learn_scale=True),
}

POOLS: dict[str, Callable[[], nn.Module]] = {
    "TopKPooling": lambda: gnn.TopKPooling(F),
    "SAGPooling": lambda: gnn.SAGPooling(F),
    "ASAPooling": lambda: gnn.ASAPooling(F),
    "EdgePooling": lambda: gnn.EdgePooling(F),
}


def graph(nodes: int, edges: int) -> tuple[Tensor, Tensor, Tensor]:
    """Features, edges and the number of the graph of each node; four graphs."""
    x, batch = torch.randn(nodes, F), torch.arange(nodes) * 4 // nodes
    first = torch.arange(edges) % nodes
    return x, torch.stack([first, (first + 1 + torch.arange(edges) // nodes) % nodes]), batch


def training(model: nn.Module, forward: Callable[[nn.Module], Tensor]) -> Step:
    head = nn.LazyLinear(1)
    modules = nn.ModuleList([model, head]).train()
    head(forward(model).flatten(1).detach())
    optimizer = torch.optim.Adam(modules.parameters(), lr=0.01)

    def step(criterion: Criterion) -> Tensor:
        optimizer.zero_grad()
        loss = criterion(head(forward(model).flatten(1)).squeeze(-1))
        loss.backward()
        optimizer.step()
        return loss

    return step


def convolution(name: str, nodes: int, edges: int) -> Step:
    x, edge_index, _ = graph(nodes, edges)
    return training(CONVOLUTIONS[name](), lambda model: model(x, edge_index))


def readout(name: str, nodes: int) -> Step:
    x, _, batch = graph(nodes, nodes)
    return training(READOUTS[name](), lambda model: model(x, batch))


def norm(name: str, nodes: int) -> Step:
    x, _, batch = graph(nodes, nodes)
    forwards = {
        "MessageNorm": lambda model: model(x, x.sin()),
        "DiffGroupNorm": lambda model: model(x),
    }
    return training(NORMS[name](), forwards.get(name, lambda model: model(x, batch=batch)))


def pool(name: str, nodes: int, edges: int) -> Step:
    x, edge_index, batch = graph(nodes, edges)
    if name == "EdgePooling":
        return training(POOLS[name](), lambda model: model(x, edge_index, batch)[0])
    return training(POOLS[name](), lambda model: model(x, edge_index, batch=batch)[0])


class AllPairs(nn.Module):
    """The pairs of SchNet without its compiled search: of all atoms with all others."""

    def forward(self, positions: Tensor, _: Tensor) -> tuple[Tensor, Tensor]:
        pairs = torch.combinations(torch.arange(len(positions))).T
        return pairs, (positions[pairs[0]] - positions[pairs[1]]).norm(dim=-1)


def schnet() -> Step:
    kinds, positions = torch.randint(1, 6, (F,)), torch.randn(F, 3)
    batch = torch.arange(F) // 2
    model = gnn.SchNet(F, F, num_interactions=2, num_gaussians=F, interaction_graph=AllPairs())
    return training(model, lambda module: module(kinds, positions, batch))


def cases() -> Iterator[Case]:
    for name in CONVOLUTIONS:
        for edges in (F, 2 * F):
            sizes = f"nodes = features, {edges} edges"
            yield Case(f"{name}, {sizes}", partial(convolution, name, F, edges))
    for name in READOUTS:
        for nodes in (F, 12):
            yield Case(f"{name} readout, {nodes} nodes", partial(readout, name, nodes))
    for name in NORMS:
        yield Case(f"{name}, nodes = features", partial(norm, name, F))
    for name in POOLS:
        yield Case(f"{name}, nodes = features = edges", partial(pool, name, F, F))
    yield Case("SchNet, 8 atoms", schnet)
