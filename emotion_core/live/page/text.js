// Words for what a snapshot holds. They may be a stranger's: they go into the page as text only.

export const percent = (p) => (p === null || p === undefined ? "–" : `${Math.round(100 * p)} %`);

/** 75 -> "1:15", 3675 -> "1:01:15" */
export function timeCode(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (n) => String(n).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** Place of the likeliest label; -1 where nothing was answered. */
export function likeliest(p) {
  let best = -1;
  p.forEach((value, place) => {
    if (value !== null && (best < 0 || value > p[best])) best = place;
  });
  return best;
}

/** More than a guess. */
export const isClear = (p, known) => (p[likeliest(p)] ?? 0) >= known.least;

/** "happy 71 %", "unclear" where that is hardly more than a guess, "" before the first answer. */
export function verdict(p, known) {
  const best = likeliest(p);
  if (best < 0) return "";
  return isClear(p, known) ? `${known.labels[best]} ${percent(p[best])}` : "unclear";
}

export function element(name, { text = "", kind = "" } = {}, ...children) {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  if (kind) made.className = kind;
  made.append(...children);
  return made;
}

/** Calls back, with the next frame, when the width of an element has changed. */
export function onWidth(watched, draw) {
  let wide = watched.clientWidth;
  const look = () => {
    if (watched.clientWidth !== wide) draw();
    wide = watched.clientWidth;
  };
  new ResizeObserver(() => requestAnimationFrame(look)).observe(watched);
}

// None of the emotions' colours, and light enough for black words on them in light and dark.
const TRACKS = ["#00e5ff", "#ff7ad9", "#b8ff3d", "#b9a3ff", "#ffffff", "#ffb3a0"];
export const trackColour = (id) => TRACKS[id % TRACKS.length];
