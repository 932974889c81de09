"""The command line: parse, call, print. Starts without PyTorch; everything heavy is imported inside the commands."""
