# SPDX-License-Identifier: Apache-2.0
"""Fitted models of latency and tensor arena."""
