"""What ``make test`` leaves out where MXNet does not run: the environment there has the scripts' packages alone."""

from launch.local import engine_choice

OBSTACLE = engine_choice.obstacle_to_processes()
"""Why no job runs as a process here; empty if one can."""
NEED_MXNET = (
    *(f"tests/{kind}/" for kind in ("browser", "process", "sdk", "serving")),
    *(f"tests/unit/{package}/" for package in ("coach", "job", "policy", "serving", "training")),
    *(
        f"tests/unit/test_{module}.py"
        for module in (
            "blas",
            "coach_launcher",
            "configuration_list",
            "exploration",
            "gifs",
            "hyperparameter_check",
            "imports_of_projects",
            "launcher_members",
            "patient_envs",
            "presetless",
            "resizing",
            "training_container",
        )
    ),
    *(f"tests/unit/report/test_{module}.py" for module in ("cars", "dynamic_programming", "report_writes")),
    *(
        f"tests/aws/test_{subject}.py"
        for subject in (
            "build_in_codebuild",
            "codebuild",
            "local_endpoints",
            "local_mode",
            "local_own_source",
            "model_registry",
            "notebook",
            "podman",
            "push_images",
            "report_script",
            "two_hosts",
            "walk_through",
        )
    ),
    "tests/docs/test_commands.py",
    "tests/docs/test_tables.py",
    "tests/container/test_aws_style_project_in_images.py::test_the_project_trains_is_evaluated_and_served",
    "tests/container/test_hardening.py::test_it_serves_all_the_same",
    "tests/container/test_memory_limits.py::test_bodies_that_do_not_end_cost_no_first_process",
    "tests/container/test_memory_limits.py::test_the_largest_body_is_answered",
    "tests/container/test_other_pythons.py::test_a_report_is_the_same",
    "tests/container/test_serve.py::test_it_answers_as_the_artifact_does",
    "tests/container/test_serve.py::test_it_binds_to_the_port_that_sagemaker_names",
    "tests/container/test_serve.py::test_local_test_scripts",
    "tests/container/test_serve.py::test_sigterm_counts_before_the_server_is_ready",
    "tests/container/test_train.py::test_a_container_that_is_killed_leaves_its_best_model_and_goes_on",
    "tests/container/test_train.py::test_a_job_without_network_leaves_all_its_outputs",
    "tests/container/test_train.py::test_an_environment_of_ones_own_through_script_mode",
    "tests/container/test_train.py::test_sigterm_leaves_a_whole_checkpoint",
    "tests/container/test_train.py::test_sigterm_reaches_a_users_script",
    "tests/aws/test_local_jobs.py::test_a_failed_job_says_why[process]",
    "tests/aws/test_local_jobs.py::test_a_job_whose_process_was_killed_has_failed[process]",
    "tests/aws/test_local_jobs.py::test_a_training_that_the_system_kills_says_so",
    "tests/aws/test_preflight.py::test_hyperparameters_that_the_container_would_refuse",
    "tests/aws/test_secrets.py::test_a_job_of_this_machine",
    "tests/aws/test_tune.py::test_a_grid_on_this_machine_with_one_value_that_fails",
    "tests/aws/test_tune.py::test_a_tuning_job_outlives_its_script_and_a_killed_training_job_and_is_stopped",
    "tests/aws/test_tune.py::test_what_this_machine_cannot_do_is_refused[arguments2",
    "tests/unit/launch/test_docker_requests.py::test_the_engine_of_an_image",
    "tests/unit/launch/test_hosts.py::test_the_laptop_says_that_only_the_first_trains",
    "tests/unit/launch/test_jobs_api.py::test_a_job_is_stopped_as_soon_as_its_runner_is_recorded",
    "tests/unit/launch/test_jobs_api.py::test_a_transform_job_needs_its_model_and_its_input",
    "tests/unit/launch/test_jobs_api.py::test_what_processes_cannot_do_is_refused",
    "tests/unit/launch/test_servers.py::test_a_deployment_is_started_as_a_process",
)
"""How the names of tests begin that run what the images hold in this Python environment."""
