# SPDX-License-Identifier: Apache-2.0
"""Counting and timing engine, caches: C, compiled at first use."""
