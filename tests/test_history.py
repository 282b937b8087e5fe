"""Training values of time series, of which errors are in units: scales series by series, and what is refused."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from conftest import run_lossctl

import lossctl
from lossctl.errors import DataError

TRAIN = "unique_id,ds,y\na,2020-01,1\nb,2020-01,10\na,2020-02,3\nb,2020-02,14\na,2020-03,2\nb,2020-03,16\n"
FORECASTS = "unique_id,ds,y,m,lo,hi,b\nb,2020-04,20,17,15,25,16\na,2020-04,4,3,2,6,2\nb,2020-05,18,20,15,25,16\n"


@pytest.fixture
def files(tmp_path):
    for name, text in (("train.csv", TRAIN), ("fc.csv", FORECASTS)):
        (tmp_path / name).write_text(text)
    return tmp_path


def value(files, *arguments: str) -> float:
    done = run_lossctl("compute", *arguments, "-y", "y", "--train", str(files / "train.csv"), str(files / "fc.csv"))
    assert done.code == 0, done.err
    return float(done.out)


def test_each_series_has_the_naive_error_of_its_own_training_values(files):
    """Series a: |3 - 1|, |2 - 3|; two steps back |2 - 1|. Series b: 4, 2; two steps back 6."""
    assert value(files, "mase", "--pred", "m") == pytest.approx((3 / 3 + 1 / 1.5 + 2 / 3) / 3)
    assert value(files, "mase", "--pred", "m", "--season", "2") == pytest.approx((3 / 6 + 1 / 1 + 2 / 6) / 3)
    assert value(files, "rmsse", "--pred", "m") == pytest.approx(((9 / 10 + 1 / 2.5 + 4 / 10) / 3) ** 0.5)
    assert value(files, "msis", "--lower", "lo", "--upper", "hi") == pytest.approx((10 / 3 + 4 / 1.5 + 10 / 3) / 3)
    smape = (3 / 18.5 + 1 / 3.5 + 2 / 19) / (4 / 18 + 2 / 3 + 2 / 17)
    owa = (smape + (3 / 3 + 1 / 1.5 + 2 / 3) / (4 / 3 + 2 / 1.5 + 2 / 3)) / 2
    assert value(files, "owa", "--pred", "m", "--benchmark", "b") == pytest.approx(owa)


def test_a_loss_beside_another_has_the_same_naive_error_or_is_refused(files):
    both = ("msis", "--lower", "lo", "--upper", "hi", "--also", "msis:alpha=0.5", "-f", "tsv")
    asked = (*both, "-y", "y", "--train", str(files / "train.csv"), str(files / "fc.csv"))
    lines = run_lossctl("compute", *asked).out.splitlines()[1:]
    alone = [value(files, "msis", "--lower", "lo", "--upper", "hi", *more) for more in ((), ("--alpha", "0.5"))]
    assert [float(line.split("\t")[3]) for line in lines] == alone
    done = run_lossctl("compute", "mase", "--pred", "m", "--also", "rmsse", *asked[-5:])
    assert done.code == 2 and "rmsse takes pred, naive-square, target" in done.err


def test_one_series_needs_no_name():
    assert lossctl.compute("mase", [1.0, 2.0], target=[1.5, 2.0], train=np.array([1.0, 3, 2, 5])).value == 0.125
    same = lossctl.row_losses("mase", [1.0, 2.0], target=[1.5, 2.0], train=[1.0, 3, 2, 5], season=2)
    np.testing.assert_allclose(same, [0.5 / 1.5, 0])


def test_what_has_no_naive_error_is_refused(files):
    def refused(train: str, *words: str, season: int = 1) -> None:
        (files / "train.csv").write_text(train)
        with pytest.raises(DataError) as caught:
            lossctl.compute("mase", f"{files / 'fc.csv'}::m", target=f"{files / 'fc.csv'}::y",
                            train=str(files / "train.csv"), season=season)  # fmt: skip
        for word in words:
            assert word in str(caught.value)

    refused(TRAIN, "series 'a'", "too few", season=3)
    refused(TRAIN.replace("a,", "c,"), "no values of series 'a'")
    refused(TRAIN.replace("14", "10").replace("16", "10"), "series 'b'", "do not vary")
    refused(TRAIN.replace("a,2020-03", "a,2019-12"), "ds '2019-12' of 'a' stands behind a later one", "sort")
    days = {"2020-01": "5.1.2020", "2020-02": "4.2.2020", "2020-03": "3.3.2020"}
    written = functools.reduce(lambda text, month: text.replace(month, days[month]), days, TRAIN)
    refused(written.replace("a,4.2.2020", "a,6.3.2020"), "ds '3.3.2020' of 'a' stands behind")
    refused("ds,y\n1,1\n3,3\n2,2\n", "ds '2' of '0' stands behind")
    (files / "train.csv").write_text(written)
    assert value(files, "mase", "--pred", "m") == pytest.approx((3 / 3 + 1 / 1.5 + 2 / 3) / 3)
    refused("y\n1\n3\n2\n", "does not say of which series")


def test_columns_called_after_other_levels_are_doubted(tmp_path):
    for head, levels, is_doubted in (
        ("q_5,q_50,q_95", None, True), ("q_10,q_50,q_90", None, False), ("q1,q2,q3", None, False),
        ("q_5,q_50,q_95", [0.05, 0.5, 0.95], False), ("q_0.1,q_0.5,q_0.9", None, False),
    ):  # fmt: skip
        (tmp_path / "q.csv").write_text(f"{head},y\n1,2,4,3\n")
        first, _, last = head.split(",")
        result = lossctl.compute("wis", f"{tmp_path / 'q.csv'}::{first}..{last}", target=f"{tmp_path / 'q.csv'}::y",
                                 **({"levels": levels} if levels else {}))  # fmt: skip
        assert any("their names say others" in told for told in result.warnings) is is_doubted, (head, levels)
