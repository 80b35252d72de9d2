"""What SageMaker asks of a training job: its folders, hyperparameters, outputs, stop signal and failure reason."""
