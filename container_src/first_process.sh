# Read by bash (BASH_ENV). As a container's first process it becomes sagemaker_rl/job/first_process.py, which has it
# do the same as a child: a shell at that place gets no SIGTERM, and passes none on.
if [ $$ = 1 ]; then
    mapfile -d '' command_line </proc/1/cmdline
    exec python -m sagemaker_rl.job.first_process "${command_line[@]}"
fi
