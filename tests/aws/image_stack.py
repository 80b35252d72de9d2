"""The CloudFormation stack that builds the images, as the local AWS server creates it."""

from launch.aws import builds
from local_aws import Aws

SOURCE = "https://github.com/owner/cars"
STACK = "mountain-car-images"


def create_stack(aws: Aws, **parameters: str) -> dict[str, str]:
    cloudformation = aws.client("cloudformation")
    cloudformation.create_stack(
        StackName=STACK,
        TemplateBody=builds.TEMPLATE.read_text(),
        Parameters=[
            {"ParameterKey": key, "ParameterValue": value}
            for key, value in {"SourceLocation": SOURCE, **parameters}.items()
        ],
        Capabilities=["CAPABILITY_IAM"],
    )
    (stack,) = cloudformation.describe_stacks(StackName=STACK)["Stacks"]
    return {entry["OutputKey"]: entry["OutputValue"] for entry in stack["Outputs"]}
