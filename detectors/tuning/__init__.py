"""How many alarms a configuration makes: counting, comparing two, and keeping to a budget.

Pure: uploads and configurations in, plain figures out. ``vigil backtest`` and ``vigil budget`` read
the recordings or the stored history and show what comes of it. docs/backtest.md says what each
figure means.
"""
