"use strict";
(() => {
  const AT_ONCE = 50;
  const byId = (id) => document.getElementById(id);
  const data = byId("data") && JSON.parse(byId("data").textContent);
  if (!data) return;
  // name, folder, status, why, seconds, people, emotion, shares in per mille, page
  const [NAME, FOLDER, STATUS, WHY, SECONDS, PEOPLE, EMOTION, SHARES, PAGE] = Array(9).keys();
  const rows = data.rows.map((row) => ({
    row,
    words: `${data.folders[row[FOLDER]]}/${row[NAME]}`.toLowerCase(),
  }));
  let shown = rows, page = 0, key = "name", way = 1;

  const chosen = (id) => (byId(id).value === "" ? null : Number(byId(id).value));
  // the emotion that shares are about: the one filtered by, else each video's largest
  const emotionOf = (row) => chosen("emotion") ?? row[EMOTION];
  const shareOf = (row) => (row[SHARES].length ? row[SHARES][emotionOf(row)] : -1);
  const KEYS = {
    name: (each) => each.words,
    status: (each) => each.row[STATUS],
    emotion: (each) => (each.row[EMOTION] < 0 ? 99 : each.row[EMOTION]),
    share: (each) => shareOf(each.row),
    people: (each) => each.row[PEOPLE],
    length: (each) => each.row[SECONDS],
  };

  function make(tag, words, kind) {
    const element = document.createElement(tag);
    if (words !== undefined) element.textContent = words;  // text, whatever it holds
    if (kind) element.className = kind;
    return element;
  }

  function timeOf(seconds) {
    if (seconds === null) return "";
    const whole = Math.round(seconds);
    const two = (number) => String(number).padStart(2, "0");
    return `${Math.floor(whole / 3600)}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
  }

  function mixOf(row) {
    const cell = make("span");
    if (!row[SHARES].length) return cell;
    const bar = cell.appendChild(make("span", undefined, "mix"));
    row[SHARES].forEach((share, place) => {
      if (!share) return;
      const part = bar.appendChild(make("i", undefined, `e${place}`));
      part.style.flex = share;
      part.title = `${data.labels[place]} ${Math.round(share / 10)}%`;
    });
    cell.appendChild(make("small", `${data.labels[emotionOf(row)]} ${Math.round(shareOf(row) / 10)}%`));
    return cell;
  }

  function itemOf({ row }) {
    const item = make("li");
    const name = item.appendChild(make("span"));
    const title = name.appendChild(make(row[PAGE] ? "a" : "span", row[NAME]));
    if (row[PAGE]) title.href = `report/${row[PAGE]}.html`;
    name.appendChild(make("small", data.folders[row[FOLDER]]));
    const status = item.appendChild(make("span", data.statuses[row[STATUS]]));
    status.appendChild(make("small", data.why[row[WHY]]));
    item.appendChild(mixOf(row));
    item.appendChild(make("span", row[PEOPLE], "n")).appendChild(make("span", row[PEOPLE] === 1 ? " person" : " people", "unit"));
    item.appendChild(make("span", timeOf(row[SECONDS]), "n"));
    return item;
  }

  function draw() {
    const from = page * AT_ONCE, to = Math.min(shown.length, from + AT_ONCE);
    byId("videos").replaceChildren(...shown.slice(from, to).map(itemOf));
    const of = `${shown.length.toLocaleString("en")} of ${rows.length.toLocaleString("en")} videos`;
    byId("shown").textContent = shown.length ? `${from + 1} to ${to} of ${of}` : "no video is like that";
    byId("back").disabled = page === 0;
    byId("next").disabled = to >= shown.length;
    for (const button of byId("sort").querySelectorAll("button")) {
      button.dataset.way = button.dataset.key === key ? way : 0;
      button.setAttribute("aria-pressed", button.dataset.key === key);
    }
  }

  function update() {
    const words = byId("find").value.toLowerCase();
    const emotion = chosen("emotion"), status = chosen("status");
    shown = rows.filter(({ row, words: mine }) =>
      mine.includes(words) &&
      (!byId("paged").checked || row[PAGE]) &&
      (status === null || row[STATUS] === status) &&
      (emotion === null || row[SHARES][emotion] > 0));
    const value = KEYS[key];
    const keyed = shown.map((each) => [value(each), each]);
    keyed.sort(([a, x], [b, y]) => way * (a < b ? -1 : a > b ? 1 : 0) || (x.words < y.words ? -1 : 1));
    shown = keyed.map(([, each]) => each);
    page = 0;
    draw();
  }

  byId("find").addEventListener("input", update);
  for (const id of ["status", "paged"]) byId(id).addEventListener("change", update);
  byId("emotion").addEventListener("change", () => {
    if (chosen("emotion") !== null) [key, way] = ["share", -1];
    update();
  });
  byId("sort").addEventListener("click", ({ target }) => {
    if (!target.dataset.key) return;
    const numbers = ["share", "people", "length"].includes(target.dataset.key);
    [key, way] = [target.dataset.key, target.dataset.key === key ? -way : numbers ? -1 : 1];
    update();
  });
  for (const [id, step] of [["back", -1], ["next", 1]]) {
    byId(id).addEventListener("click", () => { page += step; draw(); });
  }
  for (const id of ["filter", "sort", "turn"]) byId(id).hidden = false;
  update();
})();
