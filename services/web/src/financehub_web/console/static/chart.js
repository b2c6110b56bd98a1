// Draws the chart of an asset: candles, volume, lines over the prices and panes below them.
"use strict";
(() => {
  const LINES = {
    sma_20: [["sma_20", "SMA 20", "--accent"]],
    sma_50: [["sma_50", "SMA 50", "--second"]],
    sma_200: [["sma_200", "SMA 200", "--band"]],
    ema_12: [["ema_12", "EMA 12", "--third"]],
    ema_26: [["ema_26", "EMA 26", "--warn"]],
    bollinger: [["bollinger_upper", "Upper band", "--band"], ["bollinger_middle", "Middle band", "--muted"], ["bollinger_lower", "Lower band", "--band"]],
    vwap_14: [["vwap_14", "VWAP 14", "--up"]],
    psar: [["psar", "SAR", "--ink", "dots"]],
  };
  const PANES = {
    rsi_14: [["rsi_14", "RSI 14", "--band"]],
    macd: [["macd_histogram", "Histogram", "--muted", "bars"], ["macd", "MACD", "--accent"], ["macd_signal", "Signal", "--second"]],
    stochastic: [["stochastic_k", "%K", "--accent"], ["stochastic_d", "%D", "--second"]],
    adx_14: [["adx_14", "ADX 14", "--accent"]],
    atr_14: [["atr_14", "ATR 14", "--accent"]],
    obv: [["obv", "OBV", "--accent"]],
  };
  const { createChart, CandlestickSeries, HistogramSeries, LineSeries, CrosshairMode, LineStyle } = LightweightCharts;
  // The element with the chart, or null while the asset has no prices. An update may bring it or remove it.
  let place = null;
  let data = null;
  let chart = null;
  let candles = null;
  let priceLine = null;
  let series = [];
  let drawn = [];
  let tag = "";
  // Time on the axis → row of the prices.
  let rowAt = new Map();

  // Times of intraday prices are Unix seconds, and are shown in the zone that the reader has chosen.
  // The library puts the marks of days at midnight in UTC, so it gets times that are shifted by the zone's distance
  // from UTC. It is that of the newest price, because a clock that is set back would bring times that are not in order.
  let isIntraday = false;
  let shift = 0;
  function zoneShift() {
    if (!isIntraday) return 0;
    const newest = data.bars.days.at(-1);
    const format = new Intl.DateTimeFormat("en", {
      timeZone: zone(), hourCycle: "h23", year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric",
    });
    const { year, month, day, hour, minute, second } = Object.fromEntries(format.formatToParts(newest * 1000).map(({ type, value }) => [type, Number(value)]));
    return Date.UTC(year, month - 1, day, hour, minute, second) / 1000 - Math.floor(newest);
  }
  // The chosen zone: that of the reader is undefined.
  function zone() {
    const choice = document.getElementById("zone").value;
    if (choice === "utc") return "UTC";
    return choice === "exchange" ? place.closest("[data-zone]")?.dataset.zone : undefined;
  }
  // To make a format takes a hundred times as long as to use it.
  const formats = new Map();
  function formatted(make, name) {
    if (!formats.has(name)) formats.set(name, make());
    return formats.get(name);
  }
  const inZone = (options) => (seconds) => formatted(
    () => new Intl.DateTimeFormat("en-CA", { ...options, hourCycle: "h23", timeZone: zone() }), `${zone()} ${JSON.stringify(options)}`,
  ).format(seconds * 1000);
  const clock = inZone({ month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit" });
  const tick = inZone({ hour: "2-digit", minute: "2-digit" });
  const tickDay = inZone({ month: "short", day: "numeric" });

  // A color of the theme in the form that the library can parse.
  const painter = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const colors = new Map();
  function color(name) {
    if (!colors.has(name)) colors.set(name, readColor(name));
    return colors.get(name);
  }
  function readColor(name) {
    const probe = document.createElement("span");
    probe.className = "probe";
    probe.style.color = `var(${name})`;
    place.append(probe);
    painter.fillStyle = getComputedStyle(probe).color;
    probe.remove();
    painter.clearRect(0, 0, 1, 1);
    painter.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = painter.getImageData(0, 0, 1, 1).data;
    return `rgba(${red}, ${green}, ${blue}, ${alpha / 255})`;
  }

  const chosen = (name) => [...document.querySelectorAll(`#overlays input[name=${name}]:checked`)].map((input) => input.value);
  const precision = () => Number(place.dataset.places);

  function rows(days, values, extra = () => ({})) {
    return days.map((time, row) => (values[row] === null ? { time } : { time, value: values[row], ...extra(row) }));
  }

  function addIndicator([name, label, variable, form_], pane) {
    const values = data.indicators.series[name];
    if (!values) return;
    const shared = { color: color(variable), priceLineVisible: false, lastValueVisible: pane > 0, crosshairMarkerVisible: false };
    if (pane === 0) shared.priceFormat = { type: "price", precision: precision(), minMove: 10 ** -precision() };
    else if (Math.abs(values.at(-1)) > 1e5) shared.priceFormat = { type: "volume" };
    const added = form_ === "bars"
      ? chart.addSeries(HistogramSeries, { ...shared, lastValueVisible: false }, pane)
      : chart.addSeries(LineSeries, { ...shared, lineWidth: 1.5, lineVisible: form_ !== "dots", pointMarkersVisible: form_ === "dots", pointMarkersRadius: 1.5 }, pane);
    const byTime = new Map(data.indicators.days.map((day, row) => [day, values[row]]));
    added.setData(rows(data.indicators.days, values, (row) => form_ === "bars" ? { color: color(values[row] < 0 ? "--volume-down" : "--volume-up") } : {}));
    series.push({ label, variable, byTime });
  }

  function addVolume(bars) {
    const volume = chart.addSeries(HistogramSeries, { priceFormat: { type: "volume" }, priceScaleId: "volume", priceLineVisible: false, lastValueVisible: false });
    volume.priceScale().applyOptions({ scaleMargins: { top: 0.84, bottom: 0 } });
    volume.setData(rows(bars.days, bars.volume, (row) => ({ color: color(bars.close[row] < bars.open[row] ? "--volume-down" : "--volume-up") })));
  }

  function draw() {
    const visible = movedRange();
    chart?.remove();
    colors.clear();
    shift = zoneShift();
    series = [];
    const panes = chosen("pane");
    place.classList.toggle("tall", panes.length > 1);
    const line = color("--line");
    chart = createChart(place, {
      autoSize: true,
      layout: {
        background: { color: "transparent" }, textColor: color("--muted"), attributionLogo: false,
        fontFamily: getComputedStyle(place).fontFamily, fontSize: Math.round(parseFloat(getComputedStyle(document.documentElement).fontSize) * 0.82),
        panes: { separatorColor: line, separatorHoverColor: line, enableResize: true },
      },
      grid: { vertLines: { visible: false }, horzLines: { color: line } },
      crosshair: { mode: CrosshairMode.Normal, vertLine: { color: color("--line-strong"), labelBackgroundColor: color("--ink") }, horzLine: { color: color("--line-strong"), labelBackgroundColor: color("--ink") } },
      rightPriceScale: { borderVisible: false },
      timeScale: { borderColor: line, rightOffset: 2, minBarSpacing: 0.2, maxBarSpacing: 30, timeVisible: isIntraday, ...(isIntraday && { tickMarkFormatter: (seconds, kind) => (kind < 3 ? tickDay : tick)(seconds - shift) }) },
      localization: isIntraday ? { timeFormatter: (seconds) => clock(seconds - shift) } : { locale: document.documentElement.lang, dateFormat: "yyyy-MM-dd" },
      handleScroll: { mouseWheel: false, vertTouchDrag: false },
      handleScale: { mouseWheel: false },
    });
    const { bars } = data;
    const digits = precision();
    if (!isIntraday) addVolume(bars);
    candles = chart.addSeries(CandlestickSeries, {
      upColor: color("--up"), downColor: color("--down"), wickUpColor: color("--up"), wickDownColor: color("--down"), borderVisible: false,
      priceFormat: { type: "price", precision: digits, minMove: 10 ** -digits }, priceLineVisible: false, lastValueVisible: false,
    });
    candles.priceScale().applyOptions({ scaleMargins: { top: 0.06, bottom: isIntraday ? 0.06 : 0.2 } });
    candles.setData(bars.days.map((day, row) => ({ time: isIntraday ? day + shift : day, open: bars.open[row], high: bars.high[row], low: bars.low[row], close: bars.close[row] })));
    for (const name of chosen("line")) for (const each of LINES[name] ?? []) addIndicator(each, 0);
    panes.forEach((name, index) => { for (const each of PANES[name] ?? []) addIndicator(each, index + 1); });
    chart.panes().forEach((pane, index) => pane.setStretchFactor(index ? 0.28 : 1));
    rowAt = new Map(bars.days.map((day, row) => [isIntraday ? day + shift : day, row]));
    chart.subscribeCrosshairMove(({ time }) => showLegend(rowAt.get(time)));
    priceLine = null;
    showPrice();
    if (visible) chart.timeScale().setVisibleLogicalRange(visible);
    else showRange();
    showLegend();
    drawn = bars.days;
    place.dataset.drawn = String(bars.days.length);
  }

  // The visible range after new prices, or null if all of them should be visible. If the newest price was visible, the
  // next one is too. Otherwise the same prices stay visible.
  function movedRange() {
    const visible = chart?.timeScale().getVisibleLogicalRange();
    if (!visible) return null;
    const last = drawn.length - 1;
    const isAtEnd = visible.to >= last;
    if (isAtEnd && visible.from <= 0 && data.bars.days !== drawn) return null;
    const dropped = Math.max(0, drawn.indexOf(data.bars.days[0]));
    const moved = isAtEnd ? data.bars.days.length - drawn.length : -dropped;
    return { from: visible.from + moved, to: visible.to + moved };
  }

  function showRange() {
    const { days } = data.bars;
    const length = Number(place.dataset.days);
    if (!length) return chart.timeScale().fitContent();
    const first = Date.parse(days.at(-1)) - length * 86400000;
    const from = days.findIndex((day) => Date.parse(day) > first);
    chart.timeScale().setVisibleLogicalRange({ from: from - 0.5, to: days.length + 1 });
  }

  function showPrice() {
    const price = Number(document.getElementById("price")?.dataset.price);
    if (!price) return;
    const options = { price, color: color("--accent"), lineWidth: 1, lineStyle: LineStyle.Dotted, axisLabelVisible: true, title: "" };
    if (priceLine) priceLine.applyOptions(options);
    else priceLine = candles.createPriceLine(options);
  }

  // Without a row, the legend shows the newest prices. Every value is that of the time of the row.
  function showLegend(row) {
    const { bars } = data;
    const at = row ?? bars.days.length - 1;
    const digits = precision();
    const format = formatted(() => new Intl.NumberFormat("en", { minimumFractionDigits: digits, maximumFractionDigits: digits }), `price ${digits}`);
    const short = formatted(() => new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 2 }), "short");
    const value = formatted(() => new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 }), "value");
    const parts = [["", isIntraday ? clock(bars.days[at]) : bars.days[at]]];
    for (const name of ["open", "high", "low", "close"]) parts.push([name[0].toUpperCase(), format.format(bars[name][at])]);
    if (!isIntraday) parts.push(["V", short.format(bars.volume[at])]);
    for (const { label, variable, byTime } of series) {
      const found = byTime.get(bars.days[at]) ?? null;
      if (found !== null) parts.push([label, Math.abs(found) >= 1e6 ? short.format(found) : Math.abs(found) < 1 ? String(Number(found.toPrecision(4))) : value.format(found), variable]);
    }
    document.getElementById("legend").replaceChildren(...parts.map(([label, value, variable]) => {
      const part = document.createElement("span");
      if (variable) part.style.color = `var(${variable})`;
      const strong = document.createElement("b");
      strong.textContent = value;
      part.append(label ? `${label} ` : "", strong);
      return part;
    }));
  }

  async function load() {
    const target = place;
    try {
      const headers = tag ? { "If-None-Match": tag } : {};
      const response = await fetch(target.dataset.url, { headers, cache: "no-store" });
      if (response.status === 304 || target !== place) return;
      if (!response.ok) throw new Error(`the server answered ${response.status}`);
      const columns = await response.json();
      if (target !== place) return;
      tag = response.headers.get("ETag") ?? "";
      data = columns;
      draw();
    } catch (error) {
      if (!data && target === place) document.getElementById("legend").textContent = `The chart cannot be drawn: ${error.message}`;
    }
  }

  // Each change of the page may be a new price. A page that is paused or hidden does not change.
  function follow() {
    const found = document.getElementById("chart");
    if (found !== place) {
      chart?.remove();
      [place, chart, data, tag] = [found, null, null, ""];
      isIntraday = found !== null && /range=1[dw]$/.test(found.dataset.url);
    }
    if (data) showPrice();
    if (place) load();
  }

  // The address of the page, of its updates and of the other ranges follow the form with the range and the boxes.
  function followForm() {
    const form = document.getElementById("overlays");
    const query = new URLSearchParams(new FormData(form));
    history.replaceState(null, "", `?${query}`);
    document.getElementById("live").setAttribute("hx-get", `?${query}`);
    for (const link of document.querySelectorAll(".ranges a")) {
      const other = new URLSearchParams(query);
      other.set("range", new URLSearchParams(link.search).get("range"));
      link.href = `?${other}`;
    }
    document.getElementById("overlays-count").textContent = form.querySelectorAll(":checked").length;
  }
  document.addEventListener("change", ({ target }) => {
    if (!target.closest?.("#overlays")) return;
    followForm();
    if (data) draw();
  });
  document.addEventListener("click", (event) => {
    const popup = document.querySelector("details.popup[open]");
    if (popup && !popup.contains(event.target)) popup.open = false;
    const link = event.target.closest?.("a[data-range]");
    if (!link || !data || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    for (const each of document.querySelectorAll("a[data-range]")) each.removeAttribute("aria-current");
    link.setAttribute("aria-current", "true");
    document.getElementById("overlays").elements.range.value = link.dataset.range;
    place.dataset.days = link.dataset.days;
    followForm();
    showRange();
    htmx.trigger(document.getElementById("live"), "refresh"); // The caption and the table are those of the range.
  });
  document.addEventListener("keydown", ({ key }) => {
    const popup = document.querySelector("details.popup[open]");
    if (key !== "Escape" || !popup) return;
    popup.open = false;
    popup.querySelector("summary").focus();
  });
  document.getElementById("zone").addEventListener("change", () => { if (data && isIntraday) draw(); });
  document.addEventListener("console:theme", () => { if (data) draw(); });
  document.addEventListener("console:updated", follow);
  follow();
})();
