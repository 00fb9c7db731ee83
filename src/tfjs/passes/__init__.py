"""From a graph as a source has it to one that TF.js runs: graph to graph."""
