// What the page does by itself: the before/after slider, sorting tables, copying code.
(() => {
  "use strict";

  const number = (text) => {
    const value = parseFloat(text.replace(/,/g, ""));
    return Number.isNaN(value) ? null : value;
  };

  const compare = (a, b) => {
    const [x, y] = [number(a), number(b)];
    if (x !== null && y !== null) return x - y;
    if (x !== null || y !== null) return x === null ? 1 : -1;
    return a.localeCompare(b);
  };

  const sort = (header) => {
    const table = header.closest("table");
    const column = header.cellIndex;
    const ascending = header.getAttribute("aria-sort") !== "ascending";
    for (const other of header.parentElement.children) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", ascending ? "ascending" : "descending");
    const text = (row) => row.cells[column].textContent.trim();
    const rows = [...table.tBodies[0].rows].sort((a, b) => compare(text(a), text(b)));
    table.tBodies[0].append(...(ascending ? rows : rows.reverse()));
  };

  const copy = async (button) => {
    const text = document.getElementById(button.dataset.copy).textContent;
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  };

  document.addEventListener("click", (event) => {
    const header = event.target.closest?.("table[data-sortable] thead th button");
    if (header) sort(header.closest("th"));
    const button = event.target.closest?.("[data-copy]");
    if (button) copy(button);
  });

  // The split is kept on the page's root: a redrawn result keeps it.
  document.addEventListener("input", (event) => {
    if (event.target.matches?.("[data-split]")) {
      document.documentElement.style.setProperty("--lz-split", `${event.target.value}%`);
    }
  });
})();
