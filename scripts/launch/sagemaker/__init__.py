"""What the scripts ask of SageMaker: requests for jobs, endpoints, models and transforms, and following them."""
