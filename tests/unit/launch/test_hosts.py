"""Jobs of several hosts or processes: what is asked for, and what is said before they are paid for."""

import argparse

import pytest
from launch.sagemaker import hosts

PRESET = "from rl_coach.agents.{}_agent import Something"
RL = "from sagemaker_rl.coach_launcher import SageMakerCoachPresetLauncher"


def arguments(count=1, processes=1, **given):
    defaults = {"instance_count": count, "processes_per_host": processes, "source_dir": None, "entry_point": "main.py"}
    return argparse.Namespace(**{**defaults, **given})


@pytest.mark.parametrize(("count", "processes"), [(2, 1), (1, 4), (3, 2)])
def test_ranks_are_asked_for_as_the_sdk_does(count, processes):
    assert hosts.hyperparameters(arguments(count, processes)) == {
        "sagemaker_mpi_enabled": "true",
        "sagemaker_mpi_num_of_processes_per_host": str(processes),
    }


@pytest.mark.parametrize("given", [arguments(), argparse.Namespace(instance_count=2)])
def test_one_process_and_an_evaluation_ask_for_none(given):
    assert hosts.hyperparameters(given) == {}


def test_hosts_share_a_value_that_is_another_one_for_each_job():
    (one,), (other,) = (hosts.variables(arguments(2)).values() for _ in range(2))
    assert one != other
    assert min(len(one), len(other)) >= 43  # 256 bits
    assert hosts.variables(arguments(1, 4)) == {}


def write(folder, files):
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize(
    ("files", "given", "reason"),
    [
        (None, {}, None),
        (None, {"accelerate": "0"}, "with accelerate=0 stock Coach trains, which knows no ranks"),
        (None, {"RLCOACH_PRESET": "preset-mountain-car-dqn"}, None),
        (None, {"RLCOACH_PRESET": "CartPole_DQN"}, None),
        (
            None,
            {"RLCOACH_PRESET": "CartPole_A3C"},
            "CartPole_A3C is of actor_critic_agent, which stock Coach trains, and that knows no ranks",
        ),
        ({"main.py": "import rl_coach"}, {}, "main.py in {} does not know of others"),
        ({"main.py": "import os", "notes.md": "mpi4py"}, {}, "main.py in {} does not know of others"),
        ({"main.py": "import mpi4py"}, {}, None),
        ({"main.py": "os.environ['SM_HOSTS']"}, {}, None),
        ({"main.py": RL, "preset-a.py": PRESET.format("clipped_ppo")}, {"RLCOACH_PRESET": "preset-a"}, None),
        (
            {"main.py": RL, "preset-a.py": PRESET.format("ddpg")},
            {"RLCOACH_PRESET": "preset-a.py"},
            "preset-a is of ddpg_agent, which stock Coach trains, and that knows no ranks",
        ),
    ],
)
def test_the_laptop_says_that_only_the_first_trains(tmp_path, capsys, files, given, reason):
    source = write(tmp_path, files) if files else None
    hosts.warn(arguments(2, source_dir=source), given)
    paid = "Only the first process, on algo-1, trains, and all 2 instances are paid for"
    assert capsys.readouterr().err == (f"{paid}: {reason.format(tmp_path)}.\n" if reason else "")
    hosts.warn(arguments(1, 1, source_dir=source), given)
    assert capsys.readouterr().err == ""


def test_an_evaluation_is_of_one_process(capsys):
    hosts.warn(argparse.Namespace(instance_count=3, source_dir=None), {})
    assert capsys.readouterr().err == (
        "Only the first process, on algo-1, trains, and all 3 instances are paid for: "
        "an evaluation is played by one process.\n"
    )


@pytest.mark.parametrize("given", [arguments(1, 2), arguments(2, 1, local=True), arguments(2, instance_type="local")])
def test_processes_of_one_host_and_of_this_machine_are_not_paid_for_one_by_one(capsys, given):
    hosts.warn(given, {"accelerate": "0"})
    assert capsys.readouterr().err == (
        "Only the first process, on algo-1, trains: with accelerate=0 stock Coach trains, which knows no ranks.\n"
    )
