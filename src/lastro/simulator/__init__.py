"""A whole Pix network on one machine, with a book of its own: directory, settlement, other banks, account office."""

from lastro.simulator.app import Simulator, standalone
from lastro.simulator.network import SimulatorSettings

__all__ = ["Simulator", "SimulatorSettings", "standalone"]
