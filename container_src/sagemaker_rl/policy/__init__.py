"""The policy artifact: ``Policy.load`` reads one, ``export_policy`` writes one; all that training and serving share."""
