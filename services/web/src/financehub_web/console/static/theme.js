// Applies the chosen theme before the page is drawn, so that it never flashes in the other one.
"use strict";
(() => {
  let theme = "auto";
  try { theme = localStorage.getItem("theme") ?? "auto"; } catch { /* storage is blocked; the system decides */ }
  const root = document.documentElement;
  root.classList.add("has-script");
  if (theme !== "auto") root.dataset.theme = theme;
})();
