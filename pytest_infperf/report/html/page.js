"use strict";
const FEW_ROWS = 5;

function node(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function compare(a, b) {
  const [x, y] = [a, b].map((cell) => cell.dataset.sort ?? "");
  if (!x || !y) return null;
  return isNaN(x) || isNaN(y) ? x.localeCompare(y, undefined, { numeric: true }) : x - y;
}

function makeSortable(table) {
  const body = table.tBodies[0];
  const headers = [...table.tHead.rows[0].cells];
  headers.forEach((header, column) => {
    const button = node("button", { type: "button" }, ...header.childNodes);
    if (header.dataset.tip) {
      button.dataset.tip = header.dataset.tip;
      delete header.dataset.tip;
    }
    header.append(button);
    button.addEventListener("click", () => {
      const direction = header.ariaSort === "ascending" ? "descending" : "ascending";
      headers.forEach((other) => other.removeAttribute("aria-sort"));
      header.setAttribute("aria-sort", direction);
      const sign = direction === "ascending" ? 1 : -1;
      const rows = [...body.rows].sort((a, b) => {
        const [x, y] = [a.cells[column], b.cells[column]];
        return sign * (compare(x, y) ?? 0) || !x.dataset.sort - !y.dataset.sort;
      });
      body.append(...rows);
    });
  });
}

function makeFilterable(table, bar) {
  const rows = [...table.tBodies[0].rows];
  if (rows.length <= FEW_ROWS) return;
  const input = node("input", { type: "search" });
  const found = node("span", { role: "status" });
  bar.prepend(node("label", {}, "Filter rows", input), found);
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/);
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
    }
    found.textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length} rows`;
  });
}

for (const group of document.querySelectorAll(".table")) {
  const [bar, wide] = group.children;
  makeSortable(wide.querySelector("table"));
  makeFilterable(wide.querySelector("table"), bar);
  new ResizeObserver(() => {
    group.classList.toggle("scrolls", wide.scrollWidth > wide.clientWidth + 1);
  }).observe(wide);
}

const tip = node("div", { id: "tip", hidden: true, role: "tooltip" });
document.body.append(tip);

function showTip(event) {
  const target = event.target.closest("[data-tip]");
  tip.hidden = !target;
  if (!target) return;
  tip.textContent = target.dataset.tip;
  if (target instanceof HTMLElement) target.setAttribute("aria-describedby", "tip");
  placeTip(target);
}

function placeTip(target) {
  const [at, size] = [target.getBoundingClientRect(), tip.getBoundingClientRect()];
  const isBelow = at.bottom + 8 + size.height < innerHeight;
  tip.style.left = `${Math.min(Math.max(4, at.left), innerWidth - size.width - 4)}px`;
  tip.style.top = `${isBelow ? at.bottom + 8 : at.top - size.height - 8}px`;
}

function hideTip() {
  tip.hidden = true;
}

function followFocus() {
  const focused = document.activeElement;
  if (focused?.dataset.tip && focused.dataset.tip === tip.textContent) placeTip(focused);
  else hideTip();
}

document.addEventListener("pointerover", showTip);
document.addEventListener("focusin", showTip);
document.addEventListener("focusout", hideTip);
document.addEventListener("scroll", followFocus, true);
document.addEventListener("keydown", (event) => event.key === "Escape" && hideTip());

for (const time of document.querySelectorAll("time[datetime]")) {
  const when = new Date(time.dateTime);
  if (isNaN(when)) continue;
  time.textContent = when.toLocaleString(undefined, {
    dateStyle: "medium", timeStyle: "short",
  });
  time.dataset.tip = when.toISOString();
}
