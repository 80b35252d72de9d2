"""What a user gives, checked: each mistake is one sentence."""

import argparse
import json
import os

import pytest
from launch.cli import dry_run, options, values
from launch.cli.errors import UsageError


@pytest.mark.parametrize("name", ["a", "A9", "my-job", "a--b", "9", "rl-mountain-car-2026-11-23-10-00-00-000000"])
def test_a_name_has_letters_digits_and_hyphens_within(name):
    assert values.name(name) == name


@pytest.mark.parametrize("name", ["", "-a", "a-", "a_b", "a.b", "a b", "ä", "a\n", "-"])
def test_another_name_is_refused(name):
    with pytest.raises(argparse.ArgumentTypeError) as refused:
        values.name(name)
    assert str(refused.value) == f"{name!r} is no name of 1 to 63 letters, digits and hyphens"


@pytest.mark.parametrize(
    "role",
    ["arn:aws:iam::123456789012:role/a", "arn:aws-cn:iam::123456789012:role/service-role/a_b+=,.@-c", "a_b", "path/a"],
)
def test_a_role_is_an_arn_or_a_name(role):
    assert values.role(role) == role


@pytest.mark.parametrize(
    "role",
    ["arn:aws:iam::12345678901:role/a", "arn:aws:iam::123456789012:user/a", "arn:aws:s3:::a", "a b", "ä", "", "a:b"],
)
def test_another_role_is_refused(role):
    with pytest.raises(UsageError) as refused:
        values.role(role)
    assert str(refused.value) == f"--role is {role!r}, expected arn:aws:iam::ACCOUNT:role/NAME, or a role's name."


@pytest.mark.parametrize(("text", "key", "value"), [("a=b", "a", "b"), ("a=", "a", ""), ("a=b=c", "a", "b=c")])
def test_a_tag(text, key, value):
    assert values.tag(text) == {"Key": key, "Value": value}


@pytest.mark.parametrize("text", ["a", "", "=b", "aws:a=b", "AWS:a=b"])
def test_another_tag_is_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match=f"^{text!r} is no KEY=VALUE$"):
        values.tag(text)


@pytest.mark.parametrize("text", ["a", "=b", "", "1a=b", "a-b=c", " a=b"])
def test_a_variable_has_the_form_of_one(text):
    assert values.environment(["A_1=b=c", "_x=", "A_1=last"]) == {"A_1": "last", "_x": ""}
    with pytest.raises(UsageError) as refused:
        values.environment(["a=b", text])
    name, separator, _ = text.partition("=")
    shown = f"{name}=***" if separator else text  # the value may be secret
    assert str(refused.value) == f"--env is {shown!r}, expected NAME=VALUE."


def test_hyperparameters_of_the_command_line_win_over_the_files(tmp_path):
    file = tmp_path / "h.json"
    file.write_text(json.dumps({"a": "text", "b": 1, "c": 0.5, "d": True, "e": "from the file"}))
    expected = {"a": "text", "b": "1", "c": "0.5", "d": "true", "e": "given=twice", "f": ""}
    assert values.hyperparameters(["e=given", "f=", "e=given=twice"], file) == expected
    assert values.hyperparameters([]) == {}


@pytest.mark.parametrize("text", ["a", "=b", ""])
def test_a_hyperparameter_has_a_name_and_a_value(text):
    with pytest.raises(UsageError) as refused:
        values.hyperparameters(["a=b", text])
    assert str(refused.value) == f"-p is {text!r}, expected NAME=VALUE."


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{", "which cannot be read as JSON: "),
        ("[1]", "expected an object of names and plain values."),
        ('{"a": 1, "b": null}', "where b is null, expected a plain value."),
        ('{"a": [1]}', "where a is [1], expected a plain value."),
        ('{"a": {"b": 1}}', 'where a is {"b": 1}, expected a plain value.'),
        (None, "which cannot be read: No such file or directory."),
    ],
)
def test_a_file_of_something_else_is_named(tmp_path, content, sentence):
    file = tmp_path / "h.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(UsageError) as refused:
        values.hyperparameters([], file)
    assert str(refused.value).startswith(f"--hyperparameters is {file}, {sentence}")


def test_a_file_can_be_written_where_its_folder_can_be_made(tmp_path):
    values.check_target("--output", tmp_path / "a/b/c.html")
    assert (tmp_path / "a/b").is_dir()
    assert not (tmp_path / "a/b/c.html").exists()
    (tmp_path / "file").touch()
    values.check_target("--output", tmp_path / "file")


def test_a_file_that_cannot_be_written_is_refused_before_any_work(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    for path, sentence in (
        (tmp_path, "which is a folder, expected a file."),
        (tmp_path / "file/x", "expected a file in a folder that can be made: File exists."),
        (tmp_path / "file/x/y", "expected a file in a folder that can be made: Not a directory."),
    ):
        with pytest.raises(UsageError) as refused:
            values.check_target("--gif", path)
        assert str(refused.value) == f"--gif is {path}, {sentence}"
    asked = []
    monkeypatch.setattr(os, "access", lambda folder, mode: asked.append((folder, mode)))  # root may write anywhere
    with pytest.raises(UsageError) as refused:
        values.check_target("--gif", tmp_path / "file")
    assert str(refused.value).endswith("expected a file in a folder that can be written to.")
    assert asked == [(tmp_path, os.W_OK)]


def test_a_dry_run_prints_the_requests_in_their_order(capsys):
    dry_run.print_requests([("CreateModel", {"b": 1, "a": [2]}), ("CreateEndpoint", {})])
    assert json.loads(capsys.readouterr().out) == [{"CreateModel": {"b": 1, "a": [2]}}, {"CreateEndpoint": {}}]


# --- Flags that several scripts share --------------------------------------------------------------------------------
def parse(*command_line, **options_of_parser):
    parser = options.parser("About it.", **options_of_parser)
    options.add_training_job(parser)
    return parser.parse_args(command_line)


def test_flags_have_their_defaults():
    assert vars(parse()) == {
        "region": None,
        "profile": None,
        "role": None,
        "stale_image": None,
        "bucket": None,
        "prefix": "",
        "tags": [],
        "dry_run": False,
        "local": False,
        "image": None,
        "job_name": None,
        "instance_type": None,
        "default_instance_type": "ml.c5.xlarge",
        "instance_count": 1,
        "volume_gb": 10,
        "max_runtime": 3600,
        "parameters": [],
        "hyperparameters": None,
        "environment": [],
        "source_dir": None,
        "entry_point": None,
        "subnets": [],
        "security_groups": [],
        "network_isolation": False,
        "kms_key": None,
        "volume_kms_key": None,
        "encrypt_traffic": False,
        "inputs": [],
        "keep_alive": None,
        "retries": None,
        "max_pending": None,
        "experiment": None,
        "run": None,
        "mlflow": None,
        "profiler": None,
        "request": None,
        "wait": False,
    }


def test_a_flag_that_may_be_given_several_times_keeps_all_of_them():
    given = parse("--tag", "a=b", "--tag", "c=d", "-p", "e=f", "-p", "g=h", "--env", "I=j", "--env", "K=l")
    assert [tag["Key"] for tag in given.tags] == ["a", "c"]
    assert (given.parameters, given.environment) == (["e=f", "g=h"], ["I=j", "K=l"])
    assert parse().tags == []  # the default is not the list that was filled


@pytest.mark.parametrize(
    ("flags", "local", "instance_type"),
    [
        ((), False, "ml.c5.xlarge"),
        (("--instance-type", "ml.m5.large"), False, "ml.m5.large"),
        (("--instance-type", "local"), True, "local"),
        (("--local",), True, "local"),
        (("--local", "--instance-type", "local"), True, "local"),
    ],
)
def test_two_flags_ask_for_this_machine(flags, local, instance_type):
    given = parse(*flags)
    assert (options.is_local(given), options.instance_type(given)) == (local, instance_type)
    assert not options.is_local(argparse.Namespace())


def test_an_instance_type_that_there_is_not_is_refused_with_some_like_it():
    with pytest.raises(UsageError) as refused:
        parse("--instance-type", "ml.c5.xlargee")
    assert str(refused.value).startswith(
        "--instance-type is 'ml.c5.xlargee', which SageMaker does not have, expected one like ml.c5.xlarge, "
    )
    assert str(refused.value).endswith(", or local.")
    with pytest.raises(UsageError, match=r"expected one like ml\.c5\.xlarge, or local\."):
        parse("--instance-type", "zzz")


@pytest.mark.parametrize(("local", "jobs"), [(True, True), (False, True), (True, False)])
def test_a_script_has_the_flags_that_it_needs(local, jobs):
    given = vars(options.parser(None, local=local, jobs=jobs).parse_args([]))
    assert ("local" in given, "role" in given, "bucket" in given, "prefix" in given) == (local, jobs, jobs, jobs)
    assert "region" in given


@pytest.mark.parametrize("both", [True, False])
def test_subnets_and_security_groups_belong_together(both):
    options.check_network(parse(*(("--subnets", "a", "b", "--security-groups", "c") if both else ())))
    for flags in (("--subnets", "a"), ("--security-groups", "c")):
        with pytest.raises(UsageError) as refused:
            options.check_network(parse(*flags))
        assert str(refused.value) == "--subnets and --security-groups belong together, expected both or none."


def test_the_name_of_an_endpoint_is_checked():
    parser = options.parser(None)
    options.add_endpoint_name(parser)
    assert parser.parse_args([]).endpoint_name == "rl-mountain-car"
    with pytest.raises(UsageError, match=r"^--endpoint-name: 'a_b' is no name of 1 to 63 letters"):
        parser.parse_args(["--endpoint-name", "a_b"])
