# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from unas.hil.wire import Frame, FrameDecoder, decode, encode

frames = st.builds(
    Frame, st.integers(0, 255), st.integers(0, 255), st.binary(max_size=700) | st.just(bytes(600))
)


@given(frames)
def test_a_frame_survives_the_line(frame: Frame) -> None:
    line = encode(frame)
    assert line.count(0) == 1
    assert line.endswith(b"\0")
    assert decode(line[:-1]) == frame


@given(st.lists(frames, max_size=5), st.integers(1, 50))
def test_frames_survive_any_cut_of_the_stream(sent: list[Frame], step: int) -> None:
    stream = b"".join(map(encode, sent))
    decoder = FrameDecoder()
    received = []
    for start in range(0, len(stream), step):
        received += decoder.feed(stream[start : start + step])
    assert received == sent


@given(frames, st.data())
def test_a_flipped_bit_never_makes_another_frame(frame: Frame, data: st.DataObject) -> None:
    line = bytearray(encode(frame))
    bit = data.draw(st.integers(0, 8 * len(line) - 1))
    line[bit // 8] ^= 1 << bit % 8
    assert not any(FrameDecoder().feed(bytes(line) + b"\0"))


@given(st.binary(max_size=300), frames)
def test_a_frame_after_noise_is_found(noise: bytes, frame: Frame) -> None:
    assert FrameDecoder().feed(noise + b"\0" + encode(frame))[-1] == frame


def test_noise_without_end_is_cut_off() -> None:
    """Otherwise a line that never falls silent would fill the memory."""
    decoder, frame = FrameDecoder(), Frame(1, 2, b"x")
    for _ in range(129):
        assert decoder.feed(b"\xff" * 1024) == []
    assert decoder.feed(encode(frame)) == [frame]  # nothing is left of the noise before it
