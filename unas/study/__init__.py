# SPDX-License-Identifier: Apache-2.0
"""A study: the loop of asking, judging and telling, its workers, its board and its folder."""
