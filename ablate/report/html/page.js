// The page's own controls: the filter of the runs' table, what shows that a box scrolls, and all that is folded open on paper.
"use strict";
(() => {
  const filter = document.getElementById("runs-filter");
  if (filter) {
    const rows = [...document.querySelectorAll(".runs tbody tr")].map((row) => [row, row.textContent.toLowerCase()]);
    const count = document.getElementById("runs-count");
    filter.addEventListener("input", () => {
      const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const [row, text] of rows) {
        row.hidden = !words.every((word) => text.includes(word));
        shown += row.hidden ? 0 : 1;
      }
      count.textContent = words.length ? `${shown} of ${rows.length}` : "";
    });
  }

  // A table or a figure that goes on to the right fades there.
  const fade = (box) => box.classList.toggle("more", box.scrollWidth - box.clientWidth - box.scrollLeft > 2);
  const resized = new ResizeObserver((seen) => seen.forEach(({ target }) => fade(target)));
  for (const box of document.querySelectorAll(".scroll")) {
    resized.observe(box);
    box.addEventListener("scroll", () => fade(box), { passive: true });
  }

  const folded = () => document.querySelectorAll("main details:not([open])");
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...folded()];
    for (const each of opened) each.open = true;
  });
  addEventListener("afterprint", () => {
    for (const each of opened) each.open = false;
  });

  // The contents follow the reader; on a narrow screen they are folded.
  const contents = document.querySelector("nav details");
  if (matchMedia("(max-width: 66rem)").matches) contents.open = false;
  const links = new Map([...document.querySelectorAll("nav a")].map((link) => [link.hash.slice(1), link]));
  const heads = [...document.querySelectorAll("main h2[id]")].filter((head) => links.has(head.id));
  const follow = () => {
    const here = heads.findLast((head) => head.getBoundingClientRect().top < innerHeight / 3);
    for (const link of links.values()) link.removeAttribute("aria-current");
    (links.get(here?.id) ?? links.get("report")).setAttribute("aria-current", "true");
  };
  addEventListener("scroll", follow, { passive: true });
  follow();
})();
