"""The fast path: the same agents, schedules and outputs as stock Coach's, on batches instead of single transitions.

It works on the graph that Coach has created, on the very parameters of its networks and filters, so that checkpoints
and the policy artifact are Coach's whichever path trained them.
"""
