"""The file that holds the returns of unseen starts."""

import numpy as np
from job_folders import make_trial
from sagemaker_rl.report.trial import FILE as TRIAL_FILE
from sagemaker_rl.report.trial import Trial


def test_a_trial_is_read_as_it_was_written(tmp_path):
    written = make_trial()
    written.save(tmp_path / TRIAL_FILE)
    read = Trial.load(tmp_path / TRIAL_FILE)
    np.testing.assert_array_equal(read.returns, written.returns)
    np.testing.assert_array_equal(read.paths[0], written.paths[0])
    np.testing.assert_array_equal(read.policy_map.actions, written.policy_map.actions)
    assert [file.name for file in tmp_path.iterdir()] == [TRIAL_FILE]
