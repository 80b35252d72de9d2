"""Hyperparameters, read and checked."""

import json

import pytest
from sagemaker_rl.errors import InputError
from sagemaker_rl.job.hyperparameters import checked_flag, nearest, read_hyperparameters


def test_values_are_decoded_however_often_they_were_encoded(tmp_path):
    file = tmp_path / "hyperparameters.json"
    file.write_text(json.dumps({"a": "0.5", "b": '"preset-x"', "c": "preset-x", "d": '"256"', "e": "true"}))
    assert read_hyperparameters(file) == {"a": 0.5, "b": "preset-x", "c": "preset-x", "d": 256, "e": True}


@pytest.mark.parametrize("content", ["{", "[1]", "\xff"])
def test_a_damaged_file_is_said_in_one_sentence(tmp_path, content):
    file = tmp_path / "hyperparameters.json"
    file.write_bytes(content.encode("latin-1"))
    with pytest.raises(InputError, match=r"hyperparameters\.json"):
        read_hyperparameters(file)


def test_flags():
    assert [checked_flag("save_model", value) for value in (0, 1, True, "false")] == [False, True, True, False]
    with pytest.raises(InputError, match="expected 0 or 1"):
        checked_flag("save_model", 2)


def test_nearest_lists_all_when_nothing_is_close():
    assert nearest("zzz", ["discount", "seed"]) == "known are discount, seed."
