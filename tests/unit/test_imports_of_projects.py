"""What else projects written for AWS's images import from ``sagemaker_rl``."""

import importlib

import pytest
from sagemaker_rl import docker_utils, onnx_utils
from sagemaker_rl.errors import InputError


def test_an_onnx_file_is_not_mended(tmp_path):
    with pytest.raises(InputError, match=r"would mend .*model\.onnx, expected no ONNX file"):
        onnx_utils.fix_onnx_model(str(tmp_path / "model.onnx"))


def test_a_launcher_of_ray_is_refused_in_a_sentence():
    with pytest.raises(ImportError, match=r"ray_launcher\.SageMakerRayLauncher needs Ray, which is not in this image"):
        importlib.import_module("sagemaker_rl.ray_launcher").SageMakerRayLauncher  # noqa: B018


def test_a_host_has_an_address():
    assert docker_utils.get_ip_from_host(timeout=1, host_name="localhost") == "127.0.0.1"


def test_a_host_without_address_is_named():
    with pytest.raises(InputError, match=r"Host 'no-such-host\.invalid' has no address after 0 s"):
        docker_utils.get_ip_from_host(timeout=0, host_name="no-such-host.invalid")
