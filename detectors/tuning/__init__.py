"""How many alarms a configuration makes: counting, comparing two, and keeping to a budget.

Pure: uploads and configurations in, plain figures out. ``vigil backtest`` and ``vigil budget`` read
the recordings or the stored history and show the result. docs/backtest.md explains what each
figure means.
"""
