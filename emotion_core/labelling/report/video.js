"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const form = byId("filter");
  if (!form) return;
  const boxes = [...form.querySelectorAll("input")];

  // a class for what is switched off: the style sheet hides what belongs to it
  function show() {
    for (const box of boxes) document.body.classList.toggle(`off-${box.name}`, !box.checked);
  }
  function all(checked) {
    for (const box of boxes) if (box.name[0] === "e") box.checked = checked;
    show();
  }

  function order() {
    const [name, way] = byId("by").value === "p" ? ["p", -1] : ["t", 1];
    for (const list of document.querySelectorAll(".cards ol")) {
      const items = [...list.children];
      items.sort((a, b) => way * (a.dataset[name] - b.dataset[name]) || a.dataset.t - b.dataset.t);
      list.append(...items);
    }
  }

  // time, person, emotion and probability, with tabs between them as a spreadsheet wants it
  function linesOf(which) {
    const lines = [];
    for (const card of document.querySelectorAll(".cards > div")) {
      if (which !== "*" && card.dataset.e !== which) continue;
      for (const item of card.querySelectorAll("li")) {
        if (item.offsetParent === null) continue;
        const [time, who] = item.children;
        const emotion = card.querySelector("h3 span").textContent;
        lines.push([time, who].map((each) => each.textContent).concat(emotion, item.lastChild.textContent).join("\t"));
      }
    }
    return lines;
  }

  function copy(lines) {
    const area = document.createElement("textarea");
    area.value = lines.join("\n");
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");  // the newer way is closed to pages without https
    area.remove();
    byId("copied").textContent = done ? `${lines.length} copied` : "the browser does not let pages copy";
  }

  form.addEventListener("change", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  byId("all").addEventListener("click", () => all(true));
  byId("none").addEventListener("click", () => all(false));
  byId("by").addEventListener("change", order);
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.addEventListener("click", () => copy(linesOf(button.dataset.copy)));
    button.hidden = false;
  }
  form.hidden = byId("order").hidden = false;
  show();
})();
