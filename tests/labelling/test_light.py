"""What the job's own process imports to label with the models that come with the package."""

import subprocess
import sys

_ASKS = """
import sys
from emotion_core.labelling.how import Labelling
from emotion_core.labelling.job import label
from emotion_core.labelling.report.write import write_report
how = Labelling(("voice", "face"))
how.check()
print(how.settings()["model_id"], how.together.labels)
print(sorted({"torch", "onnxruntime", "librosa", "scipy"} & set(sys.modules)))
"""


def test_the_job_itself_computes_nothing_and_imports_no_torch() -> None:
    done = subprocess.run([sys.executable, "-c", _ASKS], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    told, heavy = done.stdout.splitlines()
    assert "happy" in told
    assert heavy == "[]"
