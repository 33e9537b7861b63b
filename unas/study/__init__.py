# SPDX-License-Identifier: Apache-2.0
"""A study: its assembly, the loop of ask, evaluate and tell, its executors and its results."""
