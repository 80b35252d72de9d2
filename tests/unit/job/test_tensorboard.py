"""Event files, as ``tests/event_files.py`` reads them."""

import struct

import pytest
from event_files import crc32c, events, unmasked
from sagemaker_rl.job import tensorboard

HEADER = "Episode #,Total steps,Wall-Clock Time,Training Reward,Evaluation Reward,Loss/Mean\n"


def test_the_checksum_is_castagnolis():
    assert crc32c(b"123456789") == 0xE3069283  # RFC 3720, B.4
    (masked,) = struct.unpack("<I", tensorboard._masked_checksum(b"123456789"))
    assert unmasked(masked) == 0xE3069283


def test_each_row_becomes_an_event_once_it_is_whole(tmp_path, monkeypatch):
    table = tmp_path / "a.csv"
    assert tensorboard.event_file(tmp_path, table) is None  # nobody has asked
    monkeypatch.setenv("SAGEMAKER_RL_TENSORBOARD", "1")
    file = tensorboard.event_file(tmp_path, table)
    file.update()  # there is no CSV yet
    assert not (tmp_path / "tensorboard").exists()
    table.write_text(HEADER + "1,300,0.5,-1.5,,nan\n2,200000,1.5,2")
    file.update()
    assert events(tmp_path / "tensorboard") == [(300, {"Episode #": 1.0, "Training Reward": -1.5})]
    with table.open("a") as stream:
        stream.write(",,0.25\n3,,2.0,,95.5,\n")
    file.update()
    file.update()
    assert events(tmp_path / "tensorboard")[1:] == [
        (200_000, {"Episode #": 2.0, "Training Reward": 2.0, "Loss/Mean": 0.25}),
        (200_000, {"Episode #": 3.0, "Evaluation Reward": 95.5}),  # of the last evaluation, at the steps before it
    ]


@pytest.mark.parametrize("value", ["0", "", "yes"])
def test_only_1_asks_for_it(tmp_path, monkeypatch, value):
    monkeypatch.setenv("SAGEMAKER_RL_TENSORBOARD", value)
    assert tensorboard.event_file(tmp_path, tmp_path / "a.csv") is None
