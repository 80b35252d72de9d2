"""The file that holds the returns of unseen starts."""

import dataclasses
import zipfile

import numpy as np
import pytest
from job_folders import make_trial
from sagemaker_rl.report.trial import FILE as TRIAL_FILE
from sagemaker_rl.report.trial import Trial


@pytest.mark.parametrize("no_values", [False, True])
def test_a_trial_is_read_as_it_was_written(tmp_path, no_values):
    paths = [np.full((length, 4), length, np.float32) for length in (2, 5, 3)]
    written = dataclasses.replace(make_trial(), paths=paths)
    if no_values:
        policy_map = dataclasses.replace(written.policy_map, values=None)
        written = dataclasses.replace(written, policy_map=policy_map)
    written.save(tmp_path / TRIAL_FILE)
    read = Trial.load(tmp_path / TRIAL_FILE)
    for name in ("starts", "returns", "lengths"):
        np.testing.assert_array_equal(getattr(read, name), getattr(written, name), name)
    assert [path.tolist() for path in read.paths] == [path.tolist() for path in paths]
    for axis, expected in zip(read.policy_map.axes, written.policy_map.axes, strict=True):
        np.testing.assert_array_equal(axis, expected)
    np.testing.assert_array_equal(read.policy_map.actions, written.policy_map.actions)
    if no_values:
        assert read.policy_map.values is None
    else:
        np.testing.assert_array_equal(read.policy_map.values, written.policy_map.values)
    assert read.no_map == ""
    assert [file.name for file in tmp_path.iterdir()] == [TRIAL_FILE]


def test_a_trial_may_have_no_map(tmp_path):
    written = make_trial(dimensions=3)
    written.save(tmp_path / TRIAL_FILE)
    read = Trial.load(tmp_path / TRIAL_FILE)
    assert read.policy_map is None
    assert read.no_map == written.no_map == "an observation has the shape [3], and a map has two dimensions"


def test_a_file_of_something_else_is_refused(tmp_path):
    file = tmp_path / TRIAL_FILE
    np.savez(file, starts=np.zeros(1), returns=np.array([{}], dtype=object), lengths=np.ones(1), no_map=np.array(""))
    with pytest.raises(ValueError, match="allow_pickle=False"):
        Trial.load(file)
    np.savez(file, starts=np.zeros(1))
    with pytest.raises(KeyError, match="returns"):
        Trial.load(file)
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(zipfile.BadZipFile):
        Trial.load(file)
