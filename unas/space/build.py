# SPDX-License-Identifier: Apache-2.0
"""From genes to operators: the one graph that export and resource models share.

How blocks are connected follows μNAS. With ``source`` the input of the latest serial block and
``pending`` the outputs not yet read:

* a serial block adds all pending tensors up ("ties them up") and reads the sum;
* a parallel block reads ``source`` again; its last layer has as many filters as the serial block's
  output has channels, and where that layer is depthwise, a 1x1 convolution follows that sets them;
* tying up: max-pool each tensor by the rounded ratio of its size to the smallest one, pad bottom
  and right to the largest size, then add in order, two at a time.

Everything that the device will compute is an operator here: pools round down, padding is a PAD.
"""

from __future__ import annotations

from unas.architecture import (
    Architecture,
    CnnArchitecture,
    ConvBlock,
    ConvLayer,
    DenseLayer,
    LayerType,
    Pooling,
    PoolingKind,
)
from unas.errors import ArchitectureError
from unas.graph import (
    Activation,
    ConvOptions,
    DenseOptions,
    Graph,
    OperatorKind,
    PoolOptions,
)
from unas.graph.builder import GraphBuilder

_PREPOOL_SIZE = 2


def build_graph(arch: Architecture, input_shape: tuple[int, int, int], num_classes: int) -> Graph:
    """The operator graph of an architecture.

    Args:
        arch: Genes; not changed.
        input_shape: (height, width, channels) of one input.
        num_classes: Classes; two of them share one logit.

    Returns:
        A graph with one input (1, height, width, channels) and one output (1, classes) of logits.

    Raises:
        ArchitectureError: The input has an empty axis, or there are fewer than two classes.
    """
    if min(input_shape) < 1 or num_classes < 2:
        raise ArchitectureError(
            f"no network from {input_shape} to {num_classes} classes; every axis needs at least "
            "1 element, and there must be at least 2 classes"
        )
    builder = GraphBuilder()
    x = builder.input("input", (1, *input_shape))
    if isinstance(arch, CnnArchitecture):
        x = _add_blocks(builder, x, arch.blocks)
        if arch.pooling is not None:
            x = _add_final_pooling(builder, x, arch.pooling)
    return builder.finish(_add_dense(builder, x, arch.dense, num_classes))


def _add_blocks(builder: GraphBuilder, x: int, blocks: tuple[ConvBlock, ...]) -> int:
    source, pending, ties = x, [x], 0
    for number, block in enumerate(blocks, start=1):
        name = f"block{number}"
        if block.parallel:
            channels = builder.shape(pending[0])[-1]
            pending.append(_add_branch(builder, name, source, block, channels))
            continue
        if len(pending) > 1:
            ties += 1
            source = _tie_up(builder, f"tie{ties}", pending)
        else:
            source = pending[0]
        pending = [_add_layers(builder, name, source, block.layers)]
    return _tie_up(builder, f"tie{ties + 1}", pending) if len(pending) > 1 else pending[0]


def _add_branch(
    builder: GraphBuilder, name: str, source: int, block: ConvBlock, channels: int
) -> int:
    """A parallel block whose output has the given number of channels."""
    x = _add_layers(builder, name, source, block.layers[:-1])
    last, prefix = block.layers[-1], f"{name}_layer{len(block.layers)}"
    x = _add_layer(builder, prefix, x, last, filters=channels)
    if last.type is LayerType.DEPTHWISE:
        x = builder.conv(f"{name}_match", x, filters=channels, kernel=1, options=ConvOptions())
    return x


def _add_layers(builder: GraphBuilder, name: str, x: int, layers: tuple[ConvLayer, ...]) -> int:
    for number, layer in enumerate(layers, start=1):
        x = _add_layer(builder, f"{name}_layer{number}", x, layer, filters=layer.filters)
    return x


def _add_layer(
    builder: GraphBuilder, name: str, x: int, layer: ConvLayer, *, filters: int | None
) -> int:
    if layer.prepool:
        x = _add_pool(
            builder, f"{name}_prepool", OperatorKind.MAX_POOL_2D, x, _PREPOOL_SIZE, _PREPOOL_SIZE
        )
    _, height, width, _ = builder.shape(x)
    # Small inputs clip the kernel rather than fail: the search space has no invalid members.
    kernel = min(layer.kernel_size, height, width)
    options = ConvOptions(
        stride_h=layer.stride,
        stride_w=layer.stride,
        activation=Activation.RELU if layer.relu else Activation.NONE,
        batch_norm=layer.batch_norm,
    )
    if layer.type is LayerType.DEPTHWISE:
        return builder.depthwise(f"{name}_dwconv", x, kernel=kernel, options=options)
    if filters is None:
        raise ArchitectureError(f"{name} is a {layer.type} without filters; give it some")
    return builder.conv(f"{name}_conv", x, filters=filters, kernel=kernel, options=options)


def _add_pool(
    builder: GraphBuilder, name: str, kind: OperatorKind, x: int, height: int, width: int
) -> int:
    """Pooling with stride = size, clipped to its input; nothing where that leaves 1x1."""
    _, max_height, max_width, _ = builder.shape(x)
    height, width = min(height, max_height), min(width, max_width)
    if height == width == 1:
        return x
    return builder.pool(name, kind, x, PoolOptions(height, width, height, width))


def _tie_up(builder: GraphBuilder, name: str, tensors: list[int]) -> int:
    """The sum of tensors whose heights and widths may differ."""
    sizes = [builder.shape(x)[1:3] for x in tensors]
    min_height, min_width = (min(axis) for axis in zip(*sizes, strict=True))
    pooled = [
        _add_pool(
            builder,
            f"{name}_pool{i}",
            OperatorKind.MAX_POOL_2D,
            x,
            # Python rounds halves to even, and so does the reference.
            round(height / min_height),
            round(width / min_width),
        )
        for i, (x, (height, width)) in enumerate(zip(tensors, sizes, strict=True), start=1)
    ]
    sizes = [builder.shape(x)[1:3] for x in pooled]
    max_height, max_width = (max(axis) for axis in zip(*sizes, strict=True))
    padded = []
    for i, (x, (height, width)) in enumerate(zip(pooled, sizes, strict=True), start=1):
        below, right = max_height - height, max_width - width
        paddings = ((0, 0), (0, below), (0, right), (0, 0))
        padded.append(builder.pad(f"{name}_pad{i}", x, paddings) if below or right else x)
    total = padded[0]
    for i, x in enumerate(padded[1:], start=1):
        total = builder.add(f"{name}_add{i}", total, x)
    return total


def _add_final_pooling(builder: GraphBuilder, x: int, pooling: Pooling) -> int:
    kinds = {
        PoolingKind.AVERAGE: OperatorKind.AVERAGE_POOL_2D,
        PoolingKind.MAX: OperatorKind.MAX_POOL_2D,
    }
    return _add_pool(builder, "pooling", kinds[pooling.kind], x, pooling.size, pooling.size)


def _add_dense(
    builder: GraphBuilder, x: int, layers: tuple[DenseLayer, ...], num_classes: int
) -> int:
    x = builder.flatten("flatten", x)
    for number, layer in enumerate(layers, start=1):
        options = DenseOptions(activation=Activation.RELU)
        x = builder.dense(f"dense{number}", x, units=layer.units, options=options)
    logits = 1 if num_classes == 2 else num_classes
    return builder.dense("logits", x, units=logits, options=DenseOptions())
