"""The tables of an evaluation as LaTeX: whole, and nothing in them that LaTeX takes for its own."""

import re

from rich.table import Table

from emotion_core.evaluation.channels import songs_remark
from emotion_core.evaluation.latex import escaped, latex_document
from emotion_core.evaluation.report import folds_table


def test_a_table_is_set_as_it_is_shown() -> None:
    table = Table(title="[bold]50 % of \\[all]", caption="+-: a deviation")
    table.add_column("who")
    table.add_column("right", justify="right")
    table.add_row("savee/a_b & c#1 {x} \\y", "5.0%")
    table.add_row("\\[1] *", "·", end_section=True)
    table.add_row("all", "7 ~ ^ $")

    assert latex_document([table]).splitlines()[1:] == [
        r"\begin{table}",
        r"\centering",
        r"\caption{50 \% of {[}all{]}}",
        r"\begin{tabular}{lr}",
        r"\toprule",
        r"who & right \\",
        r"\midrule",
        r"savee/a\_b \& c\#1 \{x\} \textbackslash{}y & 5.0\% \\",
        r"{[}1{]} {*} & $\cdot$ \\",
        r"\midrule",
        r"all & 7 \textasciitilde{} \textasciicircum{} \$ \\",
        r"\bottomrule",
        r"\end{tabular}",
        r"\par\smallskip\footnotesize $\pm$: a deviation",
        r"\end{table}",
    ]
    assert escaped("two\nlines\\\\") == r"two lines\textbackslash{}\textbackslash{}"


def test_the_folds_end_in_their_mean_and_deviation() -> None:
    fold = {"split": "luna5:0", "n": 9, "war": 0.5, "ece": 0.1, "model_id": "ab"}
    mean, alone = {"war": 0.5, "ece": 0.125}, {"war": None, "ece": None}
    text = latex_document([folds_table([fold], mean, {"war": 0.02, "ece": 0.01}, "t_1")])
    last = [
        r"\midrule",
        r"mean $\pm$ deviation &  & 50.0\% $\pm$ 2.0\% & 0.125 $\pm$ 0.010 &  \\",
        r"\bottomrule",
    ]
    assert "\n".join(last) in text
    # of one fold alone there is no deviation
    text = latex_document([folds_table([fold], mean, alone, "t")])
    assert re.search(r"deviation &  & 50\.0\\% & 0\.125 &  ", text)


def test_songs_under_a_protocol_of_speech_are_told() -> None:
    told = songs_remark("emobox6:all", {"speech": 9, "song": 4})
    assert told and "songs among the clips (4), and split emobox6:all was published for" in told
    assert songs_remark("emobox6:0", {"speech": 9}) is None
    assert songs_remark("random", {"song": 4}) is None
    assert songs_remark(None, {"song": 4}) is None
