# SPDX-License-Identifier: Apache-2.0
"""The version, where every room may read it."""

VERSION = "0.1.0"
