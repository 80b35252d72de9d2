"""Hyperparameters, read and checked."""

import json

import numpy as np
import pytest
from sagemaker_rl.errors import InputError
from sagemaker_rl.job.hyperparameters import (
    Range,
    as_arguments,
    checked_flag,
    checked_number,
    decode,
    from_arguments,
    nearest,
    read_hyperparameters,
)


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


@pytest.mark.parametrize(
    ("allowed", "inside", "outside", "words"),
    [
        (Range(0, 1), [0, 0.5, 1], [-1e-9, 1.0000001], "between 0 and 1"),
        (Range(1), [1, 1e17], [0.999], "1 or more"),
        (Range(0, closed=False), [1e-300, 1e17], [0, -1], "more than 0"),
        (Range(0, 0.5, closed=False), [1e-300, 0.5], [0, 0.51], "between 0 and 0.5"),
    ],
)
def test_a_range(allowed, inside, outside, words):
    assert str(allowed) == words
    for value in inside:
        assert checked_number("rate", value, float, allowed) == value
    for value in outside:
        with pytest.raises(InputError, match=rf"^Hyperparameter rate is {value!r}, expected a number {words}\.$"):
            checked_number("rate", value, float, allowed)


@pytest.mark.parametrize("value", [True, "5", None, [5], float("nan"), float("inf"), 1.1e18, -1.1e18])
@pytest.mark.parametrize("number_type", [int, float])
def test_what_is_no_number_of_use(value, number_type):
    with pytest.raises(InputError, match=r"^Hyperparameter seed is .*, expected a (whole )?number\.$"):
        checked_number("seed", value, number_type, None)


def test_whole_numbers():
    assert checked_number("seed", 5.0, int, None) == 5
    assert type(checked_number("seed", 5.0, int, None)) is int
    assert type(checked_number("rate", 5, float, None)) is float
    assert checked_number("seed", 1e18, int, None) == 10**18
    with pytest.raises(InputError, match=r"^Hyperparameter seed is 5\.5, expected a whole number 1 or more\.$"):
        checked_number("seed", 5.5, int, Range(1))


@pytest.mark.parametrize("value", ["2", "yes", None, [1], 0.5])
def test_what_is_no_flag(value):
    with pytest.raises(InputError, match=r"^Hyperparameter keep_best is .*, expected 0 or 1\.$"):
        checked_flag("keep_best", value)


def test_the_forms_of_flags():
    given = [0, 1, 0.0, 1.0, False, True, "true", "false", "True", "False"]
    assert [checked_flag("x", value) for value in given] == [False, True] * 3 + [True, False] * 2


def test_arguments_are_read_as_they_are_given():
    given = {"seed": 3, "rate": 0.5, "name": "x y", "list": [1, {"a": None}], "on": True}
    arguments = as_arguments({**given, "sagemaker_program": "x", "_tuning_objective_metric": "y"})
    assert arguments[:4] == ["--seed", "3", "--rate", "0.5"]
    assert from_arguments(arguments) == {**given, "on": "True"}
    assert from_arguments(["-n", "2", "--a-b", '"5"']) == {"n": 2, "a-b": 5}
    assert from_arguments([]) == {}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["seed", "3"], "Argument 'seed' of the program is no name, expected --NAME VALUE for each."),
        (["--seed", "3", "4"], "Argument '4' of the program is no name, expected --NAME VALUE for each."),
        (["--seed", "3", "--rate"], "Argument --rate of the program has no value, expected --NAME VALUE for each."),
    ],
)
def test_arguments_that_are_none(arguments, sentence):
    with pytest.raises(InputError) as raised:
        from_arguments(arguments)
    assert str(raised.value) == sentence


def test_a_missing_file_is_no_hyperparameters_and_a_list_is_refused(tmp_path):
    assert read_hyperparameters(tmp_path / "none.json") == {}
    (tmp_path / "list.json").write_text("[1]")
    with pytest.raises(InputError, match=r"list\.json holds list, expected a JSON object\.$"):
        read_hyperparameters(tmp_path / "list.json")


def test_numbers_of_numpy_and_deep_json_are_decoded_as_far_as_they_are():
    assert type(decode(np.float64(0.5))) is float
    assert decode("[" * 100_000) == "[" * 100_000
    assert decode('"\\"a\\""') == "a"
    assert nearest("discont", ["seed", "discount", "disco"]) == "did you mean 'discount'?"
