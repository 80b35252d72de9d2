"""Training and evaluation jobs: ``loop.train`` and ``evaluation.evaluate``, with checkpoints and the best policy."""
