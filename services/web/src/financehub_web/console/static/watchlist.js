// Keeps the assets that a reader watches in this browser, and links to a page with their prices.
"use strict";
(() => {
  const MOST = 100; // Their symbols are in the address of a page.
  const USUAL = "Watchlist of this browser";
  const FULL = `The watchlist of this browser is full: it has ${MOST} assets. Remove one to add another.`;
  let kept = [];

  function read() {
    try {
      const found = JSON.parse(localStorage.getItem("watchlist") ?? "[]");
      kept = Array.isArray(found) ? found.filter((each) => typeof each === "string") : [];
    } catch { /* Storage is blocked or has something else: the list of this page holds. */ }
    return kept;
  }

  function toggle(symbol) {
    const before = read();
    if (before.includes(symbol)) kept = before.filter((each) => each !== symbol);
    else if (before.length < MOST) kept = [...before, symbol].sort();
    else return; // The title of the button says why.
    try { localStorage.setItem("watchlist", JSON.stringify(kept)); } catch { /* The list holds for this page. */ }
  }

  function show() {
    const symbols = read();
    for (const button of document.querySelectorAll("button[data-watch]")) {
      const isKept = symbols.includes(button.dataset.watch);
      button.setAttribute("aria-pressed", String(isKept));
      button.title = isKept || symbols.length < MOST ? USUAL : FULL;
    }
    const link = document.getElementById("watchlist");
    if (!link) return;
    link.hidden = symbols.length === 0;
    link.href = `?${new URLSearchParams({ symbols: symbols.join(",") })}`;
    link.textContent = `Watchlist (${symbols.length})`;
  }

  document.addEventListener("click", ({ target }) => {
    const button = target.closest?.("button[data-watch]");
    if (!button) return;
    toggle(button.dataset.watch);
    show();
  });
  document.addEventListener("console:updated", show);
  addEventListener("storage", show); // Another tab has changed the list.
  show();
})();
