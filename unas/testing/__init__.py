# SPDX-License-Identifier: Apache-2.0
"""Fakes and contract suites that ship with the package."""
