import { bins, marks, seen, stack } from "./bins.js";
import { element, onWidth, percent, timeCode } from "./text.js";

const KEPT_S = 3600;
// A session that has just begun fills half of its lanes at least.
const SPANS_S = [30, 60, 120, 300, 600, 900, 1800, 3600];
const DRAWN_EVERY_S = 0.5;
const STEPS_S = [5, 10, 15, 30, 60, 120, 300, 600];
// More people than anybody can follow are a sentence.
const MOST_LANES = 12;
// What a word needs around it and for a letter, in pixels.
const [WORD_PX, LETTER_PX] = [14, 8];
const SVG = "http://www.w3.org/2000/svg";

/** Who showed what when: a lane for each person, and one for the voice that is nobody's. */
export class Timeline {
  constructor(room, more, known) {
    this.room = room;
    this.more = more;
    this.known = known;
    this.span = 300;
    this.clear();
    onWidth(room, () => this.draw());
  }

  clear() {
    this.drawn = -Infinity;
    this.moments = new Map(); // who (null: voice) -> moments in order of time
    this.now = 0;
    this.lanes = new Map();
    this.ticks = element("div", { kind: "ticks" });
    this.room.replaceChildren();
  }

  /** @param moments new ones, @param now seconds of the session */
  add(moments, now) {
    this.now = Math.max(now, this.now);
    for (const moment of moments) {
      this.now = Math.max(this.now, moment.time);
      if (!this.moments.has(moment.who)) this.moments.set(moment.who, []);
      const lane = this.moments.get(moment.who);
      let place = lane.length;
      while (place && lane[place - 1].time > moment.time) place -= 1;
      lane.splice(place, 0, moment);
    }
    for (const [who, lane] of this.moments) {
      while (lane.length && lane[0].time < this.now - KEPT_S) lane.shift();
      if (!lane.length) this.moments.delete(who);
    }
    if (moments.length || this.now - this.drawn > DRAWN_EVERY_S) this.draw();
  }

  /** From and to, in seconds: what is drawn. */
  view() {
    const most = this.span || KEPT_S;
    if (this.now > most) return [this.now - most, this.now];
    return [0, Math.min(most, SPANS_S.find((each) => each >= this.now))];
  }

  draw() {
    this.drawn = this.now;
    const [from, to] = this.view();
    const here = [...this.moments].filter(([, lane]) => lane.at(-1).time > from);
    here.sort(([a, x], [b, y]) => (a === null) - (b === null) || y.at(-1).time - x.at(-1).time);
    const voice = here.at(-1)?.[0] === null ? here.pop() : null;
    const kept = here.slice(0, MOST_LANES).sort(([a], [b]) => a - b);
    if (voice) kept.push(voice);
    for (const who of this.lanes.keys()) if (!kept.some(([other]) => other === who)) this.lanes.delete(who);
    const rows = kept.map(([who, lane]) => this.#lane(who, lane, from, to));
    this.#ticks(from, to);
    if (rows.length) rows.push(element("div", { kind: "lane" }, element("div"), this.ticks));
    this.room.replaceChildren(...rows);
    const left = here.length - (kept.length - (voice ? 1 : 0));
    this.more.textContent = left ? `${left} more, seen less lately, are not drawn.`
      : rows.length ? "Coloured: the likeliest emotion. Below it the probabilities of all, one on another. Empty: not in view, nobody speaks, or not kept up with." : "Nothing was answered yet.";
  }

  #lane(who, moments, from, to) {
    if (!this.lanes.has(who)) {
      const svg = document.createElementNS(SVG, "svg");
      svg.setAttribute("preserveAspectRatio", "none");
      svg.setAttribute("aria-hidden", "true");
      const paths = this.known.labels.map((_, place) => {
        const path = document.createElementNS(SVG, "path");
        path.setAttribute("class", `e${place}`);
        return path;
      });
      svg.append(...paths);
      const strip = element("div", { kind: "strip" });
      strip.setAttribute("role", "img");
      const name = who === null ? "voice" : `person ${who}`;
      const row = element("div", { kind: "lane" }, element("div", { text: name }), element("div", { kind: "plot" }, strip, svg));
      row.dataset.who = who ?? "";
      this.lanes.set(who, { row, strip, svg, paths, name });
    }
    const { row, strip, svg, paths, name } = this.lanes.get(who);
    const wide = this.room.clientWidth;
    const found = bins(moments, from, to, Math.max(60, Math.min(240, Math.floor(wide / 4))), this.known.labels.length);
    const best = marks(found, this.known.least);
    strip.replaceChildren(...seen(found).map((run) => place(element("u"), run)), ...best.map((mark) => this.#mark(mark, from, to, wide)));
    strip.setAttribute("aria-label", `${name}: ${this.#shares(best)}`);
    svg.setAttribute("viewBox", `0 0 ${found.length} 100`);
    stack(found, paths.length).forEach((line, at) => paths[at].setAttribute("d", line));
    return row;
  }

  #mark(mark, from, to, wide) {
    const label = this.known.labels[mark.label];
    const made = place(element("i", { kind: `e${mark.label}` }), mark);
    made.title = `${timeCode(from + mark.start * (to - from))} ${label} ${percent(mark.p)}`;
    if ((mark.end - mark.start) * wide > WORD_PX + LETTER_PX * label.length) made.append(element("b", { text: label }));
    return made;
  }

  #shares(best) {
    const sums = new Map();
    for (const { label, start, end } of best) sums.set(label, (sums.get(label) ?? 0) + end - start);
    const all = [...sums.values()].reduce((a, b) => a + b, 0);
    const order = [...sums].sort((a, b) => b[1] - a[1]);
    return order.map(([label, sum]) => `${this.known.labels[label]} ${percent(sum / all)}`).join(", ") || "unclear";
  }

  #ticks(from, to) {
    const step = STEPS_S.find((each) => (to - from) / each <= 10) ?? STEPS_S.at(-1);
    const made = [];
    for (let time = Math.ceil(from / step) * step; time <= to; time += step) {
      const share = (time - from) / (to - from);
      const tick = element("span", { text: timeCode(time), kind: share < 0.03 ? "first" : share > 0.95 ? "last" : "" });
      tick.style.left = `${100 * share}%`;
      made.push(tick);
    }
    this.ticks.replaceChildren(...made);
  }
}

function place(made, { start, end }) {
  made.style.left = `${100 * start}%`;
  made.style.width = `${100 * (end - start)}%`;
  return made;
}
