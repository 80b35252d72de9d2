"""What hyperparameters say about a job is read and checked."""

import pytest
from sagemaker_rl.errors import InputError
from sagemaker_rl.training.job_options import Options


def test_options_are_those_of_the_hyperparameters():
    assert Options.of({}) == Options(None, None, True, None, None, True)
    assert Options.of({}, seed=5).seed == 5
    given = {"seed": 3, "save_model": 0, "accelerate": "false", "parallel_environments": 4096, "keep_best": 0}
    assert Options.of(given, seed=5) == Options(3, False, False, 4096, None, False)
    assert (Options.of({}).resume, Options.of({"resume": "weights"}).resume) == ("exact", "weights")
    assert Options.of({"environment_processes": 256}).environment_processes == 256
    assert Options.of({"early_stopping_patience": 0}).early_stopping_patience == 0
    assert Options.of({"save_model": 1, "parallel_environments": 1, "seed": 2**32 - 1}).save_model is True
    for name, values in {
        "seed": [-1, 2**32, 1.5],
        "parallel_environments": [0, 4097],
        "environment_processes": [0, 257, "all"],
        "save_model": [2],
        "accelerate": ["x"],
        "keep_best": [None],
        "resume": ["all", 1],
        "early_stopping_patience": [-1, 0.5, "never"],
    }.items():
        for value in values:
            with pytest.raises(InputError, match=f"^Hyperparameter {name} is {value!r}, expected "):
                Options.of({name: value})
