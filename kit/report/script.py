"""The JavaScript of the page: sorts, filters and saves tables, notes which tables scroll, opens linked parts."""

SCRIPT = r"""
const each = (query, act, inside = document) => inside.querySelectorAll(query).forEach(act);

// a click on a column's name sorts; what is not known stays last
each("table", table => {
  const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0];
  const key = (row, i) => row.cells[i].dataset.sort;
  heads.forEach((head, i) => {
    if ([...body.rows].some(row => key(row, i) !== undefined)) head.classList.add("number");
    head.firstChild.addEventListener("click", () => {
      const numeric = head.classList.contains("number");
      const now = head.getAttribute("aria-sort");
      const down = now ? now === "ascending" : numeric;
      heads.forEach(other => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const compare = (a, b) => {
        const [x, y] = [key(a, i), key(b, i)];
        if (!numeric) {
          const order = a.cells[i].textContent.localeCompare(b.cells[i].textContent);
          return down ? -order : order;
        }
        if (x === undefined || y === undefined) return (x === undefined) - (y === undefined);
        return down ? y - x : x - y;
      };
      body.append(...[...body.rows].sort(compare));
      body.dispatchEvent(new Event("sorted"));
    });
  });
});

// rows with all searched words and the chosen tags; only the first ones until "Show all"
each(".filter", filter => {
  const body = filter.nextElementSibling.querySelector("tbody");
  const search = filter.querySelector("input"), lists = [...filter.querySelectorAll("select")];
  const all = filter.querySelector(".all"), most = Number(filter.dataset.show);
  let whole = false;
  const apply = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const chosen = lists.filter(list => list.value);
    const matches = row => chosen.every(list => row.dataset[list.dataset.key].split(" ").includes(list.value)) &&
      words.every(word => row.textContent.toLowerCase().includes(word));
    let found = 0;
    [...body.rows].forEach(row => {
      const match = matches(row);
      row.classList.toggle("out", !match);
      found += match;
      row.hidden = !match || (!whole && found > most);
    });
    filter.querySelector("output").textContent = `${whole ? found : Math.min(found, most)} of ${found} rows`;
    all.hidden = whole || found <= most;
  };
  const start = () => { whole = false; apply(); };
  search.addEventListener("input", start);
  lists.forEach(list => list.addEventListener("change", start));
  all.addEventListener("click", () => { whole = true; apply(); });
  body.addEventListener("sorted", apply);
  filter.hidden = false;
  apply();
});

// a table as a CSV file: numbers as they are, the rows that a filter leaves
const cell = found => {
  const value = found.dataset.sort ?? found.textContent;
  return /[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
};
each(".csv", button => {
  const table = button.closest(".table").querySelector("table"), part = button.closest("[id]");
  const place = [...part.querySelectorAll("table")].indexOf(table);
  button.hidden = false;
  button.addEventListener("click", () => {
    const rows = [table.tHead.rows[0], ...[...table.tBodies[0].rows].filter(row => !row.classList.contains("out"))];
    const lines = rows.map(row => [...row.cells].map(cell).join(",") + "\r\n");
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob(lines, {type: "text/csv;charset=utf-8"}));
    link.download = `${document.title.split(":")[0]}-${part.id}${place ? "-" + (place + 1) : ""}.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  });
});

// a note below each table that scrolls
const watch = new ResizeObserver(entries => entries.forEach(({target}) => {
  const box = target.closest(".box"), note = box.parentElement.querySelector(".scrolls");
  const right = box.scrollWidth > box.clientWidth + 1, down = box.scrollHeight > box.clientHeight + 1;
  note.hidden = !(right || down);
  note.textContent = `Scroll ${right ? "→" : ""}${down ? "↓" : ""} for more ` +
    [right && "columns", down && "rows"].filter(Boolean).join(" and ");
}));
each(".table > .box", box => { watch.observe(box); watch.observe(box.firstChild); });

// a link to something folded opens it; on paper all is open
const reveal = hash => {
  const found = hash.length > 1 && document.getElementById(decodeURIComponent(hash.slice(1)));
  if (found && found.tagName === "DETAILS") { found.open = true; found.querySelector("summary").focus(); }
};
addEventListener("hashchange", () => reveal(location.hash));
addEventListener("click", event => { const link = event.target.closest("a[href^='#']"); if (link) reveal(link.hash); });
reveal(location.hash);
let folded = [];
addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll("details:not([open])")];
  folded.forEach(part => { part.open = true; });
});
addEventListener("afterprint", () => folded.forEach(part => { part.open = false; }));
"""
