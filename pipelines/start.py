"""Where the `auxloom` command starts: Ctrl-C is answered from here on, while libraries still load."""

from pipelines.interrupt import answer_interrupts

__all__ = ["main"]


def main() -> None:
    """Run the command."""
    answer_interrupts()
    from pipelines.cli import main as run

    run()
