import { People } from "./people.js";
import { Picture } from "./picture.js";
import { element, percent, timeCode } from "./text.js";
import { Timeline } from "./timeline.js";

const byId = (id) => document.getElementById(id);
const [pause, stop, source] = ["pause", "stop", "source"].map(byId);
const LATE_MS = 5000;
const ARMED_MS = 5000;

let socket, views;
let number = 0;
let over = false;
let heard = performance.now();
let wait = 500;

function connect() {
  socket = new WebSocket(new URL("feed", location.href).href.replace(/^http/, "ws"));
  socket.binaryType = "arraybuffer";
  socket.addEventListener("message", ({ data }) => (typeof data === "string" ? told(JSON.parse(data)) : showed(data)));
  socket.addEventListener("close", gone);
}

const ask = () => socket.send(JSON.stringify({ want: number }));
const order = (what) => socket.readyState === WebSocket.OPEN && socket.send(JSON.stringify({ do: what }));

function told(said) {
  if (said.labels) begin(said);
  if (said.over) {
    over = true;
    state(said.over, said.over === "stopped" ? "from a page; nothing more comes, this one may be closed" : "nothing more comes, this page may be closed");
  } else {
    ask();
  }
}

// also after a connection that was lost: by another run of the program there is another address
function begin(known) {
  number = 0;
  wait = 500;
  views ??= {
    picture: new Picture(byId("picture"), known),
    people: new People(byId("people"), known),
    timeline: new Timeline(byId("lanes"), byId("more"), known),
  };
  byId("keys").replaceChildren(...known.labels.map((label, at) => element("span", {}, element("i", { kind: `key e${at}` }), label)));
  byId("models").textContent = known.models.join("\n");
  byId("least").textContent = percent(known.least);
  views.timeline.span = Number(byId("span").value);
}

/** One snapshot: the length of its JSON, JSON, JPEG. The next one is asked for when it is drawn. */
async function showed(data) {
  const length = new DataView(data).getUint32(0);
  const now = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length)));
  number = now.number;
  await views.picture.show(new Uint8Array(data, 4 + length), now.faces);
  views.people.show(now.faces, now.voice);
  if (now.whole) views.timeline.clear();
  views.timeline.add(now.moments, now.time);
  figures(now.figures, now.time);
  heard = performance.now();
  if (socket.readyState === WebSocket.OPEN && !over) ask();
  // what has read this number has all of it in view
  document.body.dataset.number = number;
}

function figures(now, time) {
  const seconds = (value) => (value === null ? "–" : `${value.toFixed(2)} s`);
  const shown = {
    time: timeCode(time), pictures: (now.pictures_per_s ?? 0).toFixed(1), latency: seconds(now.latency_s),
    latency95: seconds(now.latency_95_s), dropped: now.dropped,
  };
  for (const [name, text] of Object.entries(shown)) document.querySelector(`[data-figure=${name}]`).textContent = text;
  if (!over) state(now.source, now.note);
}

/** What the source does; read aloud when it changes, not with every second that a note counts. */
function state(what, note) {
  if (source.dataset.is !== what) {
    byId("said").textContent = `${what}. ${note}`;
    document.title = `${what} – Live`;
  }
  source.dataset.is = source.textContent = what;
  byId("note").textContent = note;
  const off = over || !views || socket.readyState !== WebSocket.OPEN;
  pause.disabled = off || what === "ended";
  stop.disabled = off;
  pause.firstElementChild.textContent = what === "paused" ? "Resume" : "Pause";
}

function gone({ code, reason }) {
  if (over) return;
  if (code === 1012) { // the program was told to go
    over = true;
    state("stopped", "the program was ended; this page may be closed");
  } else if (code === 1013) {
    over = true;
    state("full", reason);
  } else {
    state("gone", "the program does not answer; trying again");
    setTimeout(connect, wait);
    wait = Math.min(2 * wait, 8000);
  }
}

function toggle() {
  if (!pause.disabled) order(source.dataset.is === "paused" ? "resume" : "pause");
}

// twice, so that no stray key ends what cannot be begun again
let armed = 0;
function end() {
  if (stop.disabled) return;
  const sure = stop.classList.contains("armed");
  clearTimeout(armed);
  stop.classList.toggle("armed", !sure);
  stop.firstElementChild.textContent = sure ? "Stop" : "Really stop?";
  byId("said").textContent = sure ? "" : "Once more to stop.";
  if (sure) order("stop");
  else armed = setTimeout(() => { stop.classList.remove("armed"); stop.firstElementChild.textContent = "Stop"; }, ARMED_MS);
}

pause.addEventListener("click", toggle);
stop.addEventListener("click", end);
byId("span").addEventListener("change", ({ target }) => {
  if (!views) return;
  views.timeline.span = Number(target.value);
  views.timeline.draw();
});
document.addEventListener("keydown", (event) => {
  if (event.target.closest("select") || event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
  if (event.key === " " && event.target.closest("button")) return; // it presses that one
  if (event.key === " ") toggle();
  else if (event.key === "S") end();
  else return;
  event.preventDefault();
});
setInterval(() => {
  const late = performance.now() - heard;
  if (source.dataset.is === "playing" && late > LATE_MS) {
    byId("note").textContent = `nothing new for ${Math.round(late / 1000)} s`;
  }
}, 1000);
connect();
