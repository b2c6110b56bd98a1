// Keeps the page up to date, shows times in the zone of the reader, and listens to keys. Every page works without it.
"use strict";
(() => {
  const root = document.documentElement;
  const byId = (id) => document.getElementById(id);
  const storeIn = (storage) => ({
    get(name, otherwise) { try { return storage().getItem(name) ?? otherwise; } catch { return otherwise; } },
    set(name, value) { try { storage().setItem(name, value); } catch { /* the value holds for this page only */ } },
  });
  const store = storeIn(() => localStorage);
  const session = storeIn(() => sessionStorage);

  // Times -----------------------------------------------------------------------------------------------------------
  // The clock of the server, because that of the reader may be wrong. Only a page that has just arrived tells its time.
  let offset = 0;
  function readClock() {
    offset = Number(byId("live").dataset.now) * 1000 - Date.now();
    session.set("offset", String(offset));
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

  // To make a format takes a hundred times as long as to use it.
  const formats = new Map();
  function formatIn(zone, digits) {
    const name = `${zone} ${digits}`;
    if (!formats.has(name)) formats.set(name, new Intl.DateTimeFormat("en-CA", {
      timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit",
      second: "2-digit", fractionalSecondDigits: digits, hourCycle: "h23", timeZoneName: "short",
    }));
    return formats.get(name);
  }

  function clock(at, zone, digits) {
    const parts = Object.fromEntries(formatIn(zone, digits).formatToParts(at).map((part) => [part.type, part.value]));
    const fraction = parts.fractionalSecond ? `.${parts.fractionalSecond}` : "";
    return `${parts.year}-${parts.month}-${parts.day} ${parts.hour}:${parts.minute}:${parts.second}${fraction} ${parts.timeZoneName}`;
  }

  // The zone of the reader is undefined. A page of one asset says in which zone its exchange is.
  function zoneOf(element, choice) {
    if (choice === "utc") return "UTC";
    return choice === "exchange" ? element.closest("[data-zone]")?.dataset.zone : undefined;
  }

  function showTimes() {
    const choice = byId("zone").value;
    for (const element of document.querySelectorAll("time[data-time]")) {
      const at = Date.parse(element.dateTime);
      const seconds = (serverNow() - at) / 1000;
      const text = {
        ago: () => `${duration(seconds)} ago`,
        age: () => duration(seconds),
        until: () => `in ${duration(-seconds)}`,
        clock: () => clock(at, zoneOf(element, choice)),
        exact: () => clock(at, zoneOf(element, choice), 3),
      }[element.dataset.time]();
      if (element.textContent !== text) element.textContent = text;
    }
    const updated = byId("updated");
    if (byId("live").dataset.live !== undefined) {
      const seconds = Math.max(0, Math.round(serverNow() / 1000 - Number(byId("live").dataset.at)));
      const text = failed ? `Not updated for ${duration(seconds)}` : isSelecting() ? "Updates wait for your selection" : `Updated ${duration(seconds)} ago`;
      if (updated.textContent !== text) updated.textContent = text;
      const banner = byId("unreachable");
      const problem = `This page is not up to date: ${failed}. It asks again every ${SECONDS} s.`;
      if (failed && banner.textContent !== problem) banner.textContent = problem;
      banner.hidden = !failed;
    }
  }

  // Tables that are wider than the window can be scrolled with the keyboard.
  function showScrollable() {
    for (const element of document.querySelectorAll(".scroll, main pre")) {
      const isWide = element.scrollWidth > element.clientWidth || element.scrollHeight > element.clientHeight;
      const name = element.querySelector("caption")?.textContent ?? "Text";
      if (isWide) Object.assign(element, { tabIndex: 0, role: "region", ariaLabel: name });
      else for (const attribute of ["tabindex", "role", "aria-label"]) element.removeAttribute(attribute);
    }
  }

  // Updates ---------------------------------------------------------------------------------------------------------
  const SECONDS = 5;
  let tag = "";
  let failed = "";
  let isPaused = store.get("paused", "") === "yes";
  // A request that never ends, such as one that another script has stopped, does not block the next ones for long.
  const LONGEST_REQUEST = 30_000;
  let loadingSince = 0;
  const isLoading = () => loadingSince > 0 && Date.now() - loadingSince < LONGEST_REQUEST;

  // A page must not change under the hand of a reader who selects some of its rows or its text.
  function isSelecting() {
    if (document.querySelector("#live .selection :checked")) return true;
    const selection = getSelection();
    return selection !== null && !selection.isCollapsed && byId("live").contains(selection.anchorNode);
  }

  function update() {
    const live = byId("live");
    if (live.dataset.live === undefined || isLoading() || isSelecting()) return;
    htmx.trigger(live, "refresh");
  }

  function showPause() {
    const button = byId("pause");
    if (!button) return;
    button.textContent = isPaused ? "Continue" : "Pause";
  }

  function togglePause() {
    if (!byId("pause")) return;
    isPaused = !isPaused;
    store.set("paused", isPaused ? "yes" : "");
    showPause();
    if (!isPaused) update();
  }

  document.addEventListener("htmx:config:request", (event) => {
    const { request } = event.detail.ctx;
    loadingSince = Date.now();
    request.cache = "no-store"; // The cache of the browser has the page as it was opened.
    if (tag) request.headers["If-None-Match"] = tag;
  });
  document.addEventListener("htmx:before:response", (event) => {
    const { status } = event.detail.ctx.response;
    failed = status === 200 || status === 304 ? "" : `the server answered ${status}`;
    if (status === 304) byId("live").dataset.at = String(serverNow() / 1000);
    if (failed) event.preventDefault();
  });
  document.addEventListener("htmx:before:swap", (event) => {
    const { ctx, tasks } = event.detail;
    if (ctx.response.status !== 200) return;
    // A proxy may answer with another page, such as a form to log in.
    const isOurs = tasks.some(({ type, fragment }) => type === "main" && fragment.querySelector("#live[data-live]"));
    if (!isOurs) failed = "another page was sent; reload this one";
    if (!isOurs || isSelecting()) event.preventDefault();
  });
  document.addEventListener("htmx:error", () => { failed = "the server does not answer"; });
  document.addEventListener("htmx:finally:request", () => {
    loadingSince = 0;
    showTimes();
  });
  document.addEventListener("htmx:after:swap", (event) => {
    const { response } = event.detail.ctx;
    if (response.status !== 200) return;
    tag = response.headers.get("ETag") ?? "";
    readClock();
    showTimes();
    showScrollable();
    document.dispatchEvent(new Event("console:updated"));
  });
  document.addEventListener("change", (event) => {
    if (event.target.closest?.(".selection")) showTimes();
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && !isPaused) update();
  });

  // Copying ---------------------------------------------------------------------------------------------------------
  // Browsers offer the clipboard only on HTTPS and localhost. Elsewhere, a selected text can be copied.
  async function copy(text) {
    if (navigator.clipboard) return navigator.clipboard.writeText(text);
    const field = document.createElement("textarea");
    field.value = text;
    field.className = "hidden";
    document.body.append(field);
    field.select();
    const isCopied = document.execCommand("copy");
    field.remove();
    if (!isCopied) throw new Error("the browser does not copy");
  }
  document.addEventListener("click", async ({ target }) => {
    const button = target.closest?.("[data-copy]");
    if (!button) return;
    try {
      await copy(button.dataset.copy);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Select it and copy it";
    }
    button.focus();
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
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
    if (!byId("use-keys").checked) return;
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
  byId("use-keys").checked = store.get("keys", "yes") === "yes";
  byId("use-keys").addEventListener("change", ({ target }) => store.set("keys", target.checked ? "yes" : ""));
  byId("pause")?.addEventListener("click", togglePause);

  // The outcome of an action is shown once, and not again after a reload.
  const here = new URL(location.href);
  if (here.searchParams.has("done")) {
    here.searchParams.delete("done");
    history.replaceState(history.state, "", here);
  }

  // After a step back or forward, the browser may show the page as it was, with the time that it had then.
  const isOld = performance.getEntriesByType("navigation")[0]?.type === "back_forward";
  const lastOffset = session.get("offset", "");
  if (isOld && lastOffset) offset = Number(lastOffset);
  else readClock();
  addEventListener("pageshow", ({ persisted }) => { if (persisted || isOld) setTimeout(update); });
  showScrollable();
  addEventListener("resize", showScrollable);
  showPause();
  showTimes();
  setInterval(showTimes, 1000);
  setInterval(() => { if (!isPaused && !document.hidden) update(); }, SECONDS * 1000);
})();
