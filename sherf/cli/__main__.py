"""`python -m sherf.cli`: the command line where no `sherf` script is installed, as under torchrun."""

from sherf.cli.main import main

if __name__ == "__main__":
    main()
