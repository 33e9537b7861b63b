# SPDX-License-Identifier: Apache-2.0
"""Architectures: the genes of one candidate network, as plain data.

Which values a gene may take is the matter of ``unas.space``; here is only what makes the data
well-formed, so that two equal networks are equal values with one hash.
"""

from unas.architecture.cnn import CnnArchitecture, MlpArchitecture
from unas.architecture.cnn_plus import (
    CnnPlusArchitecture,
    Connection,
    FinalPooling,
    FinalPoolingKind,
    LayerPadding,
    PlusBlock,
    PlusLayer,
)
from unas.architecture.layers import (
    ConvBlock,
    ConvLayer,
    DenseLayer,
    LayerType,
    Pooling,
    PoolingKind,
)
from unas.architecture.reading import Architecture, architecture_from_json_dict
from unas.architecture.record import SCHEMA

__all__ = [
    "SCHEMA",
    "Architecture",
    "CnnArchitecture",
    "CnnPlusArchitecture",
    "Connection",
    "ConvBlock",
    "ConvLayer",
    "DenseLayer",
    "FinalPooling",
    "FinalPoolingKind",
    "LayerPadding",
    "LayerType",
    "MlpArchitecture",
    "PlusBlock",
    "PlusLayer",
    "Pooling",
    "PoolingKind",
    "architecture_from_json_dict",
]
