"use strict";
(() => {
  const body = document.body;
  // The first error stays: later ones are often its consequence.
  const report = (error) => { body.dataset.error ??= String(error && error.message ? error.message : error); };
  addEventListener("error", (event) => report(event.error || event.message));
  addEventListener("unhandledrejection", (event) => report(event.reason));

  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
  const isoTime = (time) => new Date(time).toISOString().slice(0, 16).replace("T", " ");

  /** The first index whose time is not before `time`. */
  const firstFrom = (times, time) => {
    let low = 0;
    let high = times.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (times[middle] < time) low = middle + 1; else high = middle;
    }
    return low;
  };

  /** Round numbers between `low` and `high`, about `count` of them, and the decimals they need. */
  const roundTicks = (low, high, count) => {
    const rough = (high - low) / count;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((factor) => factor * power).find((value) => value >= rough);
    const ticks = [];
    for (let index = Math.ceil(low / step); index * step <= high; index += 1) ticks.push(index * step);
    return { ticks, decimals: clamp(Math.ceil(-Math.log10(step) - 1e-9), 0, 12) };
  };

  const MINUTE = 60000;
  const DAY = 1440 * MINUTE;
  const STEPS = [1, 5, 15, 60, 180, 360, 720, 1440, 2880, 10080, 20160].map((minutes) => minutes * MINUTE);

  /** Round times between `from` and `to`, at most `most`: minutes to weeks, then first days of months. */
  const timeTicks = (from, to, most) => {
    const step = STEPS.find((value) => (to - from) / value <= most);
    const ticks = [];
    if (step) {
      for (let time = Math.ceil(from / step) * step; time <= to; time += step) ticks.push(time);
      return { ticks, days: step % DAY === 0 };
    }
    const months = [1, 2, 3, 6, 12, 24, 60, 120].find((value) => (to - from) / (value * 30.4 * DAY) <= most) ?? 240;
    const start = new Date(from);
    let month = Math.floor((start.getUTCFullYear() * 12 + start.getUTCMonth()) / months) * months;
    for (let time = 0; time <= to; month += months) {
      time = Date.UTC(Math.floor(month / 12), month % 12, 1);
      if (time >= from && time <= to) ticks.push(time);
    }
    return { ticks, days: true };
  };

  class CandleChart {
    constructor(canvas, data) {
      this.canvas = canvas;
      this.context = canvas.getContext("2d");
      this.data = data;
      this.picked = null;
      this.choose(0);
    }

    get symbol() { return this.data.symbols[this.index]; }

    choose(index) {
      this.index = index;
      const { times, width } = this.symbol;
      // The view is a span of time; a candle's body lies between its own time and the next.
      this.whole = { from: times[0] - width, to: times[times.length - 1] + 2 * width };
      this.view = { ...this.whole };
    }

    /** Keeps the view within the data and at least eight candles wide. */
    show(from, to) {
      const whole = this.whole.to - this.whole.from;
      const span = clamp(to - from, Math.min(8 * this.symbol.width, whole), whole);
      const middle = (from + to) / 2;
      const start = clamp(middle - span / 2, this.whole.from, this.whole.to - span);
      this.view = { from: start, to: start + span };
      this.draw();
    }

    zoom(factor, time) {
      const centre = time ?? (this.view.from + this.view.to) / 2;
      const span = this.view.to - this.view.from;
      const whole = this.whole.to - this.whole.from;
      const wanted = clamp(span * factor, Math.min(8 * this.symbol.width, whole), whole);
      const share = (centre - this.view.from) / span;
      this.show(centre - share * wanted, centre + (1 - share) * wanted);
    }

    pan(shift) { this.show(this.view.from + shift, this.view.to + shift); }

    timeAt(x) {
      return this.view.from + (x - this.area.left) / this.area.width * (this.view.to - this.view.from);
    }

    x(time) {
      return this.area.left + (time - this.view.from) / (this.view.to - this.view.from) * this.area.width;
    }

    y(price) {
      return this.area.top + (this.high - price) / (this.high - this.low) * this.area.height;
    }

    draw() {
      const { canvas, context } = this;
      const box = canvas.getBoundingClientRect();
      const ratio = window.devicePixelRatio || 1;
      canvas.width = Math.max(Math.round(box.width * ratio), 1);
      canvas.height = Math.max(Math.round(box.height * ratio), 1);
      const style = getComputedStyle(document.documentElement);
      this.colour = (name) => style.getPropertyValue(`--${name}`).trim();
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      context.fillStyle = this.colour("background");
      context.fillRect(0, 0, box.width, box.height);
      context.font = "12px system-ui, sans-serif";
      const { times } = this.symbol;
      const first = Math.max(firstFrom(times, this.view.from - this.symbol.width), 0);
      const last = Math.min(firstFrom(times, this.view.to), times.length);
      this.scale(first, last);
      const { ticks, decimals } = roundTicks(this.low, this.high, 6);
      const labels = ticks.map((tick) => tick.toFixed(decimals));
      const widest = Math.max(...labels.map((label) => context.measureText(label).width), 20);
      this.area = { left: 6, top: 10, width: Math.max(box.width - widest - 18, 20), height: box.height - 36 };
      this.drawPrices(ticks, labels);
      this.drawTimes();
      context.save();
      context.beginPath();
      context.rect(this.area.left, 0, this.area.width, box.height);
      context.clip();
      this.drawCandles(first, last);
      this.drawTrades();
      context.restore();
    }

    /** Prices from the lowest to the highest of what is seen, trades included, with some room. */
    scale(first, last) {
      let low = Infinity;
      let high = -Infinity;
      for (let index = first; index < last; index += 1) {
        low = Math.min(low, this.symbol.low[index]);
        high = Math.max(high, this.symbol.high[index]);
      }
      for (const trade of this.shownTrades()) {
        for (const [time, price] of [[trade.opened, trade.entry], [trade.closed, trade.exit]]) {
          if (time === null || price === null || time < this.view.from || time > this.view.to) continue;
          low = Math.min(low, price);
          high = Math.max(high, price);
        }
      }
      if (!Number.isFinite(low)) [low, high] = [0, 1];
      const room = (high - low) * 0.06 || Math.abs(high) * 0.01 || 1;
      this.low = low - room;
      this.high = high + room;
    }

    shownTrades() {
      return this.data.trades.filter((trade) => trade && trade.symbol === this.index
        && trade.opened <= this.view.to && (trade.closed ?? Infinity) >= this.view.from);
    }

    drawPrices(ticks, labels) {
      const { context, area } = this;
      context.textBaseline = "middle";
      context.textAlign = "left";
      ticks.forEach((tick, index) => {
        const y = Math.round(this.y(tick)) + 0.5;
        context.strokeStyle = this.colour("rule");
        context.lineWidth = 1;
        context.setLineDash([]);
        context.beginPath();
        context.moveTo(area.left, y);
        context.lineTo(area.left + area.width, y);
        context.stroke();
        context.fillStyle = this.colour("quiet");
        context.fillText(labels[index], area.left + area.width + 6, y);
      });
    }

    drawTimes() {
      const { context, area } = this;
      const most = Math.max(Math.floor(area.width / 125), 2);
      const { ticks, days } = timeTicks(this.view.from, this.view.to, most);
      context.textAlign = "center";
      context.textBaseline = "top";
      context.fillStyle = this.colour("quiet");
      const bottom = area.top + area.height;
      let free = 0;
      for (const time of ticks) {
        const text = days ? isoTime(time).slice(0, 10) : isoTime(time);
        const half = context.measureText(text).width / 2;
        const x = this.x(time);
        // A label at an end moves inwards; the mark stays where its time is.
        const middle = clamp(x, area.left + half, area.left + area.width - half);
        context.fillRect(x, bottom + 2, 1, 5);
        if (middle - half < free) continue;
        context.fillText(text, middle, bottom + 9);
        free = middle + half + 8;
      }
    }

    drawCandles(first, last) {
      const { context, symbol } = this;
      const room = symbol.width / (this.view.to - this.view.from) * this.area.width;
      // Whole pixels, an odd number of them around the wick, or edges would blur.
      const width = 2 * Math.floor((clamp(room * 0.7, 1, 25) - 1) / 2) + 1;
      context.setLineDash([]);
      context.lineWidth = 1;
      for (let index = first; index < last; index += 1) {
        const rose = symbol.close[index] >= symbol.open[index];
        const middle = Math.floor(this.x(symbol.times[index] + symbol.width / 2)) + 0.5;
        const [open, close] = [symbol.open[index], symbol.close[index]].map((price) => Math.round(this.y(price)));
        const [top, bottom] = [Math.min(open, close), Math.max(open, close)];
        context.strokeStyle = context.fillStyle = this.colour(rose ? "rose" : "fell");
        context.beginPath();
        context.moveTo(middle, this.y(symbol.high[index]));
        context.lineTo(middle, top);
        context.moveTo(middle, bottom);
        context.lineTo(middle, this.y(symbol.low[index]));
        context.stroke();
        const left = middle - width / 2;
        if (width < 3 || !rose) context.fillRect(left, top, width, Math.max(bottom - top, 1));
        else context.strokeRect(left + 0.5, top + 0.5, width - 1, Math.max(bottom - top - 1, 0));
      }
    }

    drawTrades() {
      const { context } = this;
      for (const trade of this.shownTrades()) {
        const picked = trade === this.data.trades[this.picked];
        context.strokeStyle = context.fillStyle = this.colour(trade.gain ? "gain-mark" : "loss-mark");
        context.lineWidth = picked ? 3 : 1.5;
        context.setLineDash(trade.gain ? [] : [5, 3]);
        const size = picked ? 8 : 5;
        const [x, y] = [this.x(trade.opened), this.y(trade.entry)];
        if (trade.closed !== null && trade.exit !== null) {
          const [endX, endY] = [this.x(trade.closed), this.y(trade.exit)];
          context.beginPath();
          context.moveTo(x, y);
          context.lineTo(endX, endY);
          context.stroke();
          context.fillRect(endX - size * 0.7, endY - size * 0.7, size * 1.4, size * 1.4);
        }
        const tip = trade.long ? -size : size;
        context.beginPath();
        context.moveTo(x, y + tip);
        context.lineTo(x - size, y - tip);
        context.lineTo(x + size, y - tip);
        context.closePath();
        context.fill();
      }
    }

    /** Shows a trade in the middle third; false where it has no candles. */
    pick(number) {
      const trade = this.data.trades[number];
      if (!trade) return false;
      if (trade.symbol !== this.index) this.choose(trade.symbol);
      this.picked = number;
      const end = trade.closed ?? this.whole.to;
      const room = Math.max(end - trade.opened, 20 * this.symbol.width);
      this.show(trade.opened - room, end + room);
      return true;
    }
  }

  /** What the table says about a trade, with its log, beside the chart. */
  const describe = (number) => {
    const link = document.querySelector(`a.jump[data-trade="${number}"]`);
    const panel = document.getElementById("candle-trade");
    document.querySelectorAll("tr.picked").forEach((row) => row.classList.remove("picked"));
    const row = link && link.closest("tr");
    if (!row) return;
    row.classList.add("picked");
    const headings = [...row.closest("table").querySelectorAll("thead th")].map((cell) => cell.textContent);
    const cells = [...row.children];
    const line = document.createElement("p");
    line.textContent = cells.slice(0, -1).map((cell, index) => `${headings[index]}: ${cell.textContent}`).join(" · ");
    const reason = document.createElement("p");
    const summary = cells[cells.length - 1].querySelector("summary");
    reason.textContent = (summary || cells[cells.length - 1]).textContent;
    const log = document.createElement("pre");
    log.textContent = cells[cells.length - 1].querySelector("pre")?.textContent ?? "";
    panel.replaceChildren(line, reason, log);
    panel.hidden = false;
  };

  const connect = (chart) => {
    const { canvas } = chart;
    const select = document.getElementById("candle-symbol");
    const pick = (number) => {
      if (!chart.pick(number)) return;
      select.value = String(chart.index);
      describe(number);
    };
    const step = (by) => {
      const { trades } = chart.data;
      let number = chart.picked === null ? (by > 0 ? 0 : trades.length - 1) : chart.picked + by;
      while (number >= 0 && number < trades.length && !trades[number]) number += by;
      if (number >= 0 && number < trades.length) pick(number);
    };
    const span = () => chart.view.to - chart.view.from;
    const actions = {
      in: () => chart.zoom(0.6), out: () => chart.zoom(1 / 0.6),
      earlier: () => chart.pan(-span() / 4), later: () => chart.pan(span() / 4),
      all: () => chart.show(chart.whole.from, chart.whole.to),
      previous: () => step(-1), next: () => step(1),
    };
    const keys = { "+": "in", "-": "out", ArrowLeft: "earlier", ArrowRight: "later", Home: "all", p: "previous", n: "next" };
    // A browser may have kept the choice of an earlier visit.
    select.value = "0";
    const controls = document.querySelector(".controls");
    controls.hidden = false;
    controls.addEventListener("click", (event) => actions[event.target.dataset.action]?.());
    canvas.addEventListener("keydown", (event) => {
      if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      actions[keys[event.key]]();
    });
    select.addEventListener("change", () => { chart.choose(Number(select.value)); chart.picked = null; chart.draw(); });
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      chart.zoom(Math.exp(clamp(event.deltaY, -200, 200) / 400), chart.timeAt(event.offsetX));
    }, { passive: false });

    // One pointer drags, two pinch.
    const pointers = new Map();
    canvas.addEventListener("pointerdown", (event) => {
      pointers.set(event.pointerId, event.offsetX);
      try { canvas.setPointerCapture(event.pointerId); } catch { /* The pointer is gone already. */ }
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!pointers.has(event.pointerId)) return;
      const before = pointers.get(event.pointerId);
      if (pointers.size === 1) chart.pan(chart.timeAt(before) - chart.timeAt(event.offsetX));
      if (pointers.size === 2) {
        const other = [...pointers].find(([id]) => id !== event.pointerId)[1];
        const distance = Math.max(Math.abs(event.offsetX - other), 5);
        chart.zoom(Math.max(Math.abs(before - other), 5) / distance, chart.timeAt(other));
      }
      pointers.set(event.pointerId, event.offsetX);
    });
    for (const name of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(name, (event) => pointers.delete(event.pointerId));
    }
    document.querySelectorAll("a.jump").forEach((link) => {
      link.addEventListener("click", () => pick(Number(link.dataset.trade)));
    });
    addEventListener("resize", () => chart.draw());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => chart.draw());
    const light = (on) => { document.documentElement.classList.toggle("light", on); chart.draw(); };
    addEventListener("beforeprint", () => light(true));
    addEventListener("afterprint", () => light(false));
  };

  try {
    let drawn = 0;
    for (const figure of document.querySelectorAll("figure.chart")) {
      if ([...figure.querySelectorAll("svg")].some((svg) => svg.getBoundingClientRect().width > 0)) drawn += 1;
    }
    const data = document.getElementById("candle-data");
    if (data) {
      const chart = new CandleChart(document.getElementById("candle-canvas"), JSON.parse(data.textContent));
      connect(chart);
      chart.draw();
      drawn += 1;
    }
    body.dataset.drawn = String(drawn);
  } catch (error) {
    report(error);
  }
})();
