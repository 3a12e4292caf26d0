"""Figures of QuantStats for an equity curve, beside those of the crate `sim`, as JSON.

    pip install quantstats==0.0.86
    cargo run -p sim --example curve_metrics -- EQUITY.csv > METRICS.json
    python crates/sim/benches/peers/quantstats_metrics.py EQUITY.csv METRICS.json

EQUITY.csv has a heading and the columns time,equity. Times are ISO 8601 or milliseconds since the epoch (UTC), when the
equity was known: the close of a candle, so that 00:00 ends the day before. Without METRICS.json only QuantStats' figures
are printed. Exit status 1 says that figures of the same definition differ by more than 1e-9.

Both get the same daily curve (the first point and the last of each day), 365 periods a year and no risk-free rate. The
definitions that differ are brought to ours here, and each says how.
"""

import json
import sys
import warnings

warnings.filterwarnings("ignore")
import numpy as np
import pandas as pd
import quantstats.stats as qs

PERIODS = 365
DAY = pd.Timedelta(days=1)


def read_curve(path):
    """Equity by the time at which it was known."""
    table = pd.read_csv(path)
    if pd.api.types.is_numeric_dtype(table["time"]):
        times = pd.to_datetime(table["time"], unit="ms")
    else:
        times = pd.to_datetime(table["time"], utc=True).dt.tz_localize(None)
    return pd.Series(table["equity"].to_numpy(dtype=float), index=pd.DatetimeIndex(times))


def daily_returns(curve):
    """Returns of days, (00:00, 24:00], from the first point on."""
    days = (curve.index - pd.Timedelta(milliseconds=1)).floor("D")
    rest = pd.Series(curve.to_numpy()[1:], index=days[1:]).groupby(level=0).last()
    base = pd.Series([curve.iloc[0]], index=[rest.index[0] - DAY])
    return pd.concat([base, rest]).pct_change().dropna()


def figures(curve):
    returns = daily_returns(curve)
    if not returns.min() < 0 and returns.max() > 1:
        sys.exit("QuantStats would read these returns as prices: a day more than doubles and none falls")
    count = len(returns)
    # QuantStats takes its years from the number of returns; ours are the time that passed.
    years = (curve.index[-1] - curve.index[0]) / DAY / PERIODS
    growth = (1 + qs.comp(returns)) ** (1 / years) - 1
    # Drawdowns come from every point: prices, which QuantStats takes as they are (scaled, so that they cannot pass for
    # returns).
    prices = curve / curve.min() * 2
    depths = qs.to_drawdown_series(prices)
    details = qs.drawdown_details(depths)
    worst = -qs.max_drawdown(prices)
    sharpe = qs.sharpe(returns, 0.0, PERIODS)
    return {
        "total_return": qs.comp(returns),
        "cagr": growth,
        "volatility": qs.volatility(returns, PERIODS),
        "sharpe": sharpe,
        "sortino": qs.sortino(returns, 0.0, PERIODS),
        "omega": qs.omega(returns, periods=PERIODS),
        "calmar": growth / worst,
        "skewness": qs.skew(returns),
        "kurtosis": qs.kurtosis(returns),
        "best_day": qs.best(returns),
        "worst_day": qs.worst(returns),
        # "month" would join the Januaries of all years.
        "best_month": qs.best(returns, "eom"),
        "worst_month": qs.worst(returns, "eom"),
        "maximum_drawdown": worst,
        "average_drawdown": -details["max drawdown"].astype(float).mean() / 100,
        "drawdowns": len(details),
        # QuantStats divides by n - 1 of as many points as it was given: that is the n steps.
        "ulcer_index": qs.ulcer_index(prices),
        # QuantStats: abs(sum of returns) / drawdown.
        "recovery_factor": qs.comp(returns) / worst,
        # QuantStats: that of a normal distribution. These are numpy's.
        # 0.05 and not 1 - 0.95, which is more by a rounding and takes the next return where n is a multiple of 20.
        "value_at_risk": -np.quantile(returns, 0.05, method="inverted_cdf"),
        "expected_shortfall": expected_shortfall(returns.to_numpy(), 0.95),
    }, {
        "returns": count,
        "cagr, years from the number of returns": qs.cagr(returns, periods=PERIODS),
        "sharpe with 252 periods": qs.sharpe(returns),
        "value at risk of a normal distribution": qs.value_at_risk(returns),
        "expected shortfall, historical": qs.cvar(returns, method="historical"),
        "ulcer index of days": qs.ulcer_index(returns),
        "recovery factor": qs.recovery_factor(returns),
    }


def expected_shortfall(returns, level):
    """Mean of the worst share 1 - level, of the return at its edge as much as is missing."""
    ordered, share = np.sort(returns), (1 - level) * len(returns)
    whole = max(int(np.ceil(share - 1e-9)) - 1, 0)
    return -(ordered[:whole].sum() + (share - whole) * ordered[whole]) / share


def ours(metrics):
    daily, drawdown = metrics["daily"], metrics["drawdown"]
    named = {key: daily[key] for key in ("volatility", "sharpe", "sortino", "omega", "skewness", "kurtosis")}
    named |= {key: daily[key] for key in ("value_at_risk", "expected_shortfall")}
    named |= {key: metrics[key] for key in ("total_return", "cagr", "calmar")}
    named |= {key: drawdown[key] for key in ("ulcer_index", "recovery_factor")}
    named |= {f"{key}_day": daily[key]["value"] for key in ("best", "worst")}
    named |= {key: metrics[key]["value"] for key in ("best_month", "worst_month")}
    return named | {
        "maximum_drawdown": drawdown["maximum"],
        "average_drawdown": drawdown["average"],
        "drawdowns": drawdown["count"],
    }


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    same, other = figures(read_curve(sys.argv[1]))
    same = {key: float(value) for key, value in same.items()}
    report = {"quantstats": same, "quantstats_of_another_definition": {k: float(v) for k, v in other.items()}}
    differs = False
    if len(sys.argv) == 3:
        with open(sys.argv[2]) as file:
            found = ours(json.load(file))
        report["sim"] = {key: found[key] for key in same}
        # An absent figure of ours agrees with NaN of theirs.
        gaps = {
            key: (0.0 if np.isnan(value) else None)
            if found[key] is None
            else abs(found[key] - value) / max(abs(value), 1.0)
            for key, value in same.items()
        }
        report["relative_difference"] = gaps
        differs = any(gap is None or not gap <= 1e-9 for gap in gaps.values())
    print(json.dumps(report, indent=1))
    sys.exit(1 if differs else 0)


if __name__ == "__main__":
    main()
