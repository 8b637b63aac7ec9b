"""The parts that keep accounts safe."""
