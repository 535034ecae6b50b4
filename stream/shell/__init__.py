"""The only room that touches the world: settings, Kafka, files, metrics, the command.

Rule: everything that reads a clock, an environment, a file or a socket lives here, and nothing here decides.
"""
