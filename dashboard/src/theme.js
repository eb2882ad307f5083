// Runs before the first paint, so that the other theme does not flash. A file of its own, because the content security
// policy forbids inline scripts.
(() => {
  try {
    const theme = localStorage.getItem("sentistream.theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch {
    // Storage may be blocked. The theme of the system is then used.
  }
})();
