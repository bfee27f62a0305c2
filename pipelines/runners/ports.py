"""Whether anything listens at an address: checked at once, before libraries load that would try for minutes."""

import socket

from pipelines.recipes.recipe import RecipeError

__all__ = ["check_port"]

_CONNECT = 4.0  # seconds; with what an engine has to answer, a wrong address is reported within ten


def check_port(option: str, endpoint: str, what: str) -> None:
    """Check that something listens at an endpoint.

    Raises:
        RecipeError: nothing does.
    """
    host, colon, port = endpoint.removeprefix("tcp://").rpartition(":")
    if not (colon and host and port.isdecimal()):
        raise RecipeError(f"{option}={endpoint} is not HOST:PORT")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT).close()
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise RecipeError(f"no {what} answers at {option}={endpoint} ({reason.lower()}); is it running?") from None
