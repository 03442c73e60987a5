import { element, isClear, likeliest, percent, trackColour, verdict } from "./text.js";

// A face that is lost for a moment keeps its card, so that cards do not jump.
const STAYS_MS = 10000;

/** A card of bars for each person in view, and one for the voice, which comes last. */
export class People {
  constructor(room, known) {
    this.room = room;
    this.known = known;
    this.cards = new Map();
    this.voice = new Card("voice", "", known);
    room.replaceChildren(this.voice.root);
    this.voice.show([], "nothing heard yet");
  }

  show(faces, voice, now = performance.now()) {
    for (const face of faces) {
      if (!this.cards.has(face.id)) this.cards.set(face.id, this.#add(face.id));
      const card = this.cards.get(face.id);
      card.seen = now;
      card.show(face.p, verdict(face.p, this.known) || "no answer yet", face.speaking ? "speaks" : "");
    }
    for (const [id, card] of this.cards) {
      const away = card.seen !== now;
      card.root.classList.toggle("away", away);
      if (away) card.more.textContent = "out of view";
      if (now - card.seen > STAYS_MS) {
        card.root.remove();
        this.cards.delete(id);
      }
    }
    if (voice) {
      const whose = voice.who === null ? "of nobody in view" : `of person ${voice.who}`;
      this.voice.show(voice.p, verdict(voice.p, this.known), whose);
    }
  }

  #add(id) {
    const card = new Card(`person ${id}`, id, this.known);
    const after = [...this.cards].filter(([other]) => other > id).map(([, other]) => other.root);
    this.room.insertBefore(card.root, after[0] ?? this.voice.root);
    return card;
  }
}

class Card {
  constructor(name, id, known) {
    this.known = known;
    this.verdict = element("span");
    this.more = element("span");
    const title = id === "" ? name : element("b", { text: name, kind: "tag" });
    this.rows = known.labels.map((label, place) => {
      const bar = element("i", { kind: `e${place}` });
      const p = element("td");
      const row = element("tr", {}, element("th", { text: label }), element("td", {}, element("span", { kind: "meter" }, bar)), p);
      row.firstChild.scope = "row";
      return { row, bar, p };
    });
    this.root = element("div", { kind: "card" }, element("h3", {}, title, this.verdict, this.more),
      element("table", {}, ...this.rows.map(({ row }) => row)));
    if (id !== "") this.root.style.setProperty("--track", trackColour(id));
    this.root.dataset.who = id;
  }

  show(p, verdict, more = "") {
    this.verdict.textContent = verdict;
    this.more.textContent = more;
    const best = isClear(p, this.known) ? likeliest(p) : -1;
    this.rows.forEach(({ row, bar, p: cell }, place) => {
      row.classList.toggle("best", place === best);
      bar.style.width = `${100 * (p[place] ?? 0)}%`;
      cell.textContent = percent(p[place]);
    });
  }
}
