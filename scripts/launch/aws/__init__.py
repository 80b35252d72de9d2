"""AWS beside SageMaker: ``Clients``, and storage, logs, roles, registry, builds and scaling on top of them."""
