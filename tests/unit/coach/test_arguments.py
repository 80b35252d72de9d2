"""The namespace of a launcher's arguments: completed, honoured or refused, option by option."""

import argparse
import sys
from types import SimpleNamespace

import pytest
from sagemaker_rl.coach import arguments
from sagemaker_rl.coach_launcher import SageMakerCoachPresetLauncher
from sagemaker_rl.errors import InputError
from sagemaker_rl.job.ml_paths import MLPaths


@pytest.fixture(scope="module")
def parser(tmp_path_factory):
    from sagemaker_rl.coach.presets import import_coach

    import_coach()
    return SageMakerCoachPresetLauncher({}, MLPaths(tmp_path_factory.mktemp("ml"))).get_argument_parser()


@pytest.fixture
def check(parser, tmp_path):
    """Return a function that checks arguments, and returns the namespace that it has made of them."""

    def check(**given):
        args = argparse.Namespace(**given)
        arguments.check(args, parser.parse_args([]), MLPaths(tmp_path))
        return args

    return check


def test_what_is_not_given_is_coachs_default_or_the_jobs_own(check, parser, tmp_path):
    from rl_coach.base_parameters import Frameworks

    args = check()
    assert vars(args).keys() >= vars(parser.parse_args([])).keys()
    assert (args.framework, args.num_workers, args.checkpoint_restore_dir) == (Frameworks.mxnet, 1, None)
    assert args.experiment_path == str(tmp_path / "output/intermediate")
    assert args.checkpoint_save_dir == str(tmp_path / "output/data/checkpoint")


@pytest.mark.parametrize("name", arguments.NOT_HONOURED)
def test_an_option_that_no_job_honours_is_refused(check, parser, name):
    default = getattr(parser.parse_args([]), name)
    check(**{name: default})
    with pytest.raises(InputError) as refused:
        check(**{name: "another"})
    sentence = f"expected {default!r}: {arguments.NOT_HONOURED[name]}."
    assert str(refused.value) == f"get_config_args of the launcher sets {name} to 'another', {sentence}"


@pytest.mark.parametrize("workers", [None, 1, "1"])
def test_there_is_one_worker(check, workers):
    assert check(num_workers=workers).num_workers == 1


@pytest.mark.parametrize("workers", [0, 2, "2", -1, "one", 1.5])
def test_there_are_no_more(check, workers):
    with pytest.raises(InputError) as refused:
        check(num_workers=workers)
    assert str(refused.value) == f"num_workers is {workers}, expected 1: Coach on MXNet trains in one process."


@pytest.mark.parametrize("name", ["tensorflow", "mxnet"])
def test_the_framework_is_mxnet(check, name):
    from rl_coach.base_parameters import Frameworks

    assert check(framework="MXNet").framework == Frameworks.mxnet
    if name == "mxnet":
        assert check(framework=Frameworks.mxnet).framework == Frameworks.mxnet
        return
    with pytest.raises(InputError) as refused:
        check(framework=Frameworks.tensorflow)
    expected = "expected Frameworks.mxnet: COACH_BACKEND has to be mxnet."
    assert str(refused.value) == f"get_config_args of the launcher sets framework to 'tensorflow', {expected}"


@pytest.mark.parametrize(
    ("name", "given", "written"),
    [
        ("experiment_path", "/opt/ml/output/intermediate/", "output/intermediate"),
        ("checkpoint_save_dir", "/opt/ml/output/data/checkpoint", "output/data/checkpoint"),
        ("checkpoint_save_dir", "/opt/ml/checkpoints", "output/data/checkpoint"),
        ("checkpoint_restore_dir", "/opt/ml/input/data/checkpoint", "input/data/checkpoint"),
    ],
)
def test_folders_are_the_jobs(check, tmp_path, name, given, written):
    assert getattr(check(**{name: given}), name) == str(tmp_path / written)


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("experiment_path", "/opt/ml/checkpoints", "output/intermediate"),
        ("checkpoint_save_dir", "/opt/ml/output/data", "output/data/checkpoint"),
    ],
)
def test_other_folders_are_refused(check, tmp_path, name, given, expected):
    with pytest.raises(InputError) as refused:
        check(**{name: given})
    sentence = f"sets {name} to {given!r}, expected {tmp_path / expected}, where a job writes it."
    assert str(refused.value) == f"get_config_args of the launcher {sentence}"


def test_what_is_no_namespace_is_refused(parser, tmp_path):
    with pytest.raises(InputError) as refused:
        arguments.check(None, parser.parse_args([]), MLPaths(tmp_path))
    sentence = "get_config_args of the launcher returned None, expected the namespace of arguments."
    assert str(refused.value) == sentence


def leave(text, status):
    def get_config_args(parser):
        print(text, end="", file=sys.stderr)
        sys.exit(status)

    return get_config_args


@pytest.mark.parametrize(("text", "reason"), [("usage: x\nx: error: no such y\n", "x: error: no such y"), ("", None)])
def test_a_parser_that_ends_the_program_is_said_in_one_sentence(parser, capsys, text, reason):
    with pytest.raises(InputError) as refused:
        arguments.parse(leave(text, 3), parser)
    sentence = f"get_config_args of the launcher ended the program: {reason or 'exit status 3'}."
    assert (str(refused.value), capsys.readouterr().err) == (sentence, "")


def test_what_a_launcher_says_is_heard(parser, capsys):
    def get_config_args(given):
        print("a warning", file=sys.stderr)
        return given.parse_args([])

    assert arguments.parse(get_config_args, parser) == parser.parse_args([])
    assert capsys.readouterr().err == "a warning\n"


@pytest.mark.parametrize("several", [True, False])
def test_arguments_are_put_into_every_network(several):
    agents = [SimpleNamespace(network_wrappers={name: SimpleNamespace() for name in "ab"}) for _ in range(2)]
    graph_manager = SimpleNamespace(
        agent_params=agents[0],
        env_params=SimpleNamespace(level="before"),
        visualization_parameters=SimpleNamespace(dump_gifs=None),
    )
    if several:
        graph_manager.agents_params = agents
    arguments.put_into(graph_manager, argparse.Namespace(framework="it", level=None, dump_gifs=False))
    assert (graph_manager.env_params.level, graph_manager.visualization_parameters.dump_gifs) == ("before", None)
    arguments.put_into(graph_manager, argparse.Namespace(framework="it", level="after", dump_gifs=True))
    assert (graph_manager.env_params.level, graph_manager.visualization_parameters.dump_gifs) == ("after", True)
    for number, agent in enumerate(agents):
        given = [getattr(network, "framework", None) for network in agent.network_wrappers.values()]
        assert given == (["it"] * 2 if several or number == 0 else [None] * 2)
