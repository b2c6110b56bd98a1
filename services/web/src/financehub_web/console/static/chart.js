// Draws the chart of an asset: candles, volume, lines over the prices and panes below them.
"use strict";
(() => {
  const place = document.getElementById("chart");
  if (!place) return;
  const legend = document.getElementById("legend");
  const form = document.getElementById("overlays");
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
  let data = null;
  let chart = null;
  let candles = null;
  let priceLine = null;
  let series = [];
  let tag = "";

  // Times of intraday prices are Unix seconds, and are shown in the zone that the reader has chosen.
  const isIntraday = /range=1[dw]$/.test(place.dataset.url);
  const inZone = (options) => (seconds) => new Intl.DateTimeFormat("en-CA", {
    ...options, hourCycle: "h23", timeZone: document.getElementById("zone").value === "utc" ? "UTC" : undefined,
  }).format(seconds * 1000);
  const clock = inZone({ month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit" });
  const tick = inZone({ hour: "2-digit", minute: "2-digit" });
  const tickDay = inZone({ month: "short", day: "numeric" });

  // A color of the theme in the form that the library can parse.
  const painter = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  function color(name) {
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

  const chosen = (name) => [...form.querySelectorAll(`input[name=${name}]:checked`)].map((input) => input.value);
  function precision() {
    const last = Math.abs(data.bars.close.at(-1));
    return last >= 100 ? 2 : Math.min(12, Math.max(2, 5 - Math.floor(Math.log10(last || 1))));
  }

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
    added.setData(rows(data.indicators.days, values, (row) => form_ === "bars" ? { color: color(values[row] < 0 ? "--volume-down" : "--volume-up") } : {}));
    series.push({ label, variable, added });
  }

  function addVolume(bars) {
    const volume = chart.addSeries(HistogramSeries, { priceFormat: { type: "volume" }, priceScaleId: "volume", priceLineVisible: false, lastValueVisible: false });
    volume.priceScale().applyOptions({ scaleMargins: { top: 0.84, bottom: 0 } });
    volume.setData(rows(bars.days, bars.volume, (row) => ({ color: color(bars.close[row] < bars.open[row] ? "--volume-down" : "--volume-up") })));
  }

  function draw() {
    const visible = chart?.timeScale().getVisibleLogicalRange();
    chart?.remove();
    series = [];
    const panes = chosen("pane");
    place.classList.toggle("tall", panes.length > 1);
    const line = color("--line");
    chart = createChart(place, {
      autoSize: true,
      layout: {
        background: { color: "transparent" }, textColor: color("--muted"), attributionLogo: false,
        fontFamily: getComputedStyle(place).fontFamily, fontSize: 12,
        panes: { separatorColor: line, separatorHoverColor: line, enableResize: true },
      },
      grid: { vertLines: { visible: false }, horzLines: { color: line } },
      crosshair: { mode: CrosshairMode.Normal, vertLine: { color: color("--line-strong"), labelBackgroundColor: color("--ink") }, horzLine: { color: color("--line-strong"), labelBackgroundColor: color("--ink") } },
      rightPriceScale: { borderVisible: false },
      timeScale: { borderColor: line, rightOffset: 2, minBarSpacing: 0.2, maxBarSpacing: 30, timeVisible: isIntraday, ...(isIntraday && { tickMarkFormatter: (seconds, kind) => (kind < 3 ? tickDay : tick)(seconds) }) },
      localization: isIntraday ? { timeFormatter: clock } : { locale: document.documentElement.lang, dateFormat: "yyyy-MM-dd" },
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
    candles.setData(bars.days.map((time, row) => ({ time, open: bars.open[row], high: bars.high[row], low: bars.low[row], close: bars.close[row] })));
    for (const name of chosen("line")) for (const each of LINES[name] ?? []) addIndicator(each, 0);
    panes.forEach((name, index) => { for (const each of PANES[name] ?? []) addIndicator(each, index + 1); });
    chart.panes().forEach((pane, index) => pane.setStretchFactor(index ? 0.28 : 1));
    chart.subscribeCrosshairMove(({ logical }) => showLegend(logical === undefined || logical === null ? null : Math.round(logical)));
    priceLine = null;
    showPrice();
    if (visible) chart.timeScale().setVisibleLogicalRange(visible);
    else showRange();
    showLegend(null);
    place.dataset.drawn = String(bars.days.length);
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

  function showLegend(row) {
    const { bars } = data;
    const at = row === null || row < 0 || row >= bars.days.length ? bars.days.length - 1 : row;
    const format = new Intl.NumberFormat("en", { minimumFractionDigits: precision(), maximumFractionDigits: precision() });
    const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 2 });
    const parts = [["", isIntraday ? clock(bars.days[at]) : bars.days[at]]];
    for (const name of ["open", "high", "low", "close"]) parts.push([name[0].toUpperCase(), format.format(bars[name][at])]);
    if (!isIntraday) parts.push(["V", short.format(bars.volume[at])]);
    for (const { label, variable, added } of series) {
      const found = added.dataByIndex(at)?.value;
      if (found !== undefined) parts.push([label, Math.abs(found) >= 1e6 ? short.format(found) : Math.abs(found) < 1 ? String(Number(found.toPrecision(4))) : found.toFixed(2), variable]);
    }
    legend.replaceChildren(...parts.map(([label, value, variable]) => {
      const part = document.createElement("span");
      if (variable) part.style.color = `var(${variable})`;
      const strong = document.createElement("b");
      strong.textContent = value;
      part.append(label ? `${label} ` : "", strong);
      return part;
    }));
  }

  async function load() {
    try {
      const response = await fetch(place.dataset.url, { headers: tag ? { "If-None-Match": tag } : {} });
      if (response.status === 304) return;
      if (!response.ok) throw new Error(`the server answered ${response.status}`);
      tag = response.headers.get("ETag") ?? "";
      data = await response.json();
      draw();
    } catch (error) {
      if (!data) legend.textContent = `The chart cannot be drawn: ${error.message}`;
    }
  }

  form.addEventListener("change", () => {
    const query = new URLSearchParams(new FormData(form));
    history.replaceState(null, "", `?${query}`);
    const live = document.getElementById("live");
    live.setAttribute("hx-get", `?${query}`);
    if (data) draw();
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[data-range]");
    if (!link || !data || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    for (const each of document.querySelectorAll("a[data-range]")) each.removeAttribute("aria-current");
    link.setAttribute("aria-current", "true");
    form.elements.range.value = link.dataset.range;
    place.dataset.days = link.dataset.days;
    history.replaceState(null, "", link.href);
    document.getElementById("live").setAttribute("hx-get", link.search);
    showRange();
  });
  document.getElementById("zone").addEventListener("change", () => { if (data && isIntraday) draw(); });
  document.addEventListener("console:theme", () => { if (data) draw(); });
  document.addEventListener("console:updated", () => { if (data) showPrice(); });
  setInterval(() => { if (!document.hidden) load(); }, 60000);
  load();
})();
