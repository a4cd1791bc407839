"""Small networks of tokens for the tests of prices: embedding width, heads, MLP width and depth are open."""

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from common.space import OneOf, Repeat
from common.supernet import conv2d, fmap, linear, repeat

Mode = Literal["fused", "matmul", "bmm", "einsum"]
HEAD = 4


@dataclass(frozen=True)
class Block:
    heads: Any
    hidden: Any


@dataclass(frozen=True)
class Vit:
    width: Any
    blocks: Any


SMALL = Vit(OneOf(8, 12), Repeat(Block(OneOf(1, 2), OneOf(4, 8)), OneOf(1, 2)))
DEEP = Vit(8, tuple(Block(OneOf(1, 2, 3), OneOf(4, 8, 12)) for _ in range(6)))


class Attention(nn.Module):
    def __init__(self, width: Any, heads: Any, mode: Mode) -> None:
        super().__init__()
        inner = fmap(lambda h: h * HEAD, heads)
        self.mode = mode
        self.q, self.k, self.v = (linear(width, inner) for _ in range(3))
        self.out = linear(inner, width)

    def forward(self, x: Tensor) -> Tensor:
        n, length, _ = x.shape
        q, k, v = (layer(x).view(n, length, -1, HEAD).transpose(1, 2) for layer in (self.q, self.k, self.v))
        match self.mode:
            case "fused":
                y = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, length, -1)
            case "matmul":
                y = ((q @ k.mT).softmax(-1) @ v).transpose(1, 2).flatten(2)
            case "bmm":
                q, k, v = (part.flatten(0, 1) for part in (q, k, v))
                y = torch.bmm(torch.bmm(q, k.transpose(1, 2)).softmax(-1), v).unflatten(0, (n, -1)).permute(0, 2, 1, 3).flatten(2)
            case _:
                scores = torch.einsum("bhqd,bhkd->bhqk", q, k)
                y = torch.einsum("bhqk,bhkd->bqhd", scores.softmax(-1), v).flatten(2)
        return self.out(y)


class Transformer(nn.Module):
    def __init__(self, width: Any, block: Block, mode: Mode) -> None:
        super().__init__()
        self.attention = Attention(width, block.heads, mode)
        self.mlp = nn.Sequential(linear(width, block.hidden), nn.GELU(), linear(block.hidden, width))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(x)
        return x + self.mlp(x)


class Network(nn.Module):
    def __init__(self, net: Vit, mode: Mode) -> None:
        super().__init__()
        self.patches = conv2d(3, net.width, 1, 2)
        self.blocks = repeat(net.blocks, lambda _, block: Transformer(net.width, block, mode))
        self.head = linear(net.width, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.blocks(self.patches(x).flatten(2).transpose(1, 2)).mean(1))
