import pytest
from tests.models.gotcha_cases import CASES
IDS=[(k,i) for k,v in CASES.items() for i in range(len(v))]
@pytest.mark.parametrize("k,i",IDS)
def test_x(k,i,tensorflow,tfjs_runtime):
    CASES[k][i].run(tensorflow,tfjs_runtime)
