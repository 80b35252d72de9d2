"""SageMaker on this machine: ``LocalClients`` has the methods of boto3's clients; engines run what they ask for."""
