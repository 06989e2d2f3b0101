// What the page does by itself: the before/after slider, copying code.
(() => {
  "use strict";

  const copy = async (button) => {
    const text = document.getElementById(button.dataset.copy).textContent;
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  };

  document.addEventListener("click", (event) => {
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
