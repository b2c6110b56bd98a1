// Keeps the page up to date, shows times in the zone of the reader, and listens to keys. Every page works without it.
"use strict";
(() => {
  const root = document.documentElement;
  const byId = (id) => document.getElementById(id);
  const store = {
    get(name, otherwise) { try { return localStorage.getItem(name) ?? otherwise; } catch { return otherwise; } },
    set(name, value) { try { localStorage.setItem(name, value); } catch { /* the choice holds for this page only */ } },
  };

  // Times -----------------------------------------------------------------------------------------------------------
  // The clock of the server, because that of the reader may be wrong.
  let offset = 0;
  function readClock() {
    const live = byId("live");
    offset = Number(live.dataset.now) * 1000 - Date.now();
  }
  const serverNow = () => Date.now() + offset;

  function duration(seconds) {
    const whole = Math.max(0, Math.floor(seconds));
    const units = [["d", 86400], ["h", 3600], ["m", 60], ["s", 1]];
    const parts = [];
    let rest = whole;
    for (const [unit, length] of units) {
      const amount = Math.floor(rest / length);
      rest %= length;
      if (amount || parts.length) parts.push(`${amount}${unit}`);
    }
    return parts.slice(0, 2).join(" ") || "0s";
  }

  function clock(at, zone) {
    const parts = Object.fromEntries(new Intl.DateTimeFormat("en-CA", {
      timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit",
      second: "2-digit", hourCycle: "h23", timeZoneName: "short",
    }).formatToParts(at).map((part) => [part.type, part.value]));
    return `${parts.year}-${parts.month}-${parts.day} ${parts.hour}:${parts.minute}:${parts.second} ${parts.timeZoneName}`;
  }

  function showTimes() {
    const zone = store.get("zone", "local") === "utc" ? "UTC" : undefined;
    for (const element of document.querySelectorAll("time[data-time]")) {
      const at = Date.parse(element.dateTime);
      const seconds = (serverNow() - at) / 1000;
      const text = {
        ago: () => `${duration(seconds)} ago`,
        age: () => duration(seconds),
        until: () => `in ${duration(-seconds)}`,
        clock: () => clock(at, zone),
      }[element.dataset.time]();
      if (element.textContent !== text) element.textContent = text;
    }
    const updated = byId("updated");
    if (byId("live").dataset.live !== undefined) {
      const seconds = Math.max(0, Math.round(serverNow() / 1000 - Number(byId("live").dataset.at)));
      updated.textContent = failed ? `Not updated: ${failed}` : `Updated ${duration(seconds)} ago`;
    }
  }

  // Tables that are wider than the window can be scrolled with the keyboard.
  function showScrollable() {
    for (const element of document.querySelectorAll(".scroll, main pre")) {
      const isWide = element.scrollWidth > element.clientWidth || element.scrollHeight > element.clientHeight;
      if (isWide) element.tabIndex = 0;
      else element.removeAttribute("tabindex");
    }
  }

  // Updates ---------------------------------------------------------------------------------------------------------
  const SECONDS = 5;
  let tag = "";
  let failed = "";
  let isPaused = store.get("paused", "") === "yes";
  let isLoading = false;

  function update() {
    const live = byId("live");
    if (live.dataset.live === undefined || isLoading) return;
    isLoading = true;
    htmx.trigger(live, "refresh");
  }

  function showPause() {
    const button = byId("pause");
    if (!button) return;
    button.textContent = isPaused ? "Continue" : "Pause";
    button.setAttribute("aria-pressed", String(isPaused));
    root.classList.toggle("is-paused", isPaused);
  }

  function togglePause() {
    if (!byId("pause")) return;
    isPaused = !isPaused;
    store.set("paused", isPaused ? "yes" : "");
    showPause();
    if (!isPaused) update();
  }

  document.addEventListener("htmx:config:request", (event) => {
    if (tag) event.detail.ctx.request.headers["If-None-Match"] = tag;
  });
  document.addEventListener("htmx:before:response", (event) => {
    const { response } = event.detail.ctx;
    if (response.status === 304) byId("live").dataset.at = String(serverNow() / 1000);
    failed = response.status >= 400 ? `the server answered ${response.status}` : "";
    if (failed) event.preventDefault();
    else if (response.status === 200) tag = response.headers.get("ETag") ?? "";
  });
  document.addEventListener("htmx:error", () => { failed = "the server does not answer"; });
  document.addEventListener("htmx:finally:request", () => {
    isLoading = false;
    if (!failed) readClock();
    showTimes();
  });
  document.addEventListener("htmx:after:swap", () => {
    readClock();
    showTimes();
    showScrollable();
    document.dispatchEvent(new Event("console:updated"));
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && !isPaused) update();
  });

  // Keys ------------------------------------------------------------------------------------------------------------
  let isGoing = false;
  const pages = { o: "", q: "quotes", s: "schedules", r: "runs", n: "news", d: "dead-letters" };
  document.addEventListener("keydown", (event) => {
    const target = event.target;
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (target.closest?.("input, select, textarea")) {
      if (event.key === "Escape") target.blur();
      return;
    }
    if (isGoing) {
      isGoing = false;
      if (event.key in pages) location.assign(new URL(pages[event.key], document.querySelector(".brand").href));
      return;
    }
    const action = {
      "/": () => byId("search").select(),
      "?": () => byId("keys").togglePopover(),
      p: togglePause,
      r: update,
      g: () => { isGoing = true; },
    }[event.key];
    if (action) {
      event.preventDefault();
      action();
    }
  });

  // Choices ---------------------------------------------------------------------------------------------------------
  function choose(id, otherwise, apply) {
    const select = byId(id);
    select.value = store.get(id, otherwise);
    select.addEventListener("change", () => {
      store.set(id, select.value);
      apply(select.value);
    });
  }
  choose("theme", "auto", (value) => {
    if (value === "auto") delete root.dataset.theme;
    else root.dataset.theme = value;
    document.dispatchEvent(new Event("console:theme"));
  });
  choose("zone", "local", showTimes);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    document.dispatchEvent(new Event("console:theme"));
  });
  byId("pause")?.addEventListener("click", togglePause);

  readClock();
  showScrollable();
  addEventListener("resize", showScrollable);
  showPause();
  showTimes();
  setInterval(showTimes, 1000);
  setInterval(() => { if (!isPaused && !document.hidden) update(); }, SECONDS * 1000);
})();
