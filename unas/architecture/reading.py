# SPDX-License-Identifier: Apache-2.0
"""An architecture of any space from its JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from unas.architecture.cnn import CnnArchitecture, MlpArchitecture
from unas.architecture.cnn_plus import CnnPlusArchitecture
from unas.errors import ArchitectureError

Architecture = CnnArchitecture | CnnPlusArchitecture | MlpArchitecture


def architecture_from_json_dict(data: Mapping[str, Any]) -> Architecture:
    """An architecture of any space, by its ``space`` key.

    Raises:
        ArchitectureError: The data is no architecture.
    """
    readers: dict[str, Callable[[Mapping[str, Any]], Architecture]] = {
        "cnn": CnnArchitecture.from_json_dict,
        "cnn+": CnnPlusArchitecture.from_json_dict,
        "mlp": MlpArchitecture.from_json_dict,
    }
    name = data.get("space") if isinstance(data, Mapping) else None
    if not isinstance(name, str) or name not in readers:
        known = ", ".join(readers)
        raise ArchitectureError(f"architecture: 'space' is {name!r}; it must be one of {known}")
    return readers[name](data)
