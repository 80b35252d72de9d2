"""Stands in for a library of sagemaker-training, where jobs run as processes.

The library tells a host SageMaker's name of it. It is compiled, and preloaded into mpirun on several hosts. A process
job has one host and preloads nothing (``sagemaker_rl/job/mpi_program.py``); sagemaker-training imports it all the same.
The training image has the real one.
"""
