"""The page that a job ends with, ``report.html``: did it learn, how good is it, what does it do where.

``page`` puts the page together, from ``run``, which reads whatever a job left: ``verdict``, ``facts``, ``comparison``,
``picture`` and ``charts`` are its parts. ``optimum`` knows the best returns that could have been reached, found by
``dynamic_programming``. ``job`` writes the page at the end of a job; ``write-report.py`` makes it anew.
"""
