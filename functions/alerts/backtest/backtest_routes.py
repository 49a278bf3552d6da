"""`POST /v1/alerts/backtest`: a rule, a condition on a connection's series, or a condition on points sent along."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends

from functions.alerts.backtest import answering
from functions.alerts.backtest.answering import Wanted
from functions.alerts.backtest.shapes import ReportShape, ValuesShape
from functions.alerts.backtest.turns import Turns
from hedgerow.app import App
from hedgerow.entrypoint import app_of, needs
from hedgerow.keys import Caller

router = APIRouter()
Reader = Annotated[Caller, Depends(needs("read"))]
Current = Annotated[App, Depends(app_of)]
turns = Turns()


@router.post("/v1/alerts/backtest", response_model_exclude_none=False)
async def backtest(wanted: Wanted, caller: Reader, app: Current) -> ReportShape | ValuesShape:
    """When it would have fired, against labels where given, what to expect, and nearby settings where wished."""
    turns.take(caller.tenant_id)
    try:
        question = await answering.question_of(app, caller, wanted)
    except BaseException:
        turns.give_back(caller.tenant_id)
        raise
    # Fifty settings on two years of hours are seconds of arithmetic, which must not hold up other calls.
    return await turns.calculate(caller.tenant_id, lambda: answering.answer(question))
