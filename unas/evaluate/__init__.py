# SPDX-License-Identifier: Apache-2.0
"""Candidate to record, cheapest stage first.

``Judge.judge`` is a coroutine: it asks for the board and for training, and whoever drives it
(``unas.study``) answers when the answer is there. So nothing in it waits, and one thread judges
many candidates.
"""
