"""The page that a job ends with, ``report.html``: did it learn, how good is it, what does it do where.

``job`` is what a job calls: it says what it is, has ``trial`` play the finished policy, and writes the page at its end.
``run`` reads whatever a job left, ``charts`` and ``page`` make the page of it, ``optimum`` knows the best that could
have been reached. ``write-report.py`` makes the page anew from fetched files.
"""
