"""What holds when a server, a process or an answer is taken away."""
