"""transform.py against a local AWS server."""

import pytest
from local_aws import assert_valid, requests_of
from serving_resources import BUCKET, GIVEN, names

pytest_plugins = ("serving_resources",)
pytestmark = pytest.mark.usefixtures("pushed")


def test_a_batch_transform(script, aws, model, tmp_path):
    file = tmp_path / "observations.csv"
    file.write_text("0.5,-0.5\n")
    requests = requests_of(script("transform.py", *GIVEN, "--dry-run", model, str(file)))
    job = requests["CreateTransformJob"]
    assert_valid("CreateTransformJob", job)
    name = job["TransformJobName"]
    source = job["TransformInput"]
    assert source["DataSource"]["S3DataSource"]["S3Uri"] == f"s3://{BUCKET}/{name}/input/observations.csv"
    assert (source["ContentType"], source["SplitType"]) == ("text/csv", "Line")
    assert job["TransformOutput"]["Accept"] == "text/csv"
    assert job["Environment"] == {"SAGEMAKER_RL_OUTPUT": "actions"}
    # the server computes nothing: the answers are put where the job would have put them
    key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    done = script("transform.py", *GIVEN, "--kms-key", key, model, str(file))
    assert "Completed" in done.stdout
    assert (done.returncode, "There is nothing at s3://" in done.stderr) == (2, True)
    (made,) = aws.client("sagemaker").list_transform_jobs()["TransformJobSummaries"]
    s3, folder = aws.client("s3"), made["TransformJobName"]
    assert s3.get_object(Bucket=BUCKET, Key=f"{folder}/input/observations.csv")["Body"].read() == b"0.5,-0.5\n"
    for uploaded in ("input/observations.csv", "model.tar.gz"):
        assert s3.head_object(Bucket=BUCKET, Key=f"{folder}/{uploaded}")["SSEKMSKeyId"] == key
    described = aws.client("sagemaker").describe_transform_job(TransformJobName=made["TransformJobName"])
    assert described["TransformOutput"]["KmsKeyId"] == key
    assert names(aws) == ([], [])


def test_a_transform_in_a_vpc_with_filters_and_a_join(script, aws, model, tmp_path):
    file = tmp_path / "rows.csv"
    file.write_text("a,0.5,-0.5\n")
    key = aws.client("kms").create_key()["KeyMetadata"]["KeyId"]
    flags = (
        *("--input-filter", "$[1:]", "--join", "--output-filter", "$[0,-1]", "--max-concurrent", "4"),
        *("--max-payload", "25", "--strategy", "MultiRecord", "--volume-kms-key", key, "--env", "A=1"),
        *("--subnets", "s-1", "--security-groups", "g-1", "--network-isolation", "--tag", "a=b"),
    )
    requests = requests_of(script("transform.py", *GIVEN, "--dry-run", model, str(file), *flags))
    for operation, request in requests.items():
        assert_valid(operation, request)
    assert requests["CreateModel"]["VpcConfig"] == {"SecurityGroupIds": ["g-1"], "Subnets": ["s-1"]}
    assert requests["CreateModel"]["EnableNetworkIsolation"] is True
    assert "Completed" in script("transform.py", *GIVEN, model, str(file), *flags).stdout
    (made,) = aws.client("sagemaker").list_transform_jobs()["TransformJobSummaries"]
    job = aws.client("sagemaker").describe_transform_job(TransformJobName=made["TransformJobName"])
    assert job["DataProcessing"] == {"InputFilter": "$[1:]", "JoinSource": "Input", "OutputFilter": "$[0,-1]"}
    assert (job["MaxConcurrentTransforms"], job["MaxPayloadInMB"], job["BatchStrategy"]) == (4, 25, "MultiRecord")
    assert job["TransformResources"]["VolumeKmsKeyId"] == key
    assert job["Environment"] == {"SAGEMAKER_RL_OUTPUT": "actions", "A": "1"}


def test_a_transform_leaves_to_the_container_how_records_are_sent(script, model, tmp_path):
    file = tmp_path / "o.csv"
    file.write_text("0.5,-0.5\n")
    job = requests_of(script("transform.py", *GIVEN, "--dry-run", model, str(file)))["CreateTransformJob"]
    assert not {"MaxConcurrentTransforms", "MaxPayloadInMB", "DataProcessing"} & {*job}


def test_mistakes_of_a_transform(script, model, tmp_path):
    file, other, empty = tmp_path / "o.csv", tmp_path / "x.txt", tmp_path / "empty.csv"
    empty.touch()
    file.write_text("0.5,-0.5\n")
    other.touch()
    for arguments, sentence in (
        ((model, str(other)), f"The input is '{other}', expected a name with .csv, .jsonl, .jsonlines."),
        ((model, "x.csv"), "There is no file x.csv, expected the path or address of the observations."),
        ((model, str(empty)), f"The input is {empty}, which is empty, expected an observation in each line."),
        ((model, str(file), "--subnets", "s"), "--subnets and --security-groups belong together"),
        ((model, str(file), "--max-payload", "101"), "--max-payload 101 is 101 MB, expected at most 100."),
        (
            (model, str(file), "--max-payload", "26", "--max-concurrent", "4"),
            "--max-payload 26 times --max-concurrent 4 is 104 MB, expected at most 100.",
        ),
        (
            (model, str(file), "--max-concurrent", "17"),
            "--max-payload 6 times --max-concurrent 17 is 102 MB, expected at most 100.",
        ),
        ((model, str(file), "--input-filter", "id"), "--input-filter is 'id', which does not begin with $, expected a"),
        ((model, str(file), "--output-filter", "$["), "--output-filter is '$[', which batch transform does not know"),
        ((model, str(file), "--split", "None", "--join"), "--join is of lines, expected with --split Line."),
        (
            (model, str(file), "--split", "None", "--input-filter", "$[0]"),
            "--input-filter is of lines, expected with --split Line.",
        ),
        (
            (model, str(file), "--split", "None", "--strategy", "MultiRecord"),
            "--strategy MultiRecord gathers lines, expected with --split Line.",
        ),
        ((model, str(file), "--env", "a"), "--env is 'a', expected NAME=VALUE."),
        ((model, "s3://no-bucket/x.csv"), "There is no bucket no-bucket"),
        ((model, str(file), "--output", f"{tmp_path}/./o.csv"), "which is the input, expected another file."),
        ((model, str(file), "--output", str(tmp_path)), "which is a folder, expected a file."),
        ((model, str(file), "--output", f"{file}/x"), f"--output is {file}/x, expected a file in a folder that can"),
    ):
        done = script("transform.py", *GIVEN, *arguments)
        assert done.returncode == 2
        assert sentence in done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert file.read_text() == "0.5,-0.5\n"


def test_a_transform_makes_the_folder_of_its_output(script, model, tmp_path):
    file, output = tmp_path / "o.csv", tmp_path / "new/folder/answers.csv"
    file.write_text("0.5,-0.5\n")
    assert "Completed" in script("transform.py", *GIVEN, model, str(file), "--output", str(output)).stdout
    assert output.parent.is_dir()
