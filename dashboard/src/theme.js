// Before the first paint, so that a chosen theme does not flash. A file of its own: the page allows no inline script.
(() => {
  try {
    const theme = localStorage.getItem("sentistream.theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch {
    // Storage may be blocked; the system's theme is used then.
  }
})();
