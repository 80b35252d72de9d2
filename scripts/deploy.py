"""Deploy a trained model to an endpoint that is new or exists already.

The model is that of a training job, the best of a tuning job, or a model.tar.gz.

An update is without downtime: SageMaker starts the new model beside the old one, and moves over when it is healthy.

Examples:
    python scripts/deploy.py --instance-type local rl-mountain-car-2026-11-23-10-00-00-000000
    python scripts/deploy.py rl-mountain-car-2026-11-23-10-00-00-000000 --instance-type ml.t2.medium
    python scripts/deploy.py runs/$JOB/model.tar.gz --serverless --memory-mb 2048 --max-concurrency 10
    python scripts/deploy.py s3://my-bucket/model.tar.gz --instance-type ml.c5.large --autoscale 1:4
    python scripts/deploy.py $JOB --async --autoscale 0:4                  # no instance while nothing waits
    python scripts/deploy.py --package rl-mountain-car:3                   # of the model registry: see register.py
    python scripts/deploy.py $JOB --endpoint-name my-car --instance-count 2 --canary 10 --rollback-latency 50
    python scripts/deploy.py $JOB --multi-model --endpoint-name cars       # a new endpoint, or one more model of it
    python scripts/deploy.py --dry-run runs/$JOB/model.tar.gz              # where fetch.py $JOB has left it
"""

import argparse
from collections.abc import Sequence

from launch.aws.clients import Clients
from launch.cli import bounds, dry_run, errors, options, values
from launch.sagemaker import (
    deployments,
    endpoint_requests,
    endpoints,
    model_packages,
    models,
    multi_model,
    rollouts,
    session,
)

SERVERLESS_MEMORY = (1024, 2048, 3072, 4096, 5120, 6144)


def main(command_line: Sequence[str] | None = None) -> None:
    arguments = _parser().parse_args(command_line)
    deployments.check_flags(arguments)
    clients = session.connect(arguments)
    if arguments.multi_model and arguments.model and endpoints.describe(clients, arguments.endpoint_name):
        _add_model(arguments, clients)
        return
    plan = deployments.prepare(arguments, clients)
    if arguments.dry_run:
        dry_run.print_requests(plan.requests)
        return
    deployments.carry_out(clients, plan)
    print(f"Endpoint {plan.endpoint} serves {plan.source}")
    if sentence := endpoint_requests.scaling_sentence(arguments):
        print(sentence)
    if not arguments.multi_model and (page := clients.page_of(plan.endpoint)):
        print(f"Play with it: {page}")
    _print_how_to_ask(arguments)


def _add_model(arguments: argparse.Namespace, clients: Clients) -> None:
    """Add a model to a multi-model endpoint that exists."""
    folder = multi_model.require_folder(clients, arguments.endpoint_name)
    multi_model.check_addition(arguments)
    request = multi_model.put(arguments, clients, folder)
    if arguments.dry_run:
        dry_run.print_requests([request])
        return
    print(f"Endpoint {arguments.endpoint_name} has {arguments.target_model}")
    _print_how_to_ask(arguments)


def _print_how_to_ask(arguments: argparse.Namespace) -> None:
    flags = " --local" if options.is_local(arguments) else ""
    flags += " --async" if arguments.asynchronous else ""
    flags += f" --endpoint-name {arguments.endpoint_name}"
    flags += f" --target-model {arguments.target_model or 'NAME'}" if arguments.multi_model else ""
    print(f"Ask it: python scripts/predict.py{flags} '[0.5, -0.5]'    # an observation, here a car's")


def _parser() -> options.Parser:
    parser = options.parser(__doc__)
    parser.add_argument(
        "model",
        nargs="?",
        type=models.check_name,
        help="a training or tuning job's name, or the path or address of a model.tar.gz",
    )
    model_packages.add_flag(parser)
    parser.add_argument(
        "--multi-model", action="store_true", help="an endpoint of several models; adds the model to one that exists"
    )
    parser.add_argument(
        "--target-model", type=multi_model.target, metavar="NAME", help="of the model (the training job's name)"
    )
    options.add_endpoint_name(parser, endpoints.check_name)
    options.add_image(parser)
    options.add_instance_type(parser, "ml.c5.large", "ProductionVariantInstanceType")
    options.add_request_file(parser)
    bounds.add_number(parser, "--instance-count", "(1; in an update, what it has scaled to)")
    parser.add_argument("--serverless", action="store_true", help="no instances: a serverless endpoint")
    parser.add_argument("--memory-mb", type=int, choices=SERVERLESS_MEMORY, default=2048, help="(%(default)s)")
    bounds.add_number(parser, "--max-concurrency", "of a serverless endpoint (%(default)s)", default=5)
    parser.add_argument(
        "--autoscale", type=values.instance_range, metavar="MIN:MAX", help="instances, by invocations per instance"
    )
    bounds.add_number(parser, "--target-invocations", "per instance and minute, to scale by (120000 per vCPU)")
    bounds.add_number(parser, "--canary", "of the traffic goes to the new model first, in an update", unit="PERCENT")
    bounds.add_number(parser, "--canary-minutes", f"until it has all the traffic ({rollouts.DEFAULT_MINUTES})")
    bounds.add_number(parser, "--rollback-latency", "of the slowest of 100 answers, ends the update", unit="MS")
    parser.add_argument(
        "--rollback-alarm",
        dest="rollback_alarms",
        metavar="NAME",
        action="append",
        default=[],
        help="of CloudWatch, ends the update; may be given several times",
    )
    bounds.add_number(parser, "--data-capture", "of requests and answers, kept in S3", unit="PERCENT")
    parser.add_argument("--env", dest="environment", metavar="NAME=VALUE", action="append", default=[])
    options.add_network(parser)
    parser.add_argument("--kms-key", help="encrypts the instances' volumes, captured data and uploads")
    bounds.add_number(parser, "--max-payload", "of a request, 0 for the largest (6; with --async 1024)", unit="MB")
    parser.add_argument(
        "--async", dest="asynchronous", action="store_true", help="requests wait in a queue, answers go to S3"
    )
    parser.add_argument("--async-output", metavar="ADDRESS", help="of the answers; default: in the bucket")
    parser.add_argument(
        "--async-failures", metavar="ADDRESS", help="of the reasons of failures; default: in the bucket"
    )
    parser.add_argument("--async-kms-key", help="encrypts the answers")
    parser.add_argument("--success-topic", type=values.topic, metavar="ARN", help="of SNS: told of each answer")
    parser.add_argument("--error-topic", type=values.topic, metavar="ARN", help="of SNS: told of each failure")
    bounds.add_number(parser, "--max-concurrent", "requests at once per instance, with --async (SageMaker's choice)")
    bounds.add_number(parser, "--target-backlog", "waiting requests per instance, to scale by with --async (5)")
    return parser


if __name__ == "__main__":
    errors.run(main)
