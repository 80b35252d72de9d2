"""Hyperparameters, read and checked."""

import json
import math

import numpy as np
import pytest
from sagemaker_rl.errors import InputError
from sagemaker_rl.job import hyperparameters
from sagemaker_rl.job.hyperparameters import (
    Range,
    as_arguments,
    checked_count,
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


def test_a_job_without_a_file_has_none(tmp_path):
    assert read_hyperparameters(tmp_path / "hyperparameters.json") == {}


def test_a_folder_in_its_place_is_said_in_one_sentence(tmp_path):
    with pytest.raises(InputError, match=r"cannot be read: .*Is a directory"):
        read_hyperparameters(tmp_path)


@pytest.mark.parametrize("value", [np.float32(0.5), "0.5", '"0.5"', 0.5])
def test_a_value_is_a_number_of_pythons(value):
    decoded = hyperparameters.decode(value)
    assert (decoded, type(decoded)) == (0.5, float)


@pytest.mark.parametrize("text", ["[" * 100_000, "{", "preset-x", ""])
def test_what_is_no_json_stays_a_text(text):
    assert hyperparameters.decode(text) == text


@pytest.mark.parametrize(
    ("value", "flag"),
    [(0, False), (1, True), (True, True), (False, False)]
    + [(text, text.lower() == "true") for text in ("true", "false", "True", "False")],
)
def test_flags(value, flag):
    assert checked_flag("save_model", value) is flag


@pytest.mark.parametrize("value", [2, -1, 0.5, "2", "yes", None, [1]])
def test_what_is_no_flag(value):
    with pytest.raises(InputError) as refused:
        checked_flag("save_model", value)
    assert str(refused.value) == f"Hyperparameter save_model is {value!r}, expected 0 or 1."


@pytest.mark.parametrize("name", hyperparameters.RANGES)
def test_a_number_of_the_jobs_is_taken_within_its_range_alone(name):
    allowed = hyperparameters.RANGES[name]
    inside, outside = {int(allowed.low), int(allowed.low) + 1}, {allowed.low - 1}
    if allowed.high < math.inf:
        inside, outside = inside | {int(allowed.high) - 1, int(allowed.high)}, outside | {int(allowed.high) + 1}
    for number in inside:
        assert (checked_count(name, number), type(checked_count(name, float(number)))) == (number, int)
    for value in (*outside, allowed.low + 0.5, "one", None, True):
        with pytest.raises(InputError) as refused:
            checked_count(name, value)
        assert str(refused.value) == f"Hyperparameter {name} is {value!r}, expected a whole number {allowed}."


@pytest.mark.parametrize(
    ("allowed", "sentence", "inside", "outside"),
    [
        (Range(1), "1 or more", [1, 2, 1e18], [0, 0.9, -1]),
        (Range(0, closed=False), "more than 0", [5e-324, 1e18], [0, -5e-324]),
        (Range(-2, 3), "between -2 and 3", [-2, -1.9, 2.9, 3], [-2.1, 3.1]),
        (Range(0, 1, closed=False), "more than 0, at most 1", [5e-324, 1], [0, math.nextafter(1, 2)]),
        (Range(0, 2**32 - 1), "between 0 and 4294967295", [2**32 - 1], [2**32]),
    ],
)
def test_ranges(allowed, sentence, inside, outside):
    assert str(allowed) == sentence
    assert [value in allowed for value in (*inside, *outside)] == [True] * len(inside) + [False] * len(outside)


@pytest.mark.parametrize("sign", [-1, 1])
def test_no_number_is_beyond_what_64_bits_count(sign):
    assert checked_number("x", sign * 10**18, int, None) == sign * 10**18
    assert checked_number("x", sign * 1e18, float, None) == sign * 1e18
    for value in (sign * (10**18 + 1000), sign * math.nextafter(1e18, math.inf), sign * math.inf):
        with pytest.raises(InputError, match=r"^Hyperparameter x is .*, expected a number\.$"):
            checked_number("x", value, float, None)


def test_arguments_of_a_program_are_the_hyperparameters():
    given = {
        "seed": 3,
        "rate": 0.5,
        "flag": True,
        "sizes": [1, 2],
        "sagemaker_program": "x",
        "_tuning_objective_metric": "y",
    }
    arguments = hyperparameters.as_arguments(given)
    assert arguments == ["--seed", "3", "--rate", "0.5", "--flag", "True", "--sizes", "[1, 2]"]
    assert hyperparameters.from_arguments(arguments) == {"seed": 3, "rate": 0.5, "flag": "True", "sizes": [1, 2]}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--a", "1", "b", "2"], "Argument 'b' of the program is no name, expected --NAME VALUE for each."),
        (["--a", "1", "--b"], "Argument --b of the program has no value, expected --NAME VALUE for each."),
    ],
)
def test_other_arguments_are_refused(arguments, sentence):
    with pytest.raises(InputError) as refused:
        hyperparameters.from_arguments(arguments)
    assert str(refused.value) == sentence


@pytest.mark.parametrize(("name", "near"), [("discuont", "discount"), ("sed", "seed")])
def test_nearest_names_what_is_close(name, near):
    assert nearest(name, ["seed", "discount"]) == f"did you mean {near!r}?"


def test_nearest_lists_all_when_nothing_is_close():
    assert nearest("zzz", ["discount", "seed"]) == "known are discount, seed."


@pytest.mark.parametrize(
    ("allowed", "inside", "outside", "words"),
    [
        (Range(0, 1), [0, 0.5, 1], [-1e-9, 1.0000001], "between 0 and 1"),
        (Range(1), [1, 1e17], [0.999], "1 or more"),
        (Range(0, closed=False), [1e-300, 1e17], [0, -1], "more than 0"),
        (Range(0, 0.5, closed=False), [1e-300, 0.5], [0, 0.51], "more than 0, at most 0.5"),
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


def test_all_that_sagemakers_toolkit_adds_is_the_platforms():
    from sagemaker_training import params

    assert [
        name for name in params.SAGEMAKER_HYPERPARAMETERS if not name.startswith(hyperparameters.OF_THE_PLATFORM)
    ] == []
    assert not "training_epochs".startswith(hyperparameters.OF_THE_PLATFORM)
