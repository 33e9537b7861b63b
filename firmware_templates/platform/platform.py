# SPDX-License-Identifier: Apache-2.0
"""PlatformIO platform that lives in the project: works with no registry in reach.

PlatformIO calls `configure_default_packages` before it looks for its own SCons, on every run.
"""

import importlib.util
import json
import shutil
import socket
from pathlib import Path

import platformio
from platformio.dependencies import get_core_dependencies
from platformio.exception import UserSideException
from platformio.package.manager.tool import ToolPackageManager
from platformio.package.meta import PackageSpec
from platformio.platform.base import PlatformBase

TOOLCHAIN = "toolchain-gccarmnoneeabi"
COMPILER = "arm-none-eabi-gcc"

SCONS_ENTRY = """\
# Written by unas: PlatformIO's `tool-scons`, served by the SCons that pip installed.
import sys

from SCons.Script import main

sys.exit(main())
"""


def offer_scons() -> None:
    """Register pip's SCons as PlatformIO's tool-scons, unless it has one already."""
    requirement = get_core_dependencies()["tool-scons"]
    manager = ToolPackageManager()
    spec = PackageSpec(owner="platformio", name="tool-scons", requirements=requirement)
    if manager.get_package(spec) or importlib.util.find_spec("SCons") is None:
        return
    version = requirement.lstrip("~^>=< ").split(",")[0]
    identity = {"name": "tool-scons", "version": version}
    source = {**dict.fromkeys(("id", "requirements", "uri")), "owner": "platformio"}
    source["name"] = "tool-scons"
    folder = Path(manager.package_dir) / "tool-scons-from-pip"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "scons.py").write_text(SCONS_ENTRY)
    (folder / "package.json").write_text(json.dumps({**identity, "description": "SCons from pip"}))
    (folder / ".piokeep").touch()
    # Last: from this file on PlatformIO sees the package.
    (folder / ".piopm").write_text(json.dumps({**identity, "type": "tool", "spec": source}))


def registry_in_reach() -> bool:
    """One quick look, because PlatformIO itself waits a minute."""
    for host in platformio.__registry_mirror_hosts__:
        try:
            socket.create_connection((host, 443), timeout=3).close()
        except OSError:
            continue
        return True
    return False


class UnasarmPlatform(PlatformBase):
    def is_embedded(self):
        return True

    def configure_default_packages(self, options, targets):
        offer_scons()
        super().configure_default_packages(options, targets)
        if not shutil.which(COMPILER):
            installed = ToolPackageManager().get_package(
                PackageSpec(owner="platformio", name=TOOLCHAIN)
            )
            if not installed and not registry_in_reach():
                raise UserSideException(f"{COMPILER} is not on PATH, no registry in reach")
            self.packages[TOOLCHAIN]["optional"] = False
        # PlatformIO wants every uploader from its registry to upload: not if it is here.
        wanted = "upload" in targets and not shutil.which("openocd")
        self.packages["tool-openocd"]["optional"] = not wanted
