"""A practice Jenkins: Jenkins' life cycle and plugin answers on a real socket, without Jenkins.

For the demo, the tests and the benchmark. It builds nothing; it answers as Jenkins, its plugins and
the proxies before it do, refuses, resets and hangs when told to, breaks under strain, and remembers
what came.

``python -m spigot.practice`` runs one in the foreground; see `spigot.practice.command`.
"""

from spigot.practice.faults import Fault
from spigot.practice.pages import Phase
from spigot.practice.server import PracticeJenkins
from spigot.practice.strain import Strain
from spigot.practice.visits import Counts, Visit

__all__ = ["Counts", "Fault", "Phase", "PracticeJenkins", "Strain", "Visit"]
