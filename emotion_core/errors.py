"""The kinds of trouble this package tells apart: the user's, one clip's, and the output's."""


class UsageError(Exception):
    """The command cannot run as given: a job prints this one line and exits with code 2.

    The message names the input and the way out, for example
    ``no recipe 'blstm': choose one of timedist-blstm (or a path to a .py file)``.
    """


class ClipError(Exception):
    """One clip could not be processed: its row becomes ``failed``, the job goes on.

    Args:
        stage: where it happened (``fetch``, ``decode``, ``faces``, ``audio``, ``predict``).
        message: one line for the row's ``error`` column.
    """

    def __init__(self, stage: str, message: str):
        super().__init__(message)
        self.stage = stage

    def __reduce__(self):  # the default would lose ``stage`` on the way out of a child process
        return (ClipError, (self.stage, str(self)))


class StorageError(OSError):
    """The output cannot be written (any more): a job prints this one line and exits with code 1.

    What was written before is whole, and the same command goes on from there. The message names
    the file: ``s3://results/a.parquet: the server cannot be reached: check AWS_ENDPOINT_URL``.
    """
