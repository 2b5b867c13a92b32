"""`python -m orchestrator` is the `doorbell` command."""

from orchestrator.cli.main import main

if __name__ == "__main__":
    main(prog_name="doorbell")
