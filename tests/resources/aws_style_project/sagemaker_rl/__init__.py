raise RuntimeError("the copied package sagemaker_rl was imported")
