"""The one exception that is meant for the person at the keyboard."""


class UserError(Exception):
    """Bad input: the message names the file or value, the rule it breaks and the remedy, in one line.

    Command lines print the message and exit with status 2; a traceback is never shown for it.
    """
