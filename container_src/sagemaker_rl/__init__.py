"""Train Coach agents on Amazon SageMaker and serve their policies; see docs/architecture.md."""
