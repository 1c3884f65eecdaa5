"""What every room stands on: errors, files, processes, the network and the machine."""
