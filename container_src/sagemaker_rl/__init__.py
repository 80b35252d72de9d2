"""Train Coach agents on Amazon SageMaker and serve their policies; see the README's folder map."""
