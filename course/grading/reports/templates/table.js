// Sorting and filtering of the table of learners. Without it the table is there all the same, by name.
(() => {
  "use strict";
  const table = document.getElementById("learners");
  const body = table.tBodies[0];
  const LATE = 4;
  const heads = [...table.tHead.rows[0].cells];
  const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });
  const rows = [...body.rows].map((row) => {
    const texts = [...row.cells].map((cell) => cell.textContent);
    return {
      row,
      name: texts[0],
      keys: texts.map((text) => (text.startsWith("–") ? -1 : text.startsWith("…") || text === "retry" ? -2 : parseFloat(text))),
      late: texts[LATE],
      words: (texts[0] + " " + row.dataset.f).toLowerCase(),
    };
  });

  const compare = (column) => (one, two) => {
    if (column === 0) return collator.compare(one.name, two.name);
    if (column === LATE) return collator.compare(one.late, two.late);
    const a = one.keys[column], b = two.keys[column];
    return (Number.isNaN(a) ? -3 : a) - (Number.isNaN(b) ? -3 : b);
  };

  const sort = (column) => {
    const head = heads[column];
    // Names from A, points from the highest; a second click turns it round.
    const first = column === 0 ? "ascending" : "descending";
    const now = head.getAttribute("aria-sort");
    const order = now ? (now === "ascending" ? "descending" : "ascending") : first;
    const sign = order === "ascending" ? 1 : -1;
    const by = compare(column);
    rows.sort((one, two) => sign * by(one, two) || collator.compare(one.name, two.name));
    for (const other of heads) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", order);
    body.append(...rows.map((entry) => entry.row));
  };

  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    button.addEventListener("click", () => sort(column));
    head.append(button);
  });

  const filter = document.getElementById("filter");
  const shown = document.getElementById("shown");
  const show = () => {
    const wanted = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const entry of rows) {
      const fits = wanted.every((word) => entry.words.includes(word));
      if (entry.row.hidden === fits) entry.row.hidden = !fits;
      count += fits;
    }
    shown.textContent = `${count} of ${rows.length} learners`;
  };
  const tools = document.getElementById("tools");
  tools.addEventListener("submit", (event) => event.preventDefault());
  filter.addEventListener("input", show);
  tools.hidden = false;
  show();
})();
